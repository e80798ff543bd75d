"""Faults: in a scenario, at run time and from another process."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection, RemoteDisconnected

import pytest

from airflow_provider_renderbus.farm import ManualClock, control
from airflow_provider_renderbus.farm.server.envelope import CLIENT_CODES
from airflow_provider_renderbus.farm.simulation.faults import FAULT_KINDS, ConnectionDropped
from dev.harness.embedded_farm import StockedFarm
from tests.farm.raw_client import CREATE, INFO, LIST, PROFILE, SUBMIT, RawClient, job, maya_job, post


def raw_response(client, path=PROFILE, body=None):
    body = body or {}
    return client.farm.handle(path, client.sign(path, body), json.dumps(body).encode())


def test_fault_status_has_no_envelope_and_sets_retry_after(client):
    client.farm.inject("status", status=429, retry_after="7", times=1)
    status, headers, body = raw_response(client, CREATE)
    assert (status, headers["Retry-After"]) == (429, "7")
    assert b"{" not in body
    assert client.create() == 35000001


def test_fault_with_executes_call_executes_call(client):
    for fault in ("status", "html", "code"):
        client.farm.inject(fault, executes_call=True, times=1)
        raw_response(client, CREATE)
    assert client.create() == 35000004


def test_fault_html_returns_page(client):
    client.farm.inject("html")
    status, headers, body = raw_response(client)
    assert (status, headers["Content-Type"]) == (200, "text/html")
    assert body.startswith(b"<html>")


@pytest.mark.parametrize(("executes_call", "next_id"), [(False, 35000001), (True, 35000002)])
def test_fault_drop_before_or_after_execution(client, executes_call, next_id):
    client.farm.inject("drop", executes_call=executes_call, times=1, calls=["create_task"])
    with pytest.raises(ConnectionDropped):
        raw_response(client, CREATE)
    assert client.create() == next_id


def test_fault_drop_closes_http_connection(client, capfd):
    client.farm.inject("drop", times=1)
    with closing(HTTPConnection(client.farm.address, timeout=30)) as http:
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            post(http, PROFILE, client.sign(PROFILE, {}), b"{}")
        assert post(http, PROFILE, client.sign(PROFILE, {}), b"{}")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_fault_cut_returns_half_of_answer(client):
    full_length = len(raw_response(client)[2])
    client.farm.inject("cut")
    body = raw_response(client)[2]
    assert full_length // 2 - 1 <= len(body) <= full_length // 2 + 1
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_fault_code_returns_envelope_with_code(client):
    client.farm.inject("code", times=1)
    client.farm.inject("code", code=513, message="失败", after=1)
    for code, message in ((1000, "fault"), (513, "失败")):
        answer = json.loads(raw_response(client)[2])
        assert (answer["code"], answer["message"], answer["result"], answer["data"]) == (
            code,
            message,
            False,
            None,
        )


@pytest.mark.parametrize(("code", "message"), CLIENT_CODES.items())
def test_fault_code_of_desktop_client_has_its_message(client, code, message):
    client.farm.inject("code", code=code, calls=["submit_task"])
    assert client.call_refused(SUBMIT, taskId=client.create()) == (code, message)


def test_faults_missing_and_types_change_fields(client):
    task_id = client.create()

    def query():
        return json.loads(raw_response(client, INFO, {"taskIds": [task_id]})[2])

    client.farm.inject("missing", fields=["taskStatus", "serverTime"], times=1)
    answer = query()
    assert "serverTime" not in answer
    assert "taskStatus" not in answer["data"]["items"][0]
    client.farm.inject("types", fields=["taskStatus", "sceneName"], times=1)
    (item,) = query()["data"]["items"]
    assert (item["taskStatus"], item["sceneName"]) == ({"value": 0}, [""])
    client.farm.inject("types", times=1)
    assert isinstance(query()["data"], list)
    assert query()["data"]["items"][0]["taskStatus"] == 0


def test_fault_state_returns_unknown_state(client):
    task_id = client.create()
    client.farm.inject("state", state=99, calls=["query_task_*"], times=1)
    assert [client.task_state(task_id) for _ in "ab"] == [99, 0]


@pytest.mark.parametrize(("options", "state"), [({}, 65), ({"state": 60}, 60), ({"state": 100}, 100)])
def test_fault_parent_state_changes_layered_tasks_only(client, options, state):
    layered, plain = client.submit(maya_job()), client.submit()
    client.farm.inject("parent_state", calls=["query_task_info", "get_task_list"], **options)
    for advanced, leaf_state in ((0, 0), (100_000, 25)):
        client.farm.advance(advanced)
        for items in (client.call(INFO, taskIds=[layered, plain])["items"], client.call(LIST)["items"][::-1]):
            assert [item["taskStatus"] for item in items] == [state, leaf_state]
            assert [leaf["taskStatus"] for leaf in items[0]["respRenderingTaskList"]] == [leaf_state] * 2


@pytest.mark.parametrize("skew", [{}, {"seconds": 1000}, {"seconds": -1000}])
def test_fault_clock_shifts_server_time(client, skew):
    client.farm.inject("clock", **skew)
    answer = client.request(PROFILE)
    assert answer["code"] == 610
    assert client.request(PROFILE, UTCTimestamp=str(answer["serverTime"] // 1000))["code"] == 200


@pytest.mark.parametrize("executes_call", [False, True])
def test_fault_delay_waits_before_or_after_execution(client, executes_call, monkeypatch):
    client.farm.inject("delay", seconds=2.5, executes_call=executes_call, times=1)
    waits = []
    monkeypatch.setattr(
        client.farm._closing,
        "wait",
        lambda seconds: waits.append((seconds, len(client.farm._simulation.tasks))),
    )
    client.create()
    assert waits == ([(0, 0), (2.5, 1)] if executes_call else [(2.5, 0), (0, 1)])


def test_faults_match_calls_after_and_times(client):
    client.farm.inject("status", calls=["submit_*", "create_task"], after=1, times=2)
    assert [raw_response(client, CREATE)[0] for _ in range(4)] == [200, 503, 503, 200]
    client.farm.inject("status", calls=["submit_task"])
    assert [raw_response(client, path)[0] for path in (PROFILE, SUBMIT)] == [200, 503]
    client.farm.clear_faults()
    assert raw_response(client, SUBMIT)[0] == 200


def test_fault_probability_is_repeatable_by_seed(tmp_path):
    runs = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        scenario = {"faults": [{"fault": "status", "probability": 0.3, "seed": seed}]}
        with closing(StockedFarm(tmp_path / name, ManualClock(), scenario=scenario)) as farm:
            runs.append([raw_response(RawClient(farm))[0] for _ in range(100)])
    assert runs[0] == runs[1] != runs[2]
    assert 15 < runs[0].count(503) < 45


@pytest.mark.parametrize("kind", sorted(set(FAULT_KINDS) - {"restart"}))
def test_farm_answers_after_every_fault(client, kind):
    client.farm.inject(kind, times=1, seconds=0)
    try:
        raw_response(client, CREATE)
    except ConnectionDropped:
        assert kind == "drop"
    assert client.create() in {35000001, 35000002}


@pytest.mark.parametrize(
    "kinds", [*itertools.product(sorted(set(FAULT_KINDS) - {"restart"}), repeat=2)], ids="+".join
)
def test_farm_answers_after_two_faults_on_one_request(client, kinds):
    for kind in kinds:
        client.farm.inject(kind, times=1, seconds=0)
    if "drop" in kinds:
        with pytest.raises(ConnectionDropped):
            raw_response(client, CREATE)
    else:
        raw_response(client, CREATE)
    assert client.request(PROFILE)["code"] == 200


@pytest.mark.parametrize(
    ("fault", "options", "message"),
    [
        ("restart", {}, "only the farm as a program"),
        ("fire", {}, "fault: must be one of status, html, .*, got 'fire'"),
        ("status", {"status": 99}, "status: must be an integer from 200 to 599, got 99"),
        ("drop", {"often": 1}, "fault: keys must be among .*, got 'often'"),
        ("drop", {"calls": "all"}, "calls: must be a list of strings, got 'all'"),
        ("drop", {"probability": 2}, "probability: must be a number from 0 to 1, got 2"),
    ],
)
def test_inject_invalid_fault_raises(client, fault, options, message):
    with pytest.raises(ValueError, match=message):
        client.farm.inject(fault, **options)


def test_send_command_with_account_key_runs_commands(client):
    connection = client.farm.connection()
    task_id = client.submit(job())
    commands = {"inject": {"fault": "code", "times": 1, "calls": ["query_*"]}, "top_up": "50", "advance": 60}
    state = control.send_command(connection, commands)
    assert (state["now"], state["request_counts"]["submit_task"]) == (60, 1)
    assert client.request(PROFILE)["code"] == 1000
    assert client.call(PROFILE)["rmbbalance"] == 550
    assert client.task_state(task_id) == 5
    control.send_command(connection, {"inject": {"fault": "code"}})
    control.send_command(connection, {"clear_faults": True})
    assert client.task_state(task_id) == 5
    with pytest.raises(ValueError, match="signature is invalid"):
        control.send_command({**connection, "password": "wrong"}, {"top_up": "50"})
    for commands in (
        {"burn": 1},
        {"inject": {"fault": "fire"}},
        {"inject": 1},
        {"top_up": 1.5},
        {"advance": "x"},
        {"clear_faults": 0},
    ):
        with pytest.raises(ValueError, match="refused the command"):
            control.send_command(connection, commands)


@pytest.mark.parametrize("wrong", [{"burn": 1}, {"inject": {"fault": "fire"}}, {"advance": -1}])
def test_send_command_with_one_wrong_command_runs_none(client, wrong):
    connection = client.farm.connection()
    valid = {"top_up": "50", "inject": {"fault": "code"}, "advance": 60, "clear_faults": True}
    names = dict.fromkeys([*valid, *wrong])
    with pytest.raises(ValueError, match="refused the command"):
        control.send_command(connection, {name: (valid | wrong)[name] for name in names})
    assert client.call(PROFILE)["rmbbalance"] == 500
    assert control.send_command(connection, {})["now"] == 0


def test_control_program_sends_commands(client, tmp_path):
    program = [
        sys.executable,
        "-m",
        "airflow_provider_renderbus.farm.control",
        "--storage",
        str(tmp_path / "farm"),
    ]
    completed = subprocess.run([*program, '{"top_up": "1.5"}'], capture_output=True, text=True, check=True)
    assert json.loads(completed.stdout)["now"] == 0
    assert client.call(PROFILE)["rmbbalance"] == 501.5
    for commands, message in (
        ('{"top_up": "x"}', "must be an amount"),
        ("[1]", 'must be a JSON object such as {"top_up": "50"}, got [1]'),
    ):
        failed = subprocess.run([*program, commands], capture_output=True, text=True, check=False)
        assert (failed.returncode, failed.stdout) == (1, "")
        assert message in failed.stderr
        assert "Traceback" not in failed.stderr


def test_internal_error_returns_500_and_is_logged_without_secrets(client, monkeypatch, caplog):
    monkeypatch.setattr(client.farm._simulation, "create", lambda *_: 1 / 0)
    code, message = client.call_refused(CREATE)
    assert (code, message) == (500, "Internal error of the farm: see its log")
    assert "ZeroDivisionError" in caplog.text
    assert client.farm.connection()["password"] not in caplog.text
    assert client.request(PROFILE)["code"] == 200
