"""The farm over HTTP, with a scaled clock."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from http.client import HTTPConnection

import pytest

from airflow_provider_renderbus.farm import Farm
from airflow_provider_renderbus.farm.server.server import MAX_BODY_BYTES
from dev.harness.embedded_farm import StockedFarm
from tests.farm.raw_client import INFO, PROFILE, STOP, RawClient, job, post


@pytest.fixture
def http(farm):
    with closing(HTTPConnection(farm.address, timeout=30)) as connection:
        yield connection


def test_server_keeps_connection_open(client, http):
    for _ in range(3):
        status, body = post(http, PROFILE, client.sign(PROFILE, {}), b"{}")
        assert (status, json.loads(body)["code"]) == (200, 200)


def test_server_authenticates_by_host_header(client, http):
    headers = client.sign(PROFILE, {}, Host="task.renderbus.com")
    assert json.loads(post(http, PROFILE, headers, b"{}")[1])["code"] == 200


@pytest.mark.parametrize(
    "path",
    ["/api/nothing", "/", "/../account.json", "/api/render/../../farm.db", "/%2e%2e/lock", f"{PROFILE}/.."],
)
def test_server_unknown_path_returns_404(client, http, path):
    assert post(http, path, {}, b"{}") == (404, b"not found\n")
    assert post(http, PROFILE, client.sign(PROFILE, {}), b"{}")[0] == 200


def test_server_get_of_call_returns_404(http):
    http.request("GET", PROFILE)
    answer = http.getresponse()
    assert (answer.status, answer.read()) == (404, b"not found\n")


@pytest.mark.parametrize("target", ["http://[", "//[", "/%", "*", "/?page=%"])
def test_server_get_of_malformed_target_is_answered(farm, target, capfd):
    with socket.create_connection(tuple(farm.address.split(":")), timeout=30) as connection:
        request = f"GET {target} HTTP/1.1\r\nHost: {farm.address}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        status = connection.makefile("rb").readline()
    assert status in {b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 404 Not Found\r\n"}
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a": ' * 5000 + b"1" + b"}" * 5000, b"{"])
def test_server_unknown_access_id_is_refused_before_body_is_read(http, body):
    assert json.loads(post(http, PROFILE, {"accessId": "nobody"}, body)[1])["code"] == 602


def test_server_oversized_body_returns_413_and_serves_on(client, http):
    status, body = post(http, PROFILE, {}, b" " * (MAX_BODY_BYTES + 1))
    answer = json.loads(body)
    assert (status, answer["code"], answer["data"]) == (413, 400, None)
    assert answer["message"] == f"The body is invalid: must have at most {MAX_BODY_BYTES} bytes"
    assert post(http, PROFILE, client.sign(PROFILE, {}), b"{}")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        *([("Content-Length", length)] for length in ("", "-1", "many")),
        [("Content-Length", "2"), ("Content-Length", "40")],
        [("Content-Length", "2"), ("Transfer-Encoding", "chunked")],
    ],
)
def test_server_invalid_content_length_returns_411(http, headers):
    http.putrequest("POST", PROFILE)
    for name, value in headers:
        http.putheader(name, value)
    http.endheaders()
    answer = http.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (411, 400)


def test_server_client_disconnect_is_ignored(client, http, capfd):
    http.putrequest("POST", PROFILE)
    http.putheader("Content-Length", "100")
    http.endheaders(b"{")
    http.close()
    assert post(http, PROFILE, client.sign(PROFILE, {}), b"{}")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_server_close_closes_open_connections(tmp_path):
    with Farm(tmp_path / "farm") as farm:
        http = HTTPConnection(farm.address, timeout=30)
        assert post(http, "/api/nothing", {}, b"")[0] == 404
    assert http.sock.recv(1) == b""
    http.close()


def wait_for(client, task_id, state):
    """Query until the task has the state: farm time passes by itself, and fast."""
    for info in map(client.task_info, [task_id] * 50_000):
        if info["taskStatus"] == state:
            return info
    raise AssertionError(f"task {task_id} never reached state {state}")


def test_scaled_clock_renders_frames(tmp_path):
    with StockedFarm(tmp_path / "farm", speed=2000) as farm:
        client = RawClient(farm)
        task_ids = [client.submit(job(f"sh0{shot}0.blend", "1-8[1]")) for shot in (1, 2, 3)]
        for task_id in task_ids:
            info = wait_for(client, task_id, 25)
            assert info["doneFrames"] == len(list((farm.output_root / info["outputFileName"]).iterdir())) == 8
            assert info["submitDate"] < info["startTime"] < info["completedDate"]
        assert len(client.call(INFO, taskIds=task_ids)["items"]) == 3


def test_stop_discards_running_frames(tmp_path):
    with StockedFarm(tmp_path / "farm", speed=2000) as farm:
        client = RawClient(farm)
        task_id = client.submit(job(frames="1-40[1]", width="320", height="180"))
        wait_for(client, task_id, 5)
        client.call(STOP, taskIds=[task_id])
        info = client.task_info(task_id)
        assert (info["taskStatus"], info["executingFrames"]) == (10, 0)
    done = list(farm.output_root.rglob("*.png"))
    assert len(done) == info["doneFrames"]
    assert list((farm.output_root.parent.parent / "scratch").iterdir()) == []
