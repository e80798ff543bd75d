"""What sensors can wait for, on a worker and in the triggerer alike."""

import asyncio
import pkgutil
import time

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from airflow.serialization.serialized_objects import BaseSerialization

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import NoResponse, UnknownTask
from airflow_provider_renderbus.api.models.tasks import read_task
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.renders.conditions import FramesDone, condition_from_dict, condition_to_dict
from airflow_provider_renderbus.renders.results import Outcome, VersionMismatch, WaitResult
from airflow_provider_renderbus.sensors.conditions import (
    RenderbusFramesSensor,
    RenderbusFundsSensor,
    RenderbusOutputSensor,
)
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from airflow_provider_renderbus.triggers.conditions import RenderbusConditionTrigger
from tests.airflow.context import context
from tests.airflow_version import can_reschedule, was_rescheduled

pytestmark = pytest.mark.usefixtures("connection")


class Waiting:
    """Lets a sensor wait with the time that there is, in one of its two ways."""

    def __init__(self, deferrable):
        self.deferrable = deferrable

    def look(self, kind, timeout=0, **options):
        """Return what the sensor returns, or None where it would go on waiting."""
        sensor = kind(task_id="wait", deferrable=self.deferrable, timeout=timeout, **options)
        if not self.deferrable:
            return sensor.poke(context()).xcom_value
        with pytest.raises(TaskDeferred) as deferred:
            sensor.execute(context())
        path, arguments = deferred.value.trigger.serialize()
        trigger = pkgutil.resolve_name(path)(
            **BaseSerialization.deserialize(BaseSerialization.serialize(arguments))
        )
        event = asyncio.run(self._first(trigger))
        try:
            return sensor.execute_complete(context(), event.payload)
        except AirflowSensorTimeout:
            return None

    async def _first(self, trigger):
        return await anext(aiter(trigger.run()))


@pytest.fixture(params=[False, True], ids=["worker", "triggerer"])
def waiting(request):
    return Waiting(request.param)


@pytest.fixture
def half_done(farm, client, submitted):
    """The number of a task of which some frames are done and others not."""
    while not 0 < client.send(calls.query_task_info([submitted]))[submitted].progress.done < 4:
        farm.advance(10)
    return submitted


class TestTasks:
    def test_a_list_has_arrived_when_all_of_it_has(self, waiting, farm, client, submitted):
        other = client.send(calls.create_task()).ids[0]
        farm.advance(3600)
        both = [submitted, f"2W{other}"]
        assert waiting.look(RenderbusTaskSensor, render_task_id=both) is None
        (arrived,) = waiting.look(RenderbusTaskSensor, render_task_id=[submitted])
        assert arrived["render_task_id"] == submitted

    def test_a_list_is_lost_with_its_first_failure(self, waiting, client, submitted):
        other = client.send(calls.create_task()).ids[0]
        client.send(calls.stop_task([submitted]))
        with pytest.raises(AirflowFailException, match=rf"Render {submitted} \(.+\): STOP"):
            waiting.look(RenderbusTaskSensor, render_task_id=[other, submitted])

    def test_other_states_can_be_waited_for(self, waiting, client, half_done):
        arrived = waiting.look(RenderbusTaskSensor, render_task_id=half_done, target_states=["rendering", 25])
        assert arrived["state"] == "RENDERING"

    def test_what_counts_as_failure_can_be_set(self, waiting, client, submitted):
        client.send(calls.stop_task([submitted]))
        options = {"render_task_id": submitted, "failed_states": ["FAILED"]}
        assert waiting.look(RenderbusTaskSensor, **options) is None

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"target_states": ["done"]},
                "target_states: must be codes or names of states, got 'done'; the states are 0 WAITING",
            ),
            ({"target_states": "25"}, "target_states: must be a list of states, got '25'"),
            ({"target_states": []}, "target_states: must be at least one state, got"),
            ({"target_states": [True]}, "target_states: must be codes or names of states, got True"),
            ({"failed_states": [-1]}, "failed_states: must be codes or names of states, got -1"),
        ],
    )
    def test_wrong_states_are_named(self, options, message):
        for deferrable in (False, True):
            sensor = RenderbusTaskSensor(task_id="wait", render_task_id=1, deferrable=deferrable, **options)
            with pytest.raises(AirflowFailException, match=message):
                sensor.execute(context())


