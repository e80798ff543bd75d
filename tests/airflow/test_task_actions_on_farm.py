"""Effects of the action operators on renders of the embedded farm."""

import json
from dataclasses import replace
from functools import partial

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import FrameStatus, TaskStatus
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException
from airflow_provider_renderbus.operators import task_actions
from tests.airflow.context import context
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture
def act(submitted):
    """Return a function that runs an operator on the submitted render."""

    def act(operator, try_number=1, **options):
        return operator(task_id="act", render_task_id=submitted, **options).execute(context(try_number))

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
def partly_done(farm, info):
    while not info().progress.done:
        farm.advance(10)


def test_stop_and_start_task_finishes_the_render(act, info, farm, partly_done):
    act(task_actions.RenderbusStopTaskOperator)
    assert info().status is TaskStatus.STOP
    act(task_actions.RenderbusStartTaskOperator)
    farm.advance(3600)
    assert info().status is TaskStatus.FINISHED


class TestStopTask:
    """The farm can accept a stop and lose it."""

    @pytest.fixture(autouse=True)
    def _no_time_passes(self, hook_sleeps):
        hook_sleeps(lambda seconds: None)

    def test_stop_task_lost_by_the_farm_is_repeated(self, act, info, partly_done, monkeypatch):
        send, lost = Client.send, []

        def lose_first_stop(client, call):
            if call.name == "stop_task" and not lost:
                lost.append(call)
                return None
            return send(client, call)

        monkeypatch.setattr(Client, "send", lose_first_stop)
        act(task_actions.RenderbusStopTaskOperator)
        assert lost
        assert info().status is TaskStatus.STOP

    def test_stop_task_not_confirmed_fails_with_retry(self, act, info, farm, partly_done):
        farm.inject("state", state=5, calls=["query_task_info"])
        with pytest.raises(AirflowException, match="could not be stopped, may still be running") as caught:
            act(task_actions.RenderbusStopTaskOperator)
        assert not isinstance(caught.value, AirflowFailException)


def test_abandon_task_changes_status(act, info, farm, partly_done):
    act(task_actions.RenderbusAbandonTaskOperator)
    farm.advance(3600)
    assert info().status is TaskStatus.ABANDON


def test_delete_task_changes_status(act, info, farm):
    farm.advance(3600)
    act(task_actions.RenderbusDeleteTaskOperator)
    assert info().is_delete == 0


def test_set_priority_and_machine_limit_are_applied(act, info):
    act(task_actions.RenderbusSetPriorityOperator, priority=60)
    act(task_actions.RenderbusSetMachineLimitOperator, max_machines=3)
    assert info().task_limit == 3


def test_full_speed_after_test_frames_finishes_the_render(client, farm):
    content = make_task_json()
    content["task_info"] |= {"pre_frames": "100", "stop_after_test": "1"}
    task_id = client.send(calls.create_task()).ids[0]
    client.send(calls.upload_task_json(task_id, json.dumps(content)))
    client.send(calls.submit_task(task_id))
    farm.advance(3600)
    assert client.run(flows.get_task(task_id)).status is TaskStatus.FINISHED_TEST
    task_actions.RenderbusFullSpeedOperator(task_id="act", render_task_id=task_id).execute(context())
    farm.advance(3600)
    assert client.run(flows.get_task(task_id)).status is TaskStatus.FINISHED


def test_stop_frames_then_start_renders_them(act, info, farm, frame_states):
    act(task_actions.RenderbusStopFramesOperator, frames=["2", "3"])
    farm.advance(3600)
    assert frame_states()["2"] is frame_states()["3"] is FrameStatus.ABORTED
    assert frame_states()["1"] is FrameStatus.DONE
    with pytest.raises(AirflowFailException, match="frames: must be frames that are done or failed"):
        act(task_actions.RenderbusRecommitFramesOperator, frames=["2", "3"])
    act(task_actions.RenderbusStartTaskOperator)
    farm.advance(3600)
    assert set(frame_states().values()) == {FrameStatus.DONE}


def test_recommit_frames_leaves_out_frames_that_the_farm_refuses(act, info, farm, frame_states):
    act(task_actions.RenderbusStopFramesOperator, frames=["2"])
    farm.advance(3600)
    act(task_actions.RenderbusRecommitFramesOperator, frames=["2", "3"])
    farm.advance(3600)
    assert frame_states()["2"] is FrameStatus.ABORTED
    assert frame_states()["3"] is FrameStatus.DONE
    assert farm.request_counts["recommit_frames"] == 1


