"""What the operators do to a render, as the farm tells of it afterwards."""

import json

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import FrameStatus, TaskStatus
from airflow_provider_renderbus.clients import sequences
from airflow_provider_renderbus.operators import actions
from tests.airflow.context import context
from tests.scenes import task_json

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture
def act(submitted):
    """Run an operator on the submitted task."""

    def act(kind, **options):
        return kind(task_id="act", render_task_id=submitted, **options).execute(context())

    return act


@pytest.fixture
def info(client, submitted):
    def info():
        return client.run(sequences.task_info(submitted))

    return info


@pytest.fixture
def frame_states(client, submitted):
    def frame_states():
        return {frame.index: frame.status for frame in client.run(sequences.frames(submitted))}

    return frame_states


@pytest.fixture
def half_done(farm, info):
    while not info().progress.done:
        farm.advance(10)


def test_stop_and_start(act, info, farm, half_done):
    act(actions.RenderbusStopTaskOperator)
    assert info().status is TaskStatus.STOP
    act(actions.RenderbusStartTaskOperator)
    farm.advance(3600)
    assert info().status is TaskStatus.FINISHED


def test_abandon(act, info, farm, half_done):
    act(actions.RenderbusAbandonTaskOperator)
    farm.advance(3600)
    assert info().status is TaskStatus.ABANDON


def test_delete(act, info, farm):
    farm.advance(3600)
    act(actions.RenderbusDeleteTaskOperator)
    assert info().is_delete == 0


def test_priority_and_limit(act, info):
    act(actions.RenderbusSetPriorityOperator, task_user_level=60)
    act(actions.RenderbusSetTaskLimitOperator, task_limit=3)
    assert info().task_limit == 3


def test_full_speed_after_the_priority_frames(client, farm):
    described = task_json()
    described["task_info"] |= {"pre_frames": "100", "stop_after_test": "1"}
    number = client.send(calls.create_task()).ids[0]
    client.send(calls.upload_task_json(number, json.dumps(described)))
    client.send(calls.submit_task(number))
    farm.advance(3600)
    assert client.run(sequences.task_info(number)).status is TaskStatus.FINISHED_TEST
    actions.RenderbusFullSpeedOperator(task_id="act", render_task_id=number).execute(context())
    farm.advance(3600)
    assert client.run(sequences.task_info(number)).status is TaskStatus.FINISHED


def test_named_frames_are_stopped_and_rendered_again(act, info, farm, frame_states):
    act(actions.RenderbusStopFramesOperator, frames=["2", "3"])
    farm.advance(3600)
    assert frame_states()["2"] is frame_states()["3"] is FrameStatus.ABORTED
    assert frame_states()["1"] is FrameStatus.DONE
    act(actions.RenderbusRecommitFramesOperator, frames=["2", "3"])
    farm.advance(3600)
    assert set(frame_states().values()) == {FrameStatus.DONE}


def test_all_frames_are_stopped(act, farm, frame_states):
    act(actions.RenderbusStopFramesOperator)
    farm.advance(3600)
    assert set(frame_states().values()) == {FrameStatus.ABORTED}


class TestFailedFrames:
    @pytest.fixture
    def scenario(self):
        """Frames 2 and 3 of every task fail once."""
        return {"renders": [{"scene": "*", "fail_frames": "2-3", "fail_times": 1}]}

    def test_they_are_rendered_and_paid_again(self, act, info, farm, frame_states, submitted):
        farm.advance(3600)
        assert info().status is TaskStatus.FINISHED_HAS_FAILED
        cost = info().cost
        assert act(actions.RenderbusRecommitFramesOperator) == [submitted]
        farm.advance(3600)
        assert info().status is TaskStatus.FINISHED
        assert info().cost > cost
        assert set(frame_states().values()) == {FrameStatus.DONE}
