"""What the operators do to a render, as the farm tells of it afterwards."""

import json
from functools import partial

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import FrameStatus, TaskStatus
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.operators import task_actions as actions
from tests.airflow.context import context
from tests.scenes import task_json

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture
def act(submitted):
    """Run an operator on the submitted task."""

    def act(kind, try_number=1, **options):
        return kind(task_id="act", render_task_id=submitted, **options).execute(context(try_number))

    return act


@pytest.fixture
def info(client, submitted):
    def info():
        return client.run(flows.get_task(submitted))

    return info


@pytest.fixture
def frame_states(client, submitted):
    def frame_states():
        return {frame.name: frame.status for frame in client.run(flows.list_frames(submitted))}

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


class TestAStop:
    """An order that was taken is no task that rests."""

    @pytest.fixture(autouse=True)
    def _no_time_passes(self, monkeypatch):
        monkeypatch.setattr("airflow_provider_renderbus.renders.stop.STOP_POLL_INTERVAL", 0.0)

    def test_one_that_does_not_come_about_is_ordered_again(self, act, info, half_done, monkeypatch):
        """As after an order that the farm took and lost."""
        send, lost = Client.send, []

        def loses_the_first(client, call):
            if call.name == "stop_task" and not lost:
                lost.append(call)
                return None
            return send(client, call)

        monkeypatch.setattr(Client, "send", loses_the_first)
        act(actions.RenderbusStopTaskOperator)
        assert lost
        assert info().status is TaskStatus.STOP

    def test_one_that_the_farm_does_not_confirm_fails_and_may_be_tried_again(
        self, act, info, farm, half_done, monkeypatch
    ):
        monkeypatch.setattr("airflow_provider_renderbus.renders.stop.STOP_TIMEOUT", 0.0)
        farm.inject("state", state=5, calls=["query_task_info"])
        with pytest.raises(AirflowException, match="could not be stopped, may still be running") as failed:
            act(actions.RenderbusStopTaskOperator)
        assert not isinstance(failed.value, AirflowFailException)


def test_abandon(act, info, farm, half_done):
    act(actions.RenderbusAbandonTaskOperator)
    farm.advance(3600)
    assert info().status is TaskStatus.ABANDON


def test_delete(act, info, farm):
    farm.advance(3600)
    act(actions.RenderbusDeleteTaskOperator)
    assert info().is_delete == 0


def test_priority_and_limit(act, info):
    act(actions.RenderbusSetPriorityOperator, priority=60)
    act(actions.RenderbusSetMachineLimitOperator, max_machines=3)
    assert info().task_limit == 3


def test_full_speed_after_the_priority_frames(client, farm):
    described = task_json()
    described["task_info"] |= {"pre_frames": "100", "stop_after_test": "1"}
    number = client.send(calls.create_task()).ids[0]
    client.send(calls.upload_task_json(number, json.dumps(described)))
    client.send(calls.submit_task(number))
    farm.advance(3600)
    assert client.run(flows.get_task(number)).status is TaskStatus.FINISHED_TEST
    actions.RenderbusFullSpeedOperator(task_id="act", render_task_id=number).execute(context())
    farm.advance(3600)
    assert client.run(flows.get_task(number)).status is TaskStatus.FINISHED


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


class TestARetryOfARecommit:
    """The worker may have died after the farm was asked: to ask again would be to pay again."""

    @pytest.fixture(autouse=True)
    def _rendered(self, farm, submitted, hook_sleeps):
        hook_sleeps(farm.advance)
        farm.advance(3600)

    @pytest.fixture
    def recommit(self, act):
        return partial(act, actions.RenderbusRecommitFramesOperator, frames=["2", "3"])

    def test_what_is_being_rendered_again_is_done_with(self, recommit, farm):
        recommit()
        recommit(try_number=2)
        assert farm.request_counts["recommit_frames"] == 1

    def test_what_has_ended_since_may_be_done_with_and_is_left_to_a_person(self, recommit, farm, info):
        recommit()
        farm.advance(3600)
        cost = info().cost
        with pytest.raises(AirflowFailException, match=r"2 \(1 times\), 3 \(1 times\)\. Look at them"):
            recommit(try_number=2)
        farm.advance(3600)
        assert info().cost == cost

    def test_what_was_never_rendered_again_is_asked_for(self, recommit, farm, info):
        cost = info().cost
        recommit(try_number=2)
        farm.advance(3600)
        assert info().cost > cost

    def test_the_first_try_after_a_clear_is_a_persons_wish(self, recommit, farm, monkeypatch):
        recommit()
        farm.advance(3600)
        monkeypatch.setattr("tests.airflow.context.TaskInstance.max_tries", 3)
        recommit(try_number=2)
        assert farm.request_counts["recommit_frames"] == 2


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

    def test_a_retry_leaves_those_alone_that_were_rendered_again(self, act, info, farm, hook_sleeps):
        hook_sleeps(farm.advance)
        farm.advance(3600)
        act(actions.RenderbusRecommitFramesOperator, try_number=2)
        act(actions.RenderbusRecommitFramesOperator, try_number=3)
        assert farm.request_counts["recommit_failed_frames"] == 1
