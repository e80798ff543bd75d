"""What is told of a render that has ended: state, frames, cost, seconds, address, failed frames and logs."""

import re

import pytest
from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_renderbus.operators.tasks import RenderbusSubmitTaskOperator
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from tests.airflow.context import context

pytestmark = pytest.mark.usefixtures("connection")
REASON = "Error: rendering of frame {} has failed"


@pytest.fixture
def scenario():
    """Two frames of each render fail."""
    return {"renders": [{"fail_frames": "2-3"}]}


@pytest.fixture
def ended(farm, submitted):
    farm.advance(7200)
    return submitted


def submit(number):
    return RenderbusSubmitTaskOperator(task_id="submit", render_task_id=number, wait_for_completion=True)


def test_a_failure_says_which_frames_and_why(ended, farm):
    with pytest.raises(AirflowException) as failure:
        submit(ended).execute(context())
    told = str(failure.value)
    assert f"Render {ended} (sh010.blend): FINISHED_HAS_FAILED" in told
    assert re.search(
        rf"(?s)2 of 4 frames done, 2 failed, \d+ s, cost \d.*http://{farm.address}/task/{ended}", told
    )
    for frame in (2, 3):
        assert f"Frame {frame} failed, end of its log: " in told
        assert REASON.format(frame) in told


def test_a_result_holds_the_same(ended, farm):
    sensor = RenderbusTaskSensor(task_id="wait", render_task_id=ended, target_states=[30], poke_interval=1)
    result = sensor.execute(context())
    assert result["console_url"] == f"http://{farm.address}/task/{ended}"
    assert [frame["frame"] for frame in result["failed_frames"]] == ["2", "3"]
    assert REASON.format(3) in result["failed_frames"][1]["log"]


def test_logs_that_do_not_come_hide_no_end(ended, farm, caplog):
    farm.inject("code", code=400, calls=["query_task_frames"])
    with pytest.raises(AirflowException, match=rf"Render {ended} \(sh010.blend\): FINISHED_HAS_FAILED"):
        submit(ended).execute(context())
    assert f"Render {ended}: could not list its failed frames" in caplog.text
