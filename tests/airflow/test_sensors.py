"""Sensors: what they wait for, on a worker and in the triggerer alike, and their modes."""

import asyncio
import pkgutil
import time

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.serialization.serialized_objects import BaseSerialization

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import NoResponse, UnknownTask
from airflow_provider_renderbus.api.frame_names import describe_frames
from airflow_provider_renderbus.compat import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.polling.worker import TaskWorkerPoller
from airflow_provider_renderbus.renders.results import Outcome, WaitResult
from airflow_provider_renderbus.sensors.conditions import (
    RenderbusFramesSensor,
    RenderbusFundsSensor,
    RenderbusOutputSensor,
)
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from airflow_provider_renderbus.triggers.conditions import RenderbusConditionTrigger
from tests.airflow.context import context
from tests.airflow.trigger_events import first_event
from tests.airflow_version import create_reschedule_table, mark_rescheduled

pytestmark = pytest.mark.usefixtures("connection")


class SensorRunner:
    """Polls with a sensor once, on the worker or in the triggerer."""

    def __init__(self, deferrable):
        self.deferrable = deferrable

    def poll(self, sensor_type, timeout=0, **options):
        """Return what the sensor returns, or None while it waits."""
        sensor = sensor_type(task_id="wait", deferrable=self.deferrable, timeout=timeout, **options)
        if not self.deferrable:
            return sensor.poke(context()).xcom_value
        with pytest.raises(TaskDeferred) as deferred:
            sensor.defer_until(context(), time.time() + timeout)
        path, arguments = deferred.value.trigger.serialize()
        trigger = pkgutil.resolve_name(path)(
            **BaseSerialization.deserialize(BaseSerialization.serialize(arguments))
        )
        event = asyncio.run(first_event(trigger))
        try:
            return sensor.execute_complete(context(), event.payload)
        except AirflowSensorTimeout:
            return None


@pytest.fixture(params=[False, True], ids=["worker", "triggerer"])
def runner(request):
    return SensorRunner(request.param)


@pytest.fixture
def half_done(farm, client, submitted):
    """The id of a render with some of its frames done."""
    while not 0 < client.send(calls.query_task_info([submitted]))[submitted].progress.done < 4:
        farm.advance(10)
    return submitted


class TestTasks:
    def test_task_sensor_list_succeeds_after_all_renders(self, runner, farm, client, submitted):
        other = client.send(calls.create_task()).ids[0]
        farm.advance(3600)
        both = [submitted, f"2W{other}"]
        assert runner.poll(RenderbusTaskSensor, render_task_id=both) is None
        (result,) = runner.poll(RenderbusTaskSensor, render_task_id=[submitted])
        assert result["render_task_id"] == submitted

    def test_task_sensor_list_fails_with_first_failed_render(self, runner, client, submitted):
        other = client.send(calls.create_task()).ids[0]
        client.send(calls.stop_task([submitted]))
        with pytest.raises(AirflowFailException, match=rf"Render {submitted} \(.+\): STOP"):
            runner.poll(RenderbusTaskSensor, render_task_id=[other, submitted])

    def test_task_sensor_target_states_succeeds_in_one_of_them(self, runner, client, half_done):
        result = runner.poll(RenderbusTaskSensor, render_task_id=half_done, target_states=["rendering", 25])
        assert result["state"] == "RENDERING"

    def test_task_sensor_failed_states_waits_in_other_terminal_state(self, runner, client, submitted):
        client.send(calls.stop_task([submitted]))
        options = {"render_task_id": submitted, "failed_states": ["FAILED"]}
        assert runner.poll(RenderbusTaskSensor, **options) is None

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
    def test_task_sensor_wrong_states_fails_and_names_them(self, options, message):
        for deferrable in (False, True):
            sensor = RenderbusTaskSensor(task_id="wait", render_task_id=1, deferrable=deferrable, **options)
            with pytest.raises(AirflowFailException, match=message):
                sensor.execute(context())