class TestFrames:
    def test_a_share_of_the_frames(self, waiting, half_done):
        assert waiting.look(RenderbusFramesSensor, render_task_id=half_done) is None
        reached = waiting.look(RenderbusFramesSensor, render_task_id=half_done, min_fraction=0.25)
        assert (reached["required"], reached["total"]) == (1, 4)
        assert 1 <= reached["done"] < 4

    def test_chosen_frames(self, waiting, client, half_done):
        frames = client.send(calls.query_task_frames(half_done)).items
        done = [frame.name for frame in frames if frame.status.name == "DONE"]
        reached = waiting.look(RenderbusFramesSensor, render_task_id=half_done, frames=done)
        assert reached == {"render_task_id": half_done, "done": len(done), "required": len(done), "total": 4}
        every = [frame.name for frame in frames]
        assert waiting.look(RenderbusFramesSensor, render_task_id=half_done, frames=every) is None

    def test_a_frame_that_there_is_not_fails_when_the_task_has_finished(self, waiting, farm, half_done):
        options = {"render_task_id": half_done, "frames": ["1", "999"]}
        assert waiting.look(RenderbusFramesSensor, **options) is None
        farm.advance(3600)
        with pytest.raises(AirflowFailException, match="has no frame '999'"):
            waiting.look(RenderbusFramesSensor, **options)

    @pytest.mark.parametrize("scenario", [{"renders": [{"passes": ["photon"]}]}])
    def test_chosen_frames_may_be_listed_only_after_a_photon_pass(self, waiting, farm, submitted):
        options = {"render_task_id": submitted, "frames": ["1", "2"]}
        assert waiting.look(RenderbusFramesSensor, **options) is None
        farm.advance(3600)
        assert waiting.look(RenderbusFramesSensor, **options)["done"] == 2

    def test_a_photon_pass_has_no_frames_of_its_own(self):
        leaf = {"taskType": "RenderPhoton", "taskStatus": 25, "totalFrames": 1, "doneFrames": 1}
        parent = {"id": 7, "taskStatus": 0, "respRenderingTaskList": [{"id": 8, **leaf}]}
        look = FramesDone(7).check()
        next(look)
        with pytest.raises(StopIteration) as seen:
            look.send([{7: read_task(parent)}])
        assert seen.value.value.result is None

    def test_a_stopped_task_fails_without_a_retry(self, waiting, client, half_done):
        client.send(calls.stop_task([half_done]))
        with pytest.raises(AirflowFailException, match=": STOP "):
            waiting.look(RenderbusFramesSensor, render_task_id=half_done)
        assert waiting.look(RenderbusFramesSensor, render_task_id=half_done, min_fraction=0.25)

    @pytest.mark.parametrize(
        "options", [{"min_fraction": 0}, {"min_fraction": 1.5}, {"frames": []}, {"frames": "6"}]
    )
    def test_wrong_arguments_are_named(self, options):
        with pytest.raises(AirflowFailException, match=f"^{next(iter(options))}: "):
            RenderbusFramesSensor(task_id="wait", render_task_id=1, **options).poke(context())


class TestOutputs:
    def test_files_by_pattern_and_count(self, waiting, farm, half_done):
        options = {"render_task_id": half_done, "pattern": "*.png", "min_files": 4}
        assert waiting.look(RenderbusOutputSensor, **options) is None
        farm.advance(3600)
        assert waiting.look(RenderbusOutputSensor, **options) == {"render_task_id": half_done, "files": 4}
        assert waiting.look(RenderbusOutputSensor, **{**options, "pattern": "*.exr"}) is None

    @pytest.mark.parametrize("options", [{"pattern": ""}, {"min_files": 0}])
    def test_wrong_arguments_are_named(self, options):
        with pytest.raises(AirflowFailException, match=f"^{next(iter(options))}: "):
            RenderbusOutputSensor(task_id="wait", render_task_id=1, **options).poke(context())


