"""The farm over HTTP, on a running clock."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection

import pytest

from airflow_provider_renderbus.farm import Farm
from airflow_provider_renderbus.farm.server.server import MAX_BODY_BYTES
from tests.farm.raw_client import INFO, PROFILE, STOP, RawClient, job, post


@pytest.fixture
def http(farm):
    with closing(HTTPConnection(farm.address, timeout=30)) as connection:
        yield connection


def test_calls_are_answered_over_one_connection(client, http):
    for _ in range(3):
        status, body = post(http, PROFILE, client.sign(PROFILE, {}), b"{}")
        assert (status, json.loads(body)["code"]) == (200, 200)


def test_a_query_is_signed_for_the_domain_that_was_asked(client, http):
    headers = client.sign(PROFILE, {}, Host="task.renderbus.com")
    assert json.loads(post(http, PROFILE, headers, b"{}")[1])["code"] == 200


@pytest.mark.parametrize(
    "path",
    ["/api/nothing", "/", "/../account.json", "/api/render/../../farm.db", "/%2e%2e/lock", f"{PROFILE}/.."],
)
def test_unknown_paths_are_not_found(client, http, path):
    assert post(http, path, {}, b"{}") == (404, b"not found\n")
    assert post(http, PROFILE, client.sign(PROFILE, {}), b"{}")[0] == 200


def test_other_methods_are_not_found(http):
    http.request("GET", PROFILE)
    answer = http.getresponse()
    assert (answer.status, answer.read()) == (404, b"not found\n")


def test_a_body_too_large_is_refused_and_the_farm_lives_on(client, http):
    status, body = post(http, PROFILE, {}, b" " * (MAX_BODY_BYTES + 1))
    answer = json.loads(body)
    assert (status, answer["code"], answer["data"]) == (413, 400, None)
    assert answer["message"] == f"The body is invalid: must have at most {MAX_BODY_BYTES} bytes"
    assert post(http, PROFILE, client.sign(PROFILE, {}), b"{}")[0] == 200


@pytest.mark.parametrize("length", ["", "-1", "many"])
def test_a_body_of_unknown_length_is_refused(http, length):
    http.putrequest("POST", PROFILE)
    http.putheader("Content-Length", length)
    http.endheaders()
    answer = http.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (411, 400)


def test_a_caller_that_hangs_up_does_no_harm(client, http, capfd):
    http.putrequest("POST", PROFILE)
    http.putheader("Content-Length", "100")
    http.endheaders(b"{")
    http.close()
    assert post(http, PROFILE, client.sign(PROFILE, {}), b"{}")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_the_farm_ends_while_connections_are_open(tmp_path):
    with Farm(tmp_path / "farm") as farm:
        http = HTTPConnection(farm.address, timeout=30)
        assert post(http, "/api/nothing", {}, b"")[0] == 404
    assert http.sock.recv(1) == b""
    http.close()


def wait_for(client, number, state):
    """Ask until the task has the state: time runs by itself here, and fast."""
    for info in map(client.task_info, [number] * 50_000):
        if info["taskStatus"] == state:
            return info
    raise AssertionError(f"task {number} never came to state {state}")


def test_time_runs_by_itself_and_frames_are_there_when_done(tmp_path):
    with Farm(tmp_path / "farm", speed=2000) as farm:
        client = RawClient(farm)
        numbers = [client.submit(job(f"sh0{shot}0.blend", "1-8[1]")) for shot in (1, 2, 3)]
        for number in numbers:
            info = wait_for(client, number, 25)
            assert info["doneFrames"] == len(list((farm.output_root / info["outputFileName"]).iterdir())) == 8
            assert info["submitDate"] < info["startTime"] < info["completedDate"]
        assert len(client.call(INFO, taskIds=numbers)["items"]) == 3


def test_frames_in_the_making_are_dropped_when_a_task_is_stopped(tmp_path):
    with Farm(tmp_path / "farm", speed=2000) as farm:
        client = RawClient(farm)
        number = client.submit(job(frames="1-40[1]", width="320", height="180"))
        wait_for(client, number, 5)
        client.call(STOP, taskIds=[number])
        info = client.task_info(number)
        assert (info["taskStatus"], info["executingFrames"]) == (10, 0)
    done = list(farm.output_root.rglob("*.png"))
    assert len(done) == info["doneFrames"]
    assert list((farm.output_root.parent.parent / "scratch").iterdir()) == []
