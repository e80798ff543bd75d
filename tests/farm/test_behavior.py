"""How renders go when the scenario says so: refused, broken, shown as another state."""

from __future__ import annotations

from airflow_provider_renderbus.farm.pictures.task_json import NO_JOB
from airflow_provider_renderbus.farm.simulation.scenario import Scenario
from airflow_provider_renderbus.farm.simulation.tasks import TaskState
from tests.farm.raw_client import FILES, START, SUBMIT, UPLOAD, job

LONG = 100_000


def test_tips_with_an_enforced_error_refuse_the_task(open_client):
    client = open_client(findings={"777": {"type": 1, "blocking": False}, "778": {"text": "缺少相机"}})
    number = client.create()
    client.upload(number, job())
    for code, refused in (
        ("15000", True),
        ("778", True),
        ("777", False),
        ("35001", False),
        ("no such", False),
    ):
        client.call(
            UPLOAD,
            taskId=number,
            fileName="tips.json",
            content=f'{{"{code}": "x"}}',
        )
        if refused:
            answer = client.call_refused(SUBMIT, taskId=number)
            assert answer[0] == 600
            assert code in answer[1]
        else:
            client.call(SUBMIT, taskId=number)
            number = client.create()
            client.upload(number, job())


def test_a_scene_that_breaks_down_fails_before_its_first_frame(open_client):
    client = open_client(renders=[{"crashes": 1}])
    number = client.submit()
    client.farm.advance(LONG)
    assert (client.task_state(number), client.task_info(number)["renderConsume"]) == (45, 0)
    client.call(START, taskIds=[number])
    client.farm.advance(LONG)
    assert client.task_state(number) == 25
    assert client.call(FILES, taskId=number, treePath="/")


def test_states_are_shown_as_the_scenario_says(open_client):
    client = open_client(renders=[{"scene": "sh01?", "reported_as": {"0": 50, "5": 100, "25": 99}}])
    number, other = client.submit(), client.submit(job("sh020.blend"))
    seen = []
    for seconds in (0, 60, LONG):
        client.farm.advance(seconds)
        seen.append((client.task_state(number), client.task_state(other)))
    assert seen == [(50, 0), (100, 5), (99, 25)]


def test_only_the_states_that_the_vendors_client_knows_are_shown_by_default():
    shown = {Scenario().reported_state(NO_JOB, state) for state in TaskState}
    assert shown == {0, 5, 8, 10, 20, 23, 25, 30, 35, 40, 45}
