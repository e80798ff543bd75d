"""Behavior of renders by scenario: refused, crashing, reported as another state."""

from __future__ import annotations

from airflow_provider_renderbus.farm.pictures.task_json import NO_JOB
from airflow_provider_renderbus.farm.simulation.scenario import Scenario
from airflow_provider_renderbus.farm.simulation.tasks import TaskState
from tests.farm.raw_client import FILES, START, SUBMIT, UPLOAD, job

LONG = 100_000


def test_submit_with_blocking_error_in_tips_refuses(open_client):
    client = open_client(findings={"777": {"type": 1, "blocking": False}, "778": {"text": "缺少相机"}})
    task_id = client.create()
    client.upload(task_id, job())
    for code, is_blocking in (
        ("15000", True),
        ("778", True),
        ("777", False),
        ("35001", False),
        ("no such", False),
    ):
        client.call(
            UPLOAD,
            taskId=task_id,
            fileName="tips.json",
            content=f'{{"{code}": "x"}}',
        )
        if is_blocking:
            error, message = client.call_refused(SUBMIT, taskId=task_id)
            assert error == 600
            assert code in message
        else:
            client.call(SUBMIT, taskId=task_id)
            task_id = client.create()
            client.upload(task_id, job())


def test_crashing_scene_fails_before_first_frame(open_client):
    client = open_client(renders=[{"crashes": 1}])
    task_id = client.submit()
    client.farm.advance(LONG)
    assert (client.task_state(task_id), client.task_info(task_id)["renderConsume"]) == (45, 0)
    client.call(START, taskIds=[task_id])
    client.farm.advance(LONG)
    assert client.task_state(task_id) == 25
    assert client.call(FILES, taskId=task_id, treePath="/")


def test_states_are_reported_as_scenario_says(open_client):
    client = open_client(renders=[{"scene": "sh01?", "reported_as": {"0": 50, "5": 100, "25": 99}}])
    task_id, other = client.submit(), client.submit(job("sh020.blend"))
    states = []
    for seconds in (0, 60, LONG):
        client.farm.advance(seconds)
        states.append((client.task_state(task_id), client.task_state(other)))
    assert states == [(50, 0), (100, 5), (99, 25)]


def test_default_scenario_reports_only_states_known_to_vendor_client():
    reported = {Scenario().reported_state(NO_JOB, state) for state in TaskState}
    assert reported == {0, 5, 8, 10, 20, 23, 25, 30, 35, 40, 45}