class TestFrames:
    def test_frames_sensor_min_fraction_succeeds_before_all_frames(self, runner, half_done):
        assert runner.poll(RenderbusFramesSensor, render_task_id=half_done) is None
        result = runner.poll(RenderbusFramesSensor, render_task_id=half_done, min_fraction=0.25)
        assert (result["required"], result["total"]) == (1, 4)
        assert 1 <= result["done"] < 4

    def test_frames_sensor_names_succeeds_with_exactly_these(self, runner, client, half_done):
        frames = client.send(calls.query_task_frames(half_done)).items
        done = [frame.name for frame in frames if frame.status.name == "DONE"]
        result = runner.poll(RenderbusFramesSensor, render_task_id=half_done, frames=done)
        count = len(done)
        assert result.pop("frames") == describe_frames(done)
        assert result == {"render_task_id": half_done, "done": count, "required": count, "total": 4}
        all_names = [frame.name for frame in frames]
        assert runner.poll(RenderbusFramesSensor, render_task_id=half_done, frames=all_names) is None

    def test_frames_sensor_unknown_name_is_logged_and_fails_in_the_end(self, runner, farm, half_done, caplog):
        options = {"render_task_id": half_done, "frames": ["1", "999"]}
        assert runner.poll(RenderbusFramesSensor, **options) is None
        assert "there is no frame '999', there are: 1-4" in caplog.text
        farm.advance(3600)
        with pytest.raises(AirflowFailException, match="has no frame '999'"):
            runner.poll(RenderbusFramesSensor, **options)

    @pytest.mark.parametrize("scenario", [{"renders": [{"passes": ["photon"]}]}])
    def test_frames_sensor_names_listed_after_photon_pass_succeeds(self, runner, farm, submitted):
        options = {"render_task_id": submitted, "frames": ["1", "2"]}
        assert runner.poll(RenderbusFramesSensor, **options) is None
        farm.advance(3600)
        assert runner.poll(RenderbusFramesSensor, **options)["done"] == 2

    def test_frames_sensor_stopped_render_fails_permanently(self, runner, client, half_done):
        client.send(calls.stop_task([half_done]))
        with pytest.raises(AirflowFailException, match=": STOP "):
            runner.poll(RenderbusFramesSensor, render_task_id=half_done)
        assert runner.poll(RenderbusFramesSensor, render_task_id=half_done, min_fraction=0.25)

    @pytest.mark.parametrize(
        "options",
        [{"min_fraction": 0}, {"min_fraction": 1.5}, {"frames": []}, {"frames": "6"}, {"layers": []}],
    )
    def test_frames_sensor_wrong_argument_fails_and_names_it(self, options):
        with pytest.raises(AirflowFailException, match=f"^{next(iter(options))}: "):
            RenderbusFramesSensor(task_id="wait", render_task_id=1, **options).poke(context())


class TestOutputs:
    def test_output_sensor_counts_files_that_match_pattern(self, runner, farm, half_done):
        options = {"render_task_id": half_done, "pattern": "*.png", "min_files": 4}
        assert runner.poll(RenderbusOutputSensor, **options) is None
        farm.advance(3600)
        assert runner.poll(RenderbusOutputSensor, **options) == {"render_task_id": half_done, "files": 4}
        assert runner.poll(RenderbusOutputSensor, **{**options, "pattern": "*.exr"}) is None

    @pytest.mark.parametrize("options", [{"pattern": ""}, {"min_files": 0}])
    def test_output_sensor_wrong_argument_fails_and_names_it(self, options):
        with pytest.raises(AirflowFailException, match=f"^{next(iter(options))}: "):
            RenderbusOutputSensor(task_id="wait", render_task_id=1, **options).poke(context())


