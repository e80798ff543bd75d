"""A hostile response of each class to renders that wait in a real Airflow: all succeed, and are paid once."""

from __future__ import annotations

import json
import re
import shlex
import time
from pathlib import Path

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.farm import ManualClock
from dev.harness.embedded_farm import StockedFarm
from dev.reliability.http_proxy import HttpProxies
from tests.airflow.real_airflow import instances, real_airflow, wait_for_final_state
from tests.airflow_version import LINE
from tests.dags.hostile_farm import DEFERRED, WAITING
from tests.farm.raw_client import LIST, RawClient
from tests.fuzz.hostile_responses import hostile_task_responses
from tests.readme import README

pytestmark = [
    pytest.mark.dag_runs,
    pytest.mark.skipif(LINE < (3, 3), reason="starts a real Airflow, the newest"),
]

ROOT = Path(__file__).parents[2]
TIMEOUT = 300  # seconds
FINISHED = 25
COST = 0.01
# After an HTTP 404 it goes to another of its paths.
QUERY = calls.query_task_info([1])


class HostileResponses:
    """The rule of a proxy: once armed, every second query for tasks gets a hostile response instead."""

    def __init__(self):
        self.armed = False
        self.sent = []
        self._last_body = b""
        self._responses = hostile_task_responses(lambda: self._last_body)
        self._is_turn = False
        self.is_done = False

    def __call__(self, request, forward):
        if request.path not in QUERY.paths or not self.armed or self.is_done:
            return forward()
        self._is_turn = not self._is_turn
        if self._is_turn:
            # The tasks that this very request is for, so that the changed response is one to it.
            self._last_body = forward().body
            name, pieces = next(self._responses, (None, ()))
            if name is not None:
                self.sent.append(name)
                return pieces
            self.is_done = True
        return forward()


def readme_extra():
    """The extra of the connection that the README adds."""
    (command,) = re.findall(r"^(airflow connections add .*?)\n```", README, re.MULTILINE | re.DOTALL)
    arguments = shlex.split(command.replace("\\\n", ""))
    return json.loads(arguments[arguments.index("--conn-extra") + 1])


class HostileRun:
    """A DAG run whose renders met the hostile responses."""

    def __init__(self, farm, airflow, rules):
        self.farm, self.airflow, self.rules = farm, airflow, rules
        airflow.unpause("hostile_farm")
        airflow.trigger("hostile_farm", "run")
        self._wait("all renders to wait", self._all_wait)
        for rule in rules.values():
            rule.armed = True
        self._wait("all responses", lambda: all(rule.is_done for rule in rules.values()))
        farm.advance(3600)
        self.state = wait_for_final_state(airflow, "hostile_farm", "run", TIMEOUT)
        self.instances = instances(airflow, "hostile_farm", "run")

    def log(self, name):
        """The log of a task, also of its triggers."""
        path = self.airflow.task_log(self.instances[name])
        return "".join(log.read_text() for log in sorted(path.parent.glob(f"{path.name}*")))

    def _all_wait(self):
        states = {
            name: item["state"] for name, item in instances(self.airflow, "hostile_farm", "run").items()
        }
        waits = {**dict.fromkeys(DEFERRED, "deferred"), **dict.fromkeys(WAITING, "running")}
        return states == waits and self.farm.request_counts["submit_task"] == len(waits)

    def _wait(self, what, condition):
        self.airflow.programs.wait_until(what, condition, TIMEOUT, interval=0.5)


@pytest.fixture(scope="module")
def run(set_up_once, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    rules = {"deferred": HostileResponses(), "waiting": HostileResponses()}
    scenario = {"pictures": False, "renders": [{"scene": "*", "cost": str(COST), "seconds": [60, 60]}]}
    with (
        StockedFarm(folder / "farm", ManualClock(time.time()), scenario=scenario) as farm,
        HttpProxies() as proxies,
    ):
        connection = farm.connection()
        connections = {
            conn_id: {**connection, "port": proxies.open(farm.address, rule)}
            for conn_id, rule in rules.items()
        }
        connections["waiting"]["extra"] = readme_extra()
        dag = ROOT / "tests" / "dags" / "hostile_farm.py"
        with real_airflow(folder / "airflow", [dag], connections, PYTHONPATH=str(ROOT)) as airflow:
            yield HostileRun(farm, airflow, rules)


def test_hostile_responses_of_each_class_were_sent(run):
    names = [name for name, _ in hostile_task_responses(lambda: b'{"data": {"items": []}}')]
    assert all(rule.sent == names for rule in run.rules.values())


def test_renders_with_hostile_responses_succeed_in_first_try(run):
    ends = {name: (item["state"], item["try_number"]) for name, item in run.instances.items()}
    assert ends == dict.fromkeys((*DEFERRED, *WAITING), ("success", 1)), run.log(DEFERRED[0])
    assert run.state == "success"


def test_renders_with_hostile_responses_are_paid_once(run):
    items = RawClient(run.farm).call(LIST, pageSize=100)["items"]
    renders = {item["sceneName"]: (item["taskStatus"], item["couponConsume"]) for item in items}
    assert renders == {f"{name}.hip": (FINISHED, 4 * COST) for name in (*DEFERRED, *WAITING)}
    counts = {call: run.farm.request_counts[call] for call in ("create_task", "submit_task", "stop_task")}
    assert counts == {"create_task": 4, "submit_task": 4, "stop_task": 0}


@pytest.mark.parametrize("name", [*DEFERRED, *WAITING])
def test_log_of_each_task_says_that_polls_fail_and_work_again(run, name):
    log = run.log(name)
    assert "poll failed, polling continues" in log
    assert "polling works again after" in log


def test_logs_hold_nothing_that_forges_lines_or_has_no_end(run):
    for name in (*DEFERRED, *WAITING):
        messages = [json.loads(line)["event"] for line in run.log(name).splitlines()]
        assert [message for message in messages if not message.isprintable() or len(message) > 1000] == []
