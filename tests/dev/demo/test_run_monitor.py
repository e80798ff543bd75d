from __future__ import annotations

from types import SimpleNamespace

from airflow_provider_renderbus.api.models.tasks import TaskInfo
from dev.demo.nightly_expectations import CONTACT_SHEET, DAG_ID, RENDER
from dev.demo.run_monitor import RunMonitor

RUN = {
    "dag_run_id": "scheduled__1",
    "run_type": "scheduled",
    "run_after": "2026-11-22T02:00:00Z",
    "start_date": "2026-11-22T16:00:00Z",
}
TASK_ID = 35_000_001


class FakeAirflow:
    """Answers like Airflow's REST API, with another state of the run at each poll."""

    def __init__(self, *polls, other_runs=()):
        self.polls = list(polls)
        self.other_runs = list(other_runs)
        self.read = []

    def get(self, path, **parameters):
        self.read.append(path)
        if path.endswith("/dagRuns"):
            state, self.created = self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]
            return {"dag_runs": [{**RUN, "state": state}, *self.other_runs] if state else []}
        if path.endswith("/taskInstances"):
            return {
                "task_instances": [
                    {"task_id": RENDER, "map_index": 0, "state": self.created},
                    {"task_id": CONTACT_SHEET, "map_index": -1, "state": "success"},
                ]
            }
        assert path.endswith(f"/{RENDER}/xcomEntries/return_value")
        assert parameters == {"map_index": 0}
        return {"value": TASK_ID}


class FakeFarm:
    """Has one task, with another answer at each poll."""

    def __init__(self, *polls):
        self.polls = list(polls)

    def send(self, call):
        if call.name == "get_task_list":
            return SimpleNamespace(items=[TaskInfo(TASK_ID, 0)])
        assert call.name == "query_task_info"
        return {TASK_ID: self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]}


def monitor(airflow, farm):
    return RunMonitor(airflow, farm, DAG_ID, (RENDER,), sleep=lambda seconds: None)


def task(done, status=5, scene="sh010.blend"):
    return TaskInfo(TASK_ID, status, scene_name=scene, total_frames=24, done_frames=done)


def test_run_monitor_changes_are_yielded_once():
    airflow = FakeAirflow(
        (None, None), ("queued", None), *[("running", "success")] * 4, ("success", "success")
    )
    farm = FakeFarm(task(0, 0, scene=None), task(3), task(3), task(9), task(24, 25))

    changes = [[str(shot).split() for shot in shots] for shots in monitor(airflow, farm).changes()]

    task_id = str(TASK_ID)
    assert changes == [
        [],
        [],
        [["sh010", task_id, "rendering", "3/24", "0.00"]],
        [],
        [["sh010", task_id, "rendering", "9/24", "0.00"]],
        [["sh010", task_id, "finished", "24/24", "0.00"]],
        [],
    ]


def test_run_monitor_result_holds_states_return_values_and_tasks():
    run = monitor(FakeAirflow(("success", "success")), FakeFarm(task(24, 25)))
    list(run.changes())

    result = run.result()

    assert result.state == "success"
    assert {key: value["state"] for key, value in result.instances.items()} == {
        (RENDER, 0): "success",
        (CONTACT_SHEET, -1): "success",
    }
    assert result.return_values == {(RENDER, 0): TASK_ID}
    assert result.tasks == {TASK_ID: task(24, 25)}
    assert result.other_runs == ()


def test_run_monitor_other_runs_exclude_the_next_nights():
    manual = {**RUN, "dag_run_id": "manual__1", "run_type": "manual", "state": "queued"}
    tonight = {**RUN, "dag_run_id": "scheduled__2", "run_after": "2026-11-23T02:00:00Z", "state": "queued"}
    run = monitor(FakeAirflow(("success", None), other_runs=[manual, tonight]), FakeFarm(task(0)))
    list(run.changes())
    assert run.result().other_runs == ("manual__1 (queued)",)
