"""Tests that the real domains are signed and decide language and zone.

Nothing leaves this machine: both clients send through a proxy, which is the recording server.
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
    with Vendor(vendor_python, tmp_path_factory.mktemp("vendor"), proxy) as vendor:
        yield vendor


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("domain", "platform", "zone", "language"),
    [("task.renderbus.com", "62", 1, "0"), ("task.foxrenderfarm.com", "21", 2, "1")],
)
def test_requests_to_real_domains_are_equal(
    vendor_behind_proxy, recorder, proxy, monkeypatch, client, domain, platform, zone, language
):
    account = {"access_id": ACCESS_ID, "access_key": ACCESS_KEY, "domain": domain, "protocol": "http"}
    vendor_behind_proxy.call("log_in", **account, platform=platform)
    recorder.pop_requests()
    vendor_behind_proxy.call("query.platforms")
    vendor_behind_proxy.call("user.task_record", pageSize=100)
    theirs = recorder.pop_requests()

    monkeypatch.setenv("http_proxy", proxy)
    batch = calls.query_platforms(zone), calls.task_records(platform)
    Sender(client).send(Settings(**account, platform=platform), *batch)
    ours = recorder.pop_requests()

    assert list(differences(theirs, ours)) == []
    assert [request.signature for request in ours] == ["right", "right"]
    assert {request.headers["languageFlag"] for request in ours} == {language}
    assert {request.received.headers["Host"] for request in theirs + ours} == {domain}