class TestFunds:
    def test_what_is_hidden_is_not_waited_for(self, hidden_funds, waiting, caplog):
        assert waiting.look(RenderbusFundsSensor, min_funds=1000)["currency"] == "RMB"
        assert "its funds may differ" in caplog.text

    def test_enough_money(self, waiting):
        assert waiting.look(RenderbusFundsSensor, min_funds=510) == {
            "available_funds": "510.0",
            "currency": "RMB",
        }
        assert waiting.look(RenderbusFundsSensor, min_funds="510.01") is None

    @pytest.mark.parametrize("least", ["much", "NaN", "inf"])
    def test_wrong_arguments_are_named(self, least):
        with pytest.raises(AirflowFailException, match=r"^min_funds: must be a finite number, got"):
            RenderbusFundsSensor(task_id="wait", min_funds=least).poke(context())


class TestModes:
    SENSORS = (
        (RenderbusTaskSensor, {"render_task_id": 1}),
        (RenderbusFramesSensor, {"render_task_id": 1}),
        (RenderbusOutputSensor, {"render_task_id": 1}),
        (RenderbusFundsSensor, {"min_funds": 1000}),
    )

    @pytest.mark.parametrize(("kind", "options"), SENSORS[:3])
    def test_a_number_that_is_missing_three_times_in_a_row_fails_without_a_retry(self, kind, options):
        sensor = kind(task_id="wait", **options)
        assert [sensor.poke(context()).is_done for _ in range(2)] == [False, False]
        with pytest.raises(AirflowFailException, match="no task 1"):
            sensor.poke(context())

    @pytest.mark.parametrize(("kind", "options"), SENSORS[:3])
    def test_so_it_does_at_once_where_each_look_is_a_process_of_its_own(self, kind, options):
        sensor = kind(task_id="wait", mode="reschedule", **options)
        with pytest.raises(AirflowFailException, match="no task 1"):
            sensor.poke(context())

    def test_a_rescheduled_sensor_is_silent_about_an_outage(self, submitted, monkeypatch, caplog):
        def no_answer(*_):
            raise NoResponse("query_task_info", "no answer")

        monkeypatch.setattr("airflow_provider_renderbus.hooks.renderbus.RenderbusHook.run", no_answer)
        sensor = RenderbusTaskSensor(task_id="wait", render_task_id=submitted, mode="reschedule")
        assert not sensor.poke(context()).is_done
        assert "polling continues" not in caplog.text

    def test_a_rescheduled_sensor_bears_an_answer_that_misses_the_task(self, submitted, monkeypatch):
        run, missed = RenderbusHook.run, []

        def short(hook, sequence):
            if not missed:
                missed.append(sequence)
                raise UnknownTask(submitted)
            return run(hook, sequence)

        monkeypatch.setattr(RenderbusHook, "run", short)
        sensor = RenderbusTaskSensor(task_id="wait", render_task_id=submitted, mode="reschedule")
        assert not sensor.poke(context()).is_done
        assert missed

    @pytest.mark.parametrize(("kind", "options"), SENSORS[:3])
    def test_so_it_does_in_the_triggerer(self, kind, options):
        waiting = Waiting(deferrable=True)
        with pytest.raises(AirflowFailException, match="no task 1"):
            waiting.look(kind, timeout=60, poke_interval=0.001, **options)

    @pytest.mark.parametrize(("kind", "options"), SENSORS[:3])
    def test_soft_fail_skips(self, kind, options):
        with pytest.raises(AirflowSkipException):
            kind(task_id="wait", soft_fail=True, poke_interval=0.001, **options).execute(context())

    def test_soft_fail_skips_for_a_failure_that_may_be_retried_too(self, client, submitted, monkeypatch):
        event = WaitResult(Outcome.FAILED, "some frames failed")
        monkeypatch.setattr(
            "airflow_provider_renderbus.polling.worker.TaskWorkerPoller.poll", lambda _: event
        )
        with pytest.raises(AirflowSkipException, match="some frames failed"):
            RenderbusTaskSensor(task_id="wait", render_task_id=submitted, soft_fail=True).execute(context())

    @pytest.mark.parametrize("deferrable", [False, True])
    def test_soft_fail_skips_for_a_wrong_connection_too(self, monkeypatch, deferrable):
        monkeypatch.setenv("AIRFLOW_CONN_RENDERBUS_DEFAULT", '{"conn_type": "renderbus"}')
        sensor = RenderbusTaskSensor(task_id="wait", render_task_id=1, soft_fail=True, deferrable=deferrable)
        with pytest.raises(AirflowSkipException, match="access key"):
            sensor.execute(context())

    @pytest.mark.parametrize(("kind", "options"), SENSORS)
    def test_a_connection_that_is_not_there_fails_before_anything_is_deferred(self, kind, options):
        sensor = kind(task_id="wait", renderbus_conn_id="renderbus_defualt", deferrable=True, **options)
        with pytest.raises(AirflowNotFoundException, match="renderbus_defualt"):
            sensor.execute(context())

    @pytest.mark.parametrize(("kind", "options"), SENSORS)
    def test_so_does_one_with_wrong_fields(self, kind, options, monkeypatch):
        monkeypatch.setenv("AIRFLOW_CONN_RENDERBUS_DEFAULT", '{"conn_type": "renderbus"}')
        with pytest.raises(AirflowFailException, match="access key"):
            kind(task_id="wait", deferrable=True, **options).execute(context())

    @pytest.mark.parametrize("interval", [0, float("inf")])
    def test_an_interval_that_is_none_is_refused_before_anything_is_deferred(self, interval):
        sensor = RenderbusFundsSensor(task_id="wait", min_funds=1, deferrable=True)
        sensor.poke_interval = interval
        with pytest.raises(AirflowFailException, match=r"^poke_interval: "):
            sensor.execute(context())

    def test_a_sensor_can_be_rescheduled(self):
        can_reschedule()
        sensor = RenderbusFundsSensor(task_id="wait", min_funds=1000, mode="reschedule")
        with pytest.raises(AirflowRescheduleException):
            sensor.execute(context())

    def test_a_later_try_starts_again_at_its_first_look_only(self, client, submitted, tmp_path):
        can_reschedule()
        options = {"render_task_id": submitted, "mode": "reschedule", "cancel_on_kill": True}
        later = context(try_number=2)
        later["ti"].run_id = str(tmp_path)  # all tests of a process share Airflow's database
        client.send(calls.stop_task([submitted]))
        with pytest.raises(AirflowRescheduleException):
            RenderbusTaskSensor(task_id="wait", **options).execute(later)
        assert client.send(calls.query_task_info([submitted]))[submitted].status.name != "STOP"

        was_rescheduled(later["ti"])
        client.send(calls.stop_task([submitted]))
        with pytest.raises(AirflowFailException, match=": STOP "):
            RenderbusTaskSensor(task_id="wait", **options).execute(later)

    @pytest.mark.parametrize(("kind", "options"), SENSORS)
    def test_every_option_that_an_author_sets_is_templated(self, kind, options):
        assert {*options, "renderbus_conn_id"} <= set(kind.template_fields)
        sensor = kind(task_id="wait", **options)
        assert all(hasattr(sensor, field) for field in kind.template_fields)


def test_a_condition_of_another_version_is_refused_loudly():
    condition = FramesDone(7, ("1",), 1.0)
    assert (
        condition_from_dict(
            BaseSerialization.deserialize(BaseSerialization.serialize(condition_to_dict(condition)))
        )
        == condition
    )
    for other in ({}, {"kind": "weather"}, {"kind": "frames"}, {**condition_to_dict(condition), "mood": 1}):
        with pytest.raises(VersionMismatch, match="same version"):
            condition_from_dict(other)


def test_a_trigger_with_a_condition_of_another_version_may_be_tried_again(connection):
    trigger = RenderbusConditionTrigger("renderbus_default", {"kind": "weather"}, 0.1, time.time() + 60)
    event = asyncio.run(anext(aiter(trigger.run())))
    assert event.payload["outcome"] == "failed"


def test_failures_that_a_retry_may_mend_are_plain():
    event = {"version": 1, "outcome": "failed", "message": "the farm could not be asked", "result": None}
    with pytest.raises(AirflowException, match="could not be asked") as raised:
        RenderbusFundsSensor(task_id="wait", min_funds=1).execute_complete(context(), event)
    assert not isinstance(raised.value, AirflowFailException)
