import base64
import json
import subprocess
import sys

import pytest

from airflow_provider_renderbus.farm.calls import ROUTES
from dev.reliability.crash import points_of
from dev.reliability.http_proxy import REFUSED, Answer, Request
from dev.reliability.process_killer import AFTER, BEFORE, END, POLL, Life, Point, Reaper, Step


def request(path, method="POST", body=b"{}", headers=None):
    return Request(1, method, path, headers or {}, body)


def answer(content):
    return Answer(200, (), json.dumps(content).encode())


class Forward:
    """The way to the server, which counts what goes it."""

    def __init__(self, content=None):
        self.gone = 0
        self.content = content or {"data": None}

    def __call__(self):
        self.gone += 1
        return answer(self.content)


@pytest.fixture
def process():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as running:
        yield running
        running.kill()


@pytest.fixture
def create_path():
    return next(path for path, call in ROUTES.items() if call.__name__ == "create_task")


@pytest.mark.parametrize(("moment", "goes_on"), [(BEFORE, 0), (AFTER, 1)])
def test_a_process_is_killed_at_its_point(process, create_path, moment, goes_on):
    life, forward = Life(Point(Step("create_task", 2), moment), process.pid), Forward()
    rule = Reaper(lambda instance: None).rule_of(life)
    rule(request(create_path), forward)
    assert process.poll() is None
    came = rule(request(create_path), forward)
    assert process.wait() == -9
    assert forward.gone == 1 + goes_on
    assert (came == REFUSED) is (moment == BEFORE)


def test_it_is_killed_once(create_path):
    struck = []
    life = Life(Point(Step(POLL, 1), BEFORE))
    rule = Reaper(lambda instance: None, lambda life: struck.append(life) or False).rule_of(life)
    for _ in range(3):
        rule(request(create_path), Forward())
    life.seen.clear()
    rule(request(create_path), Forward())
    assert struck == [life]


def test_the_end_of_a_wait_is_known_by_its_answer(create_path):
    struck = []
    life = Life(Point(Step(POLL, 0), END))
    rule = Reaper(lambda instance: None, lambda life: struck.append(len(life.steps)) or True).rule_of(life)
    for status in (0, 5, 25):
        rule(request(create_path), Forward({"data": {"items": [{"taskStatus": status}]}}))
    assert struck == [3]


def test_what_a_worker_asks_of_airflow_is_a_step():
    life = Life()
    reaper = Reaper({"an-instance": life}.get)
    payload = base64.urlsafe_b64encode(json.dumps({"sub": "an-instance"}).encode()).decode().rstrip("=")
    headers = {"Authorization": f"Bearer head.{payload}.signature"}
    instance = "01a204a1-eeb8-763f-9ecd-2fbb6ad54ed8"

    def ask(method, path, **body):
        reaper.workers(request(f"/execution{path}", method, json.dumps(body).encode(), headers), Forward())

    ask("PATCH", f"/task-instances/{instance}/run", pid=17)
    assert (life.pid, life.runs) == (17, 1)
    ask("PUT", f"/task-instances/{instance}/heartbeat")
    ask("PUT", f"/task-instances/{instance}/rtif")
    ask("GET", f"/store/ti/{instance}/renderbus_render")
    ask("PUT", f"/store/ti/{instance}/renderbus_render")
    ask("POST", "/xcoms/dag/run/task/return_value?map_index=3")
    ask("PATCH", f"/task-instances/{instance}/state", state="success")
    assert life.pid is None
    assert [str(step) for step in life.steps] == [
        "write task's rendered fields",
        "read task state renderbus_render",
        "write task state renderbus_render",
        "write XCom return_value",
        "tell Airflow: success",
    ]


def test_points_are_before_and_after_each_step():
    steps = [Step("create_task", 1), Step("submit_task", 1), *(Step("look", nth) for nth in range(1, 6))]
    points = list(points_of(steps))
    assert points[:4] == [Point(step, moment) for step in steps[:2] for moment in (BEFORE, AFTER)]
    assert points[4:] == [
        *(Point(Step("look", nth), moment) for nth in (1, 2) for moment in (BEFORE, AFTER)),
        Point(Step("look", 0), END),
    ]
