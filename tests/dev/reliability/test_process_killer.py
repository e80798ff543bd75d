import base64
import json
import subprocess
import sys

import pytest

from airflow_provider_renderbus.farm.calls import ROUTES
from dev.reliability.http_proxy import REFUSED, Request, Response
from dev.reliability.process_killer import (
    AFTER,
    BEFORE,
    END,
    POLL,
    KillPoint,
    ProcessKiller,
    ProcessTrace,
    Step,
    kill_points,
)


def request(path, method="POST", body=b"{}", headers=None):
    return Request(method, path, headers or {}, body)


def response(content):
    return Response(200, (), json.dumps(content).encode())


class Forward:
    """Forwards to a server, and counts."""

    def __init__(self, content=None):
        self.count = 0
        self.content = content or {"data": None}

    def __call__(self):
        self.count += 1
        return response(self.content)


@pytest.fixture
def process():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as running:
        yield running
        running.kill()


@pytest.fixture
def create_path():
    return next(path for path, call in ROUTES.items() if call.__name__ == "create_task")


@pytest.mark.parametrize(("moment", "forwarded"), [(BEFORE, 0), (AFTER, 1)])
def test_process_killer_kills_a_process_at_its_point(process, create_path, moment, forwarded):
    trace, forward = ProcessTrace(KillPoint(Step("create_task", 2), moment), process.pid), Forward()
    rule = ProcessKiller(lambda instance: None).farm_rule(trace)
    rule(request(create_path), forward)
    assert process.poll() is None
    result = rule(request(create_path), forward)
    assert process.wait() == -9
    assert forward.count == 1 + forwarded
    assert (result == REFUSED) is (moment == BEFORE)


def test_process_killer_kills_once(create_path):
    killed = []
    trace = ProcessTrace(KillPoint(Step(POLL, 1), BEFORE))
    rule = ProcessKiller(lambda instance: None, lambda trace: killed.append(trace) or False).farm_rule(trace)
    for _ in range(3):
        rule(request(create_path), Forward())
    trace.counts.clear()
    rule(request(create_path), Forward())
    assert killed == [trace]


def test_process_killer_end_point_is_the_response_that_reports_the_end(create_path):
    killed = []
    trace = ProcessTrace(KillPoint(Step(POLL, 0), END))
    rule = ProcessKiller(
        lambda instance: None, lambda trace: killed.append(len(trace.steps)) or True
    ).farm_rule(trace)
    for status in (0, 5, 25):
        rule(request(create_path), Forward({"data": {"items": [{"taskStatus": status}]}}))
    assert killed == [3]


def test_process_killer_request_of_a_worker_to_airflow_is_a_step():
    trace = ProcessTrace()
    killer = ProcessKiller({"an-instance": trace}.get)
    payload = base64.urlsafe_b64encode(json.dumps({"sub": "an-instance"}).encode()).decode().rstrip("=")
    headers = {"Authorization": f"Bearer head.{payload}.signature"}
    instance = "01a204a1-eeb8-763f-9ecd-2fbb6ad54ed8"

    def send(method, path, **body):
        killer.worker_rule(
            request(f"/execution{path}", method, json.dumps(body).encode(), headers), Forward()
        )

    send("PATCH", f"/task-instances/{instance}/run", pid=17)
    assert (trace.pid, trace.runs) == (17, 1)
    send("PUT", f"/task-instances/{instance}/heartbeat")
    send("PUT", f"/task-instances/{instance}/rtif")
    send("GET", f"/store/ti/{instance}/renderbus_render")
    send("PUT", f"/store/ti/{instance}/renderbus_render")
    send("POST", "/xcoms/dag/run/task/return_value?map_index=3")
    send("PATCH", f"/task-instances/{instance}/state", state="success")
    assert trace.pid is None
    assert [str(step) for step in trace.steps] == [
        "write task's rendered fields",
        "read task state renderbus_render",
        "write task state renderbus_render",
        "write XCom return_value",
        "report to Airflow: success",
    ]


def test_kill_points_are_before_and_after_each_step():
    steps = [Step("create_task", 1), Step("submit_task", 1), *(Step("poll", nth) for nth in range(1, 6))]
    points = list(kill_points(steps))
    assert points[:4] == [KillPoint(step, moment) for step in steps[:2] for moment in (BEFORE, AFTER)]
    assert points[4:] == [
        *(KillPoint(Step("poll", nth), moment) for nth in (1, 2) for moment in (BEFORE, AFTER)),
        KillPoint(Step("poll", 0), END),
    ]
