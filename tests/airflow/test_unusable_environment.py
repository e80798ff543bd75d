"""What a client cannot be created with is refused before anything is sent, paid or deferred."""

from __future__ import annotations

import json

import pytest

from airflow_provider_renderbus.compat import AirflowFailException, TaskDeferred
from airflow_provider_renderbus.operators import RenderbusRenderOperator, RenderbusSubmitTaskOperator
from airflow_provider_renderbus.sensors import (
    RenderbusFramesSensor,
    RenderbusFundsSensor,
    RenderbusOutputSensor,
    RenderbusTaskSensor,
)
from tests.airflow.context import context
from tests.scenes import make_task_json

WAITING_TASKS = {
    "render": lambda options: RenderbusRenderOperator(task_json=make_task_json(), **options),
    "submit": lambda options: RenderbusSubmitTaskOperator(
        render_task_id=1, wait_for_completion=True, **options
    ),
    "submit only": lambda options: RenderbusSubmitTaskOperator(render_task_id=1, **options),
    "task": lambda options: RenderbusTaskSensor(render_task_id=1, **options),
    "task to stop": lambda options: RenderbusTaskSensor(render_task_id=1, cancel_on_kill=True, **options),
    "frames": lambda options: RenderbusFramesSensor(render_task_id=1, frames=["1"], **options),
    "output": lambda options: RenderbusOutputSensor(render_task_id=1, **options),
    "funds": lambda options: RenderbusFundsSensor(min_funds=1000, **options),
}
UNUSABLE = {
    "socks without socksio": (
        "socks5://user:hunter2@127.0.0.1:9",
        {},
        r"airflow-provider-renderbus\[socks\]",
    ),
    "socks4": ("socks4://user:hunter2@127.0.0.1:9", {}, "http_proxy: must be, in the environment, the URL"),
    "no URL": ("http://user:hunter2@127.0.0.1:port", {}, "http_proxy: must be, in the environment, the URL"),
    "no PEM": ("", {"ca_bundle": __file__}, "ca_bundle: must be "),
    "no file": ("", {"ca_bundle": "/nowhere/ca.pem"}, "ca_bundle: must be "),
}


@pytest.fixture
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferrable"])
@pytest.mark.parametrize("make", WAITING_TASKS.values(), ids=WAITING_TASKS)
@pytest.mark.parametrize(("proxy", "extra", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_task_without_usable_client_fails_before_a_request(
    proxy, extra, message, make, deferrable, farm, connection, monkeypatch
):
    monkeypatch.setenv("http_proxy", proxy)
    connection = {**connection, "extra": connection["extra"] | extra}
    monkeypatch.setenv("AIRFLOW_CONN_RENDERBUS_DEFAULT", json.dumps(connection))
    with pytest.raises(AirflowFailException, match=message) as raised:
        make({"task_id": "wait", "deferrable": deferrable}).execute(context())
    assert "hunter2" not in str(raised.value)
    assert not farm.request_counts


@pytest.mark.usefixtures("no_proxies", "connection")
def test_task_with_ipv6_networks_in_no_proxy_is_deferred(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1,[::1],fe80::/10")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(TaskDeferred):
        WAITING_TASKS["funds"]({"task_id": "wait", "deferrable": True}).execute(context())
