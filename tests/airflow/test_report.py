"""What an Airflow task reports of a finished render: state, frames, cost, time, URL, failed frames, logs."""

import re

import pytest

from airflow_provider_renderbus.compat import AirflowException
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
def finished(farm, submitted):
    farm.advance(7200)
    return submitted


def submit(render_task_id):
    return RenderbusSubmitTaskOperator(
        task_id="submit", render_task_id=render_task_id, wait_for_completion=True
    )


def test_submit_failed_frames_raises_with_names_and_logs(finished, farm):
    with pytest.raises(AirflowException) as failure:
        submit(finished).execute(context())
    message = str(failure.value)
    assert f"Render {finished} (sh010.blend): FINISHED_HAS_FAILED" in message
    assert re.search(
        rf"(?s)2 of 4 frames done, 2 failed, \d+ s, cost \d.*http://{farm.address}/task/{finished}", message
    )
    assert f"Camera 2-3: {REASON.format(2)} (2 logs read)" in message


def test_task_sensor_failed_frames_returns_names_and_logs(finished, farm):
    sensor = RenderbusTaskSensor(task_id="wait", render_task_id=finished, target_states=[30], poke_interval=1)
    result = sensor.execute(context())
    assert result["console_url"] == f"http://{farm.address}/task/{finished}"
    (group,) = result["failed_frames"]
    assert (group["layer"], group["frames"], group["count"]) == ("Camera", "2-3", 2)
    assert REASON.format(3) in group["log"]
    assert result["layers"][0]["failed_frames"] == "2-3"


def test_submit_frames_not_listed_raises_with_final_state(finished, farm, caplog):
    farm.inject("code", code=400, calls=["query_task_frames"])
    with pytest.raises(AirflowException, match=rf"Render {finished} \(sh010.blend\): FINISHED_HAS_FAILED"):
        submit(finished).execute(context())
    assert f"Render {finished}: could not list its failed frames" in caplog.text
