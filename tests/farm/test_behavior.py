"""How renders go when the scenario says so: refused, broken, shown as another state."""

from __future__ import annotations

from airflow_provider_renderbus.farm.pictures.task_json import NO_JOB
from airflow_provider_renderbus.farm.simulation.scenario import Scenario
from airflow_provider_renderbus.farm.simulation.tasks import TaskState
from tests.farm.raw_client import FILES, START, SUBMIT, UPLOAD, job

LONG = 100_000


def test_tips_with_an_enforced_error_refuse_the_task(opened):
    caller = opened(findings={"777": {"type": 1, "blocking": False}, "778": {"text": "缺少相机"}})
    number = caller.create()
    caller.upload(number, job())
    for code, refused in (
        ("15000", True),
        ("778", True),
        ("777", False),
        ("35001", False),
        ("no such", False),
    ):
        caller.call(
            UPLOAD,
            taskId=number,
            fileName="tips.json",
            content=f'{{"{code}": "x"}}',
        )
        if refused:
            answer = caller.refused(SUBMIT, taskId=number)
            assert answer[0] == 600
            assert code in answer[1]
        else:
            caller.call(SUBMIT, taskId=number)
            number = caller.create()
            caller.upload(number, job())


def test_a_scene_that_breaks_down_fails_before_its_first_frame(opened):
    caller = opened(renders=[{"crashes": 1}])
    number = caller.submit()
    caller.farm.advance(LONG)
    assert (caller.status(number), caller.info(number)["renderConsume"]) == (45, 0)
    caller.call(START, taskIds=[number])
    caller.farm.advance(LONG)
    assert caller.status(number) == 25
    assert caller.call(FILES, taskId=number, treePath="/")


def test_states_are_shown_as_the_scenario_says(opened):
    caller = opened(renders=[{"scene": "sh01?", "reported_as": {"0": 50, "5": 100, "25": 99}}])
    number, other = caller.submit(), caller.submit(job("sh020.blend"))
    seen = []
    for seconds in (0, 60, LONG):
        caller.farm.advance(seconds)
        seen.append((caller.status(number), caller.status(other)))
    assert seen == [(50, 0), (100, 5), (99, 25)]


def test_only_the_states_that_the_vendors_client_knows_are_shown_by_default():
    shown = {Scenario().reported_state(NO_JOB, state) for state in TaskState}
    assert shown == {0, 5, 8, 10, 20, 23, 25, 30, 35, 40, 45}
