"""What somebody has stopped between two tries is restarted only if a user asks for it by a clear."""

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.compat import AirflowFailException
from airflow_provider_renderbus.operators import RenderbusSubmitTaskOperator
from airflow_provider_renderbus.renders.restart import is_halted
from airflow_provider_renderbus.sensors import RenderbusTaskSensor
from tests.airflow.airflow_task import start_render
from tests.airflow.context import context
from tests.airflow.run_to_completion import STEP

pytestmark = pytest.mark.usefixtures("connection")

MANUAL = {"user": "by the user", "administrator": "by an administrator", "client": "in the vendor's client"}


@pytest.mark.parametrize(("by", "meaning"), MANUAL.items())
def test_render_retry_leaves_manual_stop(by, meaning, airflow_task, farm, state):
    render_task_id = start_render(airflow_task)
    farm.stop(render_task_id, by)
    with pytest.raises(AirflowFailException, match=f"stop type: {meaning}"):
        airflow_task.try_once()
    assert state(render_task_id) == "STOP"
    assert not farm.request_counts["start_task"]


@pytest.mark.parametrize("by", MANUAL)
def test_render_cleared_after_manual_stop_restarts(by, airflow_task, farm, submitted_ids):
    render_task_id = start_render(airflow_task)
    farm.stop(render_task_id, by)
    airflow_task.clear()
    assert airflow_task.try_once()["state"] == "FINISHED"
    assert submitted_ids() == [render_task_id]
    assert farm.request_counts["start_task"] == 1


def test_render_retry_restarts_stop_of_the_try_before(airflow_task, farm, client):
    render_task_id = start_render(airflow_task)
    client.send(calls.stop_task([render_task_id]))
    assert airflow_task.try_once()["state"] == "FINISHED"


def make_submit(render_task_id, **options):
    return RenderbusSubmitTaskOperator(task_id="submit", render_task_id=render_task_id, **options)


def make_sensor(render_task_id, **options):
    return RenderbusTaskSensor(task_id="wait", render_task_id=render_task_id, cancel_on_kill=True, **options)


OPERATORS = {
    "submit": lambda task_id: make_submit(task_id, wait_for_completion=True, poll_interval=STEP),
    "sensor": lambda task_id: make_sensor(task_id, poke_interval=0.01),
}


@pytest.mark.parametrize("make", OPERATORS.values(), ids=OPERATORS)
@pytest.mark.parametrize("by", MANUAL)
def test_retry_leaves_manual_stop(by, make, submitted, farm, hook_sleeps):
    hook_sleeps(farm.advance)
    farm.stop(submitted, by)
    with pytest.raises(AirflowFailException, match="stop type: "):
        make(submitted).execute(context(2))
    assert not farm.request_counts["start_task"]


@pytest.mark.parametrize("make", [*OPERATORS.values(), make_submit], ids=[*OPERATORS, "submit only"])
def test_first_try_after_clear_restarts_manual_stop(make, submitted, farm, hook_sleeps, monkeypatch, state):
    hook_sleeps(farm.advance)
    monkeypatch.setattr("time.sleep", lambda _: farm.advance(STEP))
    monkeypatch.setattr("tests.airflow.context.TaskInstance.max_tries", 3)
    farm.stop(submitted)
    make(submitted).execute(context(2))
    assert state(submitted) != "STOP"
    assert farm.request_counts["start_task"] == 1


def test_submit_retry_without_wait_leaves_manual_stop(submitted, farm, state):
    farm.stop(submitted)
    make_submit(submitted).execute(context(2))
    assert state(submitted) == "STOP"


@pytest.mark.parametrize(("by", "is_still_halted"), [("user", False), ("api", True)])
def test_is_halted_of_manual_stop_is_false(by, is_still_halted, submitted, farm, client):
    farm.stop(submitted, by)
    assert is_halted(client, submitted, {TaskStatus.STOP}, settle=False) is is_still_halted
