"""The real domains are signed, and decide language and zone.

Nothing leaves this machine: both sides send through a proxy, and that is the recording server.
"""

from __future__ import annotations

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients.async_client import AsyncClient
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.settings import Settings
from tests.clients.conftest import Sender
from tests.interop.differences import differences
from tests.interop.recorder import ACCESS_ID, ACCESS_KEY
from tests.interop.vendor import Vendor


@pytest.fixture(scope="module")
def proxy(recorder):
    return f"http://{recorder.address}"


@pytest.fixture(scope="module")
def vendor_behind_proxy(vendor_python, tmp_path_factory, proxy):
    with Vendor(vendor_python, tmp_path_factory.mktemp("vendor"), proxy) as running:
        yield running


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("domain", "platform", "zone", "language"),
    [("task.renderbus.com", "62", 1, "0"), ("task.foxrenderfarm.com", "21", 2, "1")],
)
def test_domain_platform_and_language_are_told_the_same(
    vendor_behind_proxy, recorder, proxy, monkeypatch, client, domain, platform, zone, language
):
    account = {"access_id": ACCESS_ID, "access_key": ACCESS_KEY, "domain": domain, "protocol": "http"}
    vendor_behind_proxy.ask("log_in", **account, platform=platform)
    recorder.take()
    vendor_behind_proxy.ask("query.platforms")
    vendor_behind_proxy.ask("user.task_record", pageSize=100)
    theirs = recorder.take()

    monkeypatch.setenv("http_proxy", proxy)
    work = calls.query_platforms(zone), calls.task_records(platform)
    Sender(client).send(Settings(**account, platform=platform), *work)
    ours = recorder.take()

    assert list(differences(theirs, ours)) == []
    assert [sent.signature for sent in ours] == ["right", "right"]
    assert {sent.headers["languageFlag"] for sent in ours} == {language}
    assert {sent.arrival.headers["Host"] for sent in theirs + ours} == {domain}
