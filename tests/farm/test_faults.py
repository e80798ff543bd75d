"""What goes wrong on demand, in a scenario, at run time and from another process."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection, RemoteDisconnected

import pytest

from airflow_provider_renderbus.farm import Farm, ManualClock, control
from airflow_provider_renderbus.farm.simulation.faults import FAULT_KINDS, ConnectionDropped
from tests.farm.raw_client import CREATE, INFO, PROFILE, SUBMIT, RawClient, job, post


def sent(client, path=PROFILE, body=None):
    body = body or {}
    return client.farm.handle(path, client.sign(path, body), json.dumps(body).encode())


def test_a_status_is_no_envelope_and_can_say_when_to_come_again(client):
    client.farm.inject("status", status=429, retry_after="7", times=1)
    status, headers, body = sent(client, CREATE)
    assert (status, headers["Retry-After"]) == (429, "7")
    assert b"{" not in body
    assert client.create() == 35000001


def test_a_call_can_be_carried_out_nevertheless(client):
    for fault in ("status", "html", "code"):
        client.farm.inject(fault, executes_call=True, times=1)
        sent(client, CREATE)
    assert client.create() == 35000004


def test_a_page_comes_in_place_of_an_answer(client):
    client.farm.inject("html")
    status, headers, body = sent(client)
    assert (status, headers["Content-Type"]) == (200, "text/html")
    assert body.startswith(b"<html>")


@pytest.mark.parametrize(("effect", "next_number"), [(False, 35000001), (True, 35000002)])
def test_the_connection_is_dropped_before_or_after_the_call_took_effect(client, effect, next_number):
    client.farm.inject("drop", executes_call=effect, times=1, calls=["create_task"])
    with pytest.raises(ConnectionDropped):
        sent(client, CREATE)
    assert client.create() == next_number


def test_a_dropped_connection_is_seen_as_such_over_http(client, capfd):
    client.farm.inject("drop", times=1)
    with closing(HTTPConnection(client.farm.address, timeout=30)) as http:
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            post(http, PROFILE, client.sign(PROFILE, {}), b"{}")
        assert post(http, PROFILE, client.sign(PROFILE, {}), b"{}")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_half_an_answer_comes(client):
    whole = len(sent(client)[2])
    client.farm.inject("cut")
    body = sent(client)[2]
    assert whole // 2 - 1 <= len(body) <= whole // 2 + 1
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_a_code_comes_in_an_envelope(client):
    client.farm.inject("code", times=1)
    client.farm.inject("code", code=513, message="失败", after=1)
    for code, message in ((1000, "fault"), (513, "失败")):
        answer = json.loads(sent(client)[2])
        assert (answer["code"], answer["message"], answer["result"], answer["data"]) == (
            code,
            message,
            False,
            None,
        )


def test_fields_are_missing_or_of_another_type(client):
    number = client.create()

    def told():
        return json.loads(sent(client, INFO, {"taskIds": [number]})[2])

    client.farm.inject("missing", fields=["taskStatus", "serverTime"], times=1)
    answer = told()
    assert "serverTime" not in answer
    assert "taskStatus" not in answer["data"]["items"][0]
    client.farm.inject("types", fields=["taskStatus", "sceneName"], times=1)
    (item,) = told()["data"]["items"]
    assert (item["taskStatus"], item["sceneName"]) == ({"value": 0}, [""])
    client.farm.inject("types", times=1)
    assert isinstance(told()["data"], list)
    assert told()["data"]["items"][0]["taskStatus"] == 0


def test_an_unknown_state_is_shown(client):
    number = client.create()
    client.farm.inject("state", state=99, calls=["query_task_*"], times=1)
    assert [client.task_state(number) for _ in "ab"] == [99, 0]


@pytest.mark.parametrize("ahead", [{}, {"seconds": 1000}, {"seconds": -1000}])
def test_the_clock_of_the_farm_goes_wrong(client, ahead):
    client.farm.inject("clock", **ahead)
    answer = client.request(PROFILE)
    assert answer["code"] == 610
    assert client.request(PROFILE, UTCTimestamp=str(answer["serverTime"] // 1000))["code"] == 200


@pytest.mark.parametrize("effect", [False, True])
def test_an_answer_comes_late(client, effect, monkeypatch):
    client.farm.inject("delay", seconds=2.5, executes_call=effect, times=1)
    seen = []
    monkeypatch.setattr(
        client.farm._closing,
        "wait",
        lambda seconds: seen.append((seconds, len(client.farm._simulation.tasks))),
    )
    client.create()
    assert seen == ([(0, 0), (2.5, 1)] if effect else [(2.5, 0), (0, 1)])


def test_faults_strike_chosen_calls_so_often(client):
    client.farm.inject("status", calls=["submit_*", "create_task"], after=1, times=2)
    assert [sent(client, CREATE)[0] for _ in range(4)] == [200, 503, 503, 200]
    client.farm.inject("status", calls=["submit_task"])
    assert [sent(client, path)[0] for path in (PROFILE, SUBMIT)] == [200, 503]
    client.farm.clear_faults()
    assert sent(client, SUBMIT)[0] == 200


def test_a_seed_repeats_what_chance_decides(tmp_path):
    runs = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        scenario = {"faults": [{"fault": "status", "probability": 0.3, "seed": seed}]}
        with closing(Farm(tmp_path / name, ManualClock(), scenario=scenario)) as farm:
            runs.append([sent(RawClient(farm))[0] for _ in range(100)])
    assert runs[0] == runs[1] != runs[2]
    assert 15 < runs[0].count(503) < 45


@pytest.mark.parametrize("kind", sorted(set(FAULT_KINDS) - {"restart"}))
def test_the_farm_lives_on_after_every_fault(client, kind):
    client.farm.inject(kind, times=1, seconds=0)
    try:
        sent(client, CREATE)
    except ConnectionDropped:
        assert kind == "drop"
    assert client.create() in {35000001, 35000002}


@pytest.mark.parametrize(
    "kinds", [*itertools.product(sorted(set(FAULT_KINDS) - {"restart"}), repeat=2)], ids="+".join
)
def test_two_faults_strike_one_request(client, kinds):
    for kind in kinds:
        client.farm.inject(kind, times=1, seconds=0)
    if "drop" in kinds:
        with pytest.raises(ConnectionDropped):
            sent(client, CREATE)
    else:
        sent(client, CREATE)
    assert client.request(PROFILE)["code"] == 200


@pytest.mark.parametrize(
    ("fault", "how", "message"),
    [
        ("restart", {}, "only the farm as a program"),
        ("fire", {}, "fault: must be one of status, html, .*, got 'fire'"),
        ("status", {"status": 99}, "status: must be an integer from 200 to 599, got 99"),
        ("drop", {"often": 1}, "fault: keys must be among .*, got 'often'"),
        ("drop", {"calls": "all"}, "calls: must be a list of strings, got 'all'"),
        ("drop", {"probability": 2}, "probability: must be a number from 0 to 1, got 2"),
    ],
)
def test_a_wrong_fault_is_told(client, fault, how, message):
    with pytest.raises(ValueError, match=message):
        client.farm.inject(fault, **how)


def test_orders_come_from_another_process_with_the_accounts_key(client):
    connection = client.farm.connection()
    number = client.submit(job())
    orders = {"inject": {"fault": "code", "times": 1, "calls": ["query_*"]}, "top_up": "50", "advance": 60}
    told = control.send_command(connection, orders)
    assert (told["now"], told["request_counts"]["submit_task"]) == (60, 1)
    assert client.request(PROFILE)["code"] == 1000
    assert client.call(PROFILE)["rmbbalance"] == 550
    assert client.task_state(number) == 5
    control.send_command(connection, {"inject": {"fault": "code"}})
    control.send_command(connection, {"clear_faults": True})
    assert client.task_state(number) == 5
    with pytest.raises(ValueError, match="signature is invalid"):
        control.send_command({**connection, "password": "wrong"}, {"top_up": "50"})
    for orders in (
        {"burn": 1},
        {"inject": {"fault": "fire"}},
        {"inject": 1},
        {"top_up": 1.5},
        {"advance": "x"},
    ):
        with pytest.raises(ValueError, match="refused the command"):
            control.send_command(connection, orders)


def test_orders_can_be_given_by_hand(client, tmp_path):
    command = [
        sys.executable,
        "-m",
        "airflow_provider_renderbus.farm.control",
        "--storage",
        str(tmp_path / "farm"),
    ]
    given = subprocess.run([*command, '{"top_up": "1.5"}'], capture_output=True, text=True, check=True)
    assert json.loads(given.stdout)["now"] == 0
    assert client.call(PROFILE)["rmbbalance"] == 501.5
    for orders, message in (
        ('{"top_up": "x"}', "must be an amount"),
        ("[1]", 'must be a JSON object such as {"top_up": "50"}, got [1]'),
    ):
        wrong = subprocess.run([*command, orders], capture_output=True, text=True, check=False)
        assert (wrong.returncode, wrong.stdout) == (1, "")
        assert message in wrong.stderr
        assert "Traceback" not in wrong.stderr


def test_a_call_that_fails_in_the_farm_is_told_and_logged_without_secrets(client, monkeypatch, caplog):
    monkeypatch.setattr(client.farm._simulation, "create", lambda *_: 1 / 0)
    code, message = client.call_refused(CREATE)
    assert (code, message) == (500, "Internal error of the farm: see its log")
    assert "ZeroDivisionError" in caplog.text
    assert client.farm.connection()["password"] not in caplog.text
    assert client.request(PROFILE)["code"] == 200