@pytest.mark.parametrize(
    "operator", [task_actions.RenderbusStartTaskOperator, task_actions.RenderbusStopTaskOperator]
)
def test_action_with_nothing_to_do_succeeds(act, farm, operator):
    farm.advance(3600)
    act(operator)
    assert farm.request_counts["start_task"] + farm.request_counts["stop_task"] == 1


def test_stop_task_that_cannot_be_stopped_yet_is_tried_again(act, farm, info, hook_sleeps):
    hook_sleeps(farm.advance)
    farm.inject("code", code=748, calls=["stop_task"], times=4)
    act(task_actions.RenderbusStopTaskOperator)
    assert info().status is TaskStatus.STOP
    assert farm.request_counts["stop_task"] == 5


def test_stop_frames_without_names_stops_all(act, farm, frame_states):
    act(task_actions.RenderbusStopFramesOperator)
    farm.advance(3600)
    assert set(frame_states().values()) == {FrameStatus.ABORTED}


class TestRetryOfRecommit:
    """The worker may have died after the request: a second request would be paid again."""

    @pytest.fixture(autouse=True)
    def _rendered(self, farm, submitted, hook_sleeps):
        hook_sleeps(farm.advance)
        farm.advance(3600)

    @pytest.fixture
    def recommit(self, act):
        return partial(act, task_actions.RenderbusRecommitFramesOperator, frames=["2", "3"])

    def test_recommit_retry_while_rendering_requests_nothing(self, recommit, farm):
        recommit()
        recommit(try_number=2)
        assert farm.request_counts["recommit_frames"] == 1

    def test_recommit_retry_after_rendering_fails_without_retry(self, recommit, farm, info):
        recommit()
        farm.advance(3600)
        cost = info().cost
        with pytest.raises(AirflowFailException, match=r"2 \(1 times\), 3 \(1 times\)\. Look at them"):
            recommit(try_number=2)
        farm.advance(3600)
        assert info().cost == cost

    def test_recommit_retry_before_rendering_requests_frames(self, recommit, farm, info):
        cost = info().cost
        recommit(try_number=2)
        farm.advance(3600)
        assert info().cost > cost

    def test_recommit_first_try_after_clear_requests_frames_again(self, recommit, farm, monkeypatch):
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

    def test_recommit_failed_frames_finishes_the_render_and_costs(
        self, act, info, farm, frame_states, submitted
    ):
        farm.advance(3600)
        assert info().status is TaskStatus.FINISHED_HAS_FAILED
        cost = info().cost
        assert act(task_actions.RenderbusRecommitFramesOperator) == [submitted]
        farm.advance(3600)
        assert info().status is TaskStatus.FINISHED
        assert info().cost > cost
        assert set(frame_states().values()) == {FrameStatus.DONE}

    @pytest.mark.parametrize(("status", "kind"), [(11, 5), (5, 6), (5, 11)])
    def test_recommit_failed_frames_leaves_out_frames_that_the_farm_refuses(
        self, act, farm, frame_states, status, kind, monkeypatch
    ):
        """Frame 3 has timed out, is merged or is distributed."""
        farm.advance(3600)
        list_frames = flows.list_frames

        def list_with_refused_frame(task_id):
            frames = yield from list_frames(task_id)
            refused = {"status_code": status, "frame_type": kind}
            return [replace(frame, **refused) if frame.name == "3" else frame for frame in frames]

        with monkeypatch.context() as patches:
            patches.setattr(flows, "list_frames", list_with_refused_frame)
            act(task_actions.RenderbusRecommitFramesOperator)
        farm.advance(3600)
        assert (frame_states()["2"], frame_states()["3"]) == (FrameStatus.DONE, FrameStatus.ERROR)
        assert farm.request_counts["recommit_frames"] == 1
        with monkeypatch.context() as patches:
            patches.setattr(flows, "list_frames", list_with_refused_frame)
            with pytest.raises(AirflowFailException, match="frames: must be frames that are done or failed"):
                act(task_actions.RenderbusRecommitFramesOperator)
        assert farm.request_counts["recommit_frames"] == 1

    def test_recommit_without_failed_frames_requests_nothing(self, act, farm, submitted):
        farm.advance(3600)
        act(task_actions.RenderbusRecommitFramesOperator)
        farm.advance(3600)
        assert act(task_actions.RenderbusRecommitFramesOperator) == [submitted]
        assert farm.request_counts["recommit_frames"] == 1

    def test_recommit_failed_frames_retry_requests_nothing(self, act, info, farm, hook_sleeps):
        hook_sleeps(farm.advance)
        farm.advance(3600)
        act(task_actions.RenderbusRecommitFramesOperator, try_number=2)
        act(task_actions.RenderbusRecommitFramesOperator, try_number=3)
        assert farm.request_counts["recommit_frames"] == 1