class TestFunds:
    def test_funds_sensor_hidden_funds_succeeds_with_warning(self, hidden_funds, runner, caplog):
        assert runner.poll(RenderbusFundsSensor, min_funds=1000)["currency"] == "RMB"
        assert "its funds may differ" in caplog.text

    def test_funds_sensor_succeeds_from_min_funds_on(self, runner):
        assert runner.poll(RenderbusFundsSensor, min_funds=510) == {
            "available_funds": "510.0",
            "currency": "RMB",
        }
        assert runner.poll(RenderbusFundsSensor, min_funds="510.01") is None

    @pytest.mark.parametrize("min_funds", ["much", "NaN", "inf"])
    def test_funds_sensor_wrong_min_funds_fails_and_names_it(self, min_funds):
        with pytest.raises(AirflowFailException, match=r"^min_funds: must be a finite number, got"):
            RenderbusFundsSensor(task_id="wait", min_funds=min_funds).poke(context())


class TestModes:
    SENSORS = (
        (RenderbusTaskSensor, {"render_task_id": 1}),
        (RenderbusFramesSensor, {"render_task_id": 1}),
        (RenderbusOutputSensor, {"render_task_id": 1}),
        (RenderbusFundsSensor, {"min_funds": 1000}),
    )

    @pytest.mark.parametrize(("sensor_type", "options"), SENSORS[:3])
    def test_sensor_render_missing_in_three_polls_fails_permanently(self, sensor_type, options):
        sensor = sensor_type(task_id="wait", **options)
        assert [sensor.poke(context()).is_done for _ in range(2)] == [False, False]
        with pytest.raises(AirflowFailException, match="no task 1"):
            sensor.poke(context())

    @pytest.mark.parametrize(("sensor_type", "options"), SENSORS[:3])
    def test_sensor_reschedule_missing_render_fails_in_first_poke(self, sensor_type, options):
        sensor = sensor_type(task_id="wait", mode="reschedule", **options)
        with pytest.raises(AirflowFailException, match="no task 1"):
            sensor.poke(context())

    def test_sensor_reschedule_failed_poll_is_logged(self, submitted, monkeypatch, caplog):
        def no_answer(*_):
            raise NoResponse("query_task_info", "no answer")

        monkeypatch.setattr(RenderbusHook, "run", no_answer)
        sensor = RenderbusTaskSensor(task_id="wait", render_task_id=submitted, mode="reschedule")
        assert not sensor.poke(context()).is_done
        assert "polling continues" in caplog.text

    def test_sensor_reschedule_render_missing_once_keeps_waiting(self, submitted, monkeypatch):
        run, missed = RenderbusHook.run, []

        def run_missing_once(hook, flow):
            if not missed:
                missed.append(flow)
                raise UnknownTask(submitted)
            return run(hook, flow)

        monkeypatch.setattr(RenderbusHook, "run", run_missing_once)
        sensor = RenderbusTaskSensor(task_id="wait", render_task_id=submitted, mode="reschedule")
        assert not sensor.poke(context()).is_done
        assert missed

    @pytest.mark.parametrize(("sensor_type", "options"), SENSORS[:3])
    def test_sensor_deferred_missing_render_fails_permanently(self, sensor_type, options):
        runner = SensorRunner(deferrable=True)
        with pytest.raises(AirflowFailException, match="no task 1"):
            runner.poll(sensor_type, timeout=60, poke_interval=0.001, **options)

    @pytest.mark.parametrize(("sensor_type", "options"), SENSORS[:3])
    def test_sensor_soft_fail_missing_render_skips(self, sensor_type, options):
        with pytest.raises(AirflowSkipException):
            sensor_type(task_id="wait", soft_fail=True, poke_interval=0.001, **options).execute(context())

    def test_sensor_soft_fail_retryable_failure_skips(self, client, submitted, monkeypatch):
        failure = WaitResult(Outcome.FAILED, "some frames failed")
        monkeypatch.setattr(TaskWorkerPoller, "poll", lambda _: failure)
        with pytest.raises(AirflowSkipException, match="some frames failed"):
            RenderbusTaskSensor(task_id="wait", render_task_id=submitted, soft_fail=True).execute(context())

    @pytest.mark.parametrize("deferrable", [False, True])
    def test_sensor_soft_fail_wrong_connection_skips(self, monkeypatch, deferrable):
        monkeypatch.setenv("AIRFLOW_CONN_RENDERBUS_DEFAULT", '{"conn_type": "renderbus"}')
        sensor = RenderbusTaskSensor(task_id="wait", render_task_id=1, soft_fail=True, deferrable=deferrable)
        with pytest.raises(AirflowSkipException, match="access key"):
            sensor.execute(context())

    @pytest.mark.parametrize(("sensor_type", "options"), SENSORS)
    def test_sensor_missing_connection_fails_before_deferral(self, sensor_type, options):
        sensor = sensor_type(
            task_id="wait", renderbus_conn_id="renderbus_defualt", deferrable=True, **options
        )
        with pytest.raises(AirflowNotFoundException, match="renderbus_defualt"):
            sensor.execute(context())

    @pytest.mark.parametrize(("sensor_type", "options"), SENSORS)
    def test_sensor_connection_without_key_fails_before_deferral(self, sensor_type, options, monkeypatch):
        monkeypatch.setenv("AIRFLOW_CONN_RENDERBUS_DEFAULT", '{"conn_type": "renderbus"}')
        with pytest.raises(AirflowFailException, match="access key"):
            sensor_type(task_id="wait", deferrable=True, **options).execute(context())

    @pytest.mark.parametrize("interval", [0, float("inf")])
    def test_sensor_wrong_poke_interval_fails_before_deferral(self, interval):
        sensor = RenderbusFundsSensor(task_id="wait", min_funds=1, deferrable=True)
        sensor.poke_interval = interval
        with pytest.raises(AirflowFailException, match=r"^poke_interval: "):
            sensor.execute(context())

    def test_sensor_reschedule_unmet_condition_reschedules(self):
        create_reschedule_table()
        sensor = RenderbusFundsSensor(task_id="wait", min_funds=1000, mode="reschedule")
        with pytest.raises(AirflowRescheduleException):
            sensor.execute(context())

    def test_task_sensor_reschedule_later_try_restarts_in_first_poke_only(self, client, submitted, tmp_path):
        create_reschedule_table()
        options = {"render_task_id": submitted, "mode": "reschedule", "cancel_on_kill": True}
        later = context(try_number=2)
        later["ti"].run_id = str(tmp_path)  # all tests of a process share Airflow's database
        client.send(calls.stop_task([submitted]))
        with pytest.raises(AirflowRescheduleException):
            RenderbusTaskSensor(task_id="wait", **options).execute(later)
        assert client.send(calls.query_task_info([submitted]))[submitted].status.name != "STOP"

        mark_rescheduled(later["ti"])
        client.send(calls.stop_task([submitted]))
        with pytest.raises(AirflowFailException, match=": STOP "):
            RenderbusTaskSensor(task_id="wait", **options).execute(later)

    @pytest.mark.parametrize(("sensor_type", "options"), SENSORS)
    def test_sensor_templates_required_arguments_and_connection(self, sensor_type, options):
        assert {*options, "renderbus_conn_id"} <= set(sensor_type.template_fields)
        sensor = sensor_type(task_id="wait", **options)
        assert all(hasattr(sensor, field) for field in sensor_type.template_fields)


def test_condition_trigger_of_other_version_fails_retryably():
    trigger = RenderbusConditionTrigger("renderbus_default", {"kind": "weather"}, 0.1, time.time() + 60)
    event = asyncio.run(first_event(trigger))
    assert event.payload["outcome"] == "failed"


def test_sensor_failed_event_raises_retryable_exception():
    event = {"version": 1, "outcome": "failed", "message": "no poll was answered", "result": None}
    with pytest.raises(AirflowException, match="no poll was answered") as raised:
        RenderbusFundsSensor(task_id="wait", min_funds=1).execute_complete(context(), event)
    assert not isinstance(raised.value, AirflowFailException)
