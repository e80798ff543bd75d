from __future__ import annotations

import pytest

from airflow_provider_renderbus.api.models.tasks import TaskInfo
from dev.demo.nightly_expectations import CREATE, UPLOAD
from dev.demo.run_monitor import Follower

RUN = {
    "dag_run_id": "scheduled__1",
    "run_type": "scheduled",
    "run_after": "2026-11-22T02:00:00Z",
    "start_date": "2026-11-22T16:00:00Z",
}
NUMBER = 35_000_001


class Airflow:
    """Answers as Airflow's REST API would, a state of the run at each look."""

    def __init__(self, *looks, beside=()):
        self.looks = list(looks)
        self.beside = list(beside)
        self.read = []

    def get(self, path, **parameters):
        self.read.append(path)
        if path.endswith("/dagRuns"):
            state, self.created = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
            return {"dag_runs": [{**RUN, "state": state}, *self.beside] if state else []}
        if path.endswith("/taskInstances"):
            return {
                "task_instances": [
                    {"task_id": CREATE, "map_index": 0, "state": self.created},
                    {"task_id": UPLOAD, "map_index": 0, "state": "success"},
                ]
            }
        assert path.endswith(f"/{CREATE}/xcomEntries/return_value")
        assert parameters == {"map_index": 0}
        return {"value": NUMBER}


class Renderfarm:
    """Answers what it is asked of a task, another answer at each look."""

    def __init__(self, *looks):
        self.looks = list(looks)

    def send(self, call):
        assert call.name == "query_task_info"
        return {NUMBER: self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]}


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr("dev.demo.run_monitor._PAUSE", 0)


def task(done, status=5, scene="sh010.blend"):
    return TaskInfo(NUMBER, status, scene_name=scene, total_frames=24, done_frames=done)


def test_each_change_of_a_shot_is_told_once():
    airflow = Airflow((None, None), ("queued", None), *[("running", "success")] * 4, ("success", "success"))
    farm = Renderfarm(task(0, 0, scene=None), task(3), task(3), task(9), task(24, 25))

    told = [[str(shot).split() for shot in changed] for changed in Follower(airflow, farm).follow()]

    number = str(NUMBER)
    assert told == [
        [],
        [],
        [],
        [["sh010", number, "rendering", "3/24", "0.00"]],
        [],
        [["sh010", number, "rendering", "9/24", "0.00"]],
        [["sh010", number, "finished", "24/24", "0.00"]],
    ]


def test_the_result_holds_states_returns_and_the_farms_tasks():
    follower = Follower(Airflow(("success", "success")), Renderfarm(task(24, 25)))
    list(follower.follow())

    result = follower.result()

    assert result.state == "success"
    assert {key: value["state"] for key, value in result.instances.items()} == {
        (CREATE, 0): "success",
        (UPLOAD, 0): "success",
    }
    assert result.returned == {(CREATE, 0): NUMBER}
    assert result.tasks == {NUMBER: task(24, 25)}
    assert result.others == ()


def test_a_run_that_somebody_made_beside_is_told_but_not_the_next_nights():
    manual = {**RUN, "dag_run_id": "manual__1", "run_type": "manual", "state": "queued"}
    tonight = {**RUN, "dag_run_id": "scheduled__2", "run_after": "2026-11-23T02:00:00Z", "state": "queued"}
    follower = Follower(Airflow(("success", None), beside=[manual, tonight]), Renderfarm(task(0)))
    list(follower.follow())
    assert follower.result().others == ("manual__1 (queued)",)
