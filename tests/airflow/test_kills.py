"""A killed Airflow task stops its render, unless a newer try or another triggerer owns it."""

import asyncio
import contextlib
import gc
import json
import logging
import signal
import threading
import time

import pytest
from airflow.triggers.base import BaseTrigger

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.compat import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowTaskTimeout,
    TaskDeferred,
)
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.polling import loop_logger
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from airflow_provider_renderbus.triggers.tasks import USER_ACTION, RenderbusTaskTrigger
from tests.airflow.context import TaskInstance, context
from tests.airflow.deferring import deferred, submit
from tests.airflow.trigger_events import first_event
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection", "no_stop_poll_interval")
CALLS_ON_KILL = hasattr(BaseTrigger, "on_kill")


@pytest.fixture
def cancelled(farm):
    """Cancels a trigger while it waits, as this version of Airflow does if a user acts on the task."""

    async def run(trigger):
        async def first():
            await first_event(trigger)

        polls = farm.request_counts["query_task_info"]
        waiting = asyncio.ensure_future(first())
        for _ in range(3000):
            if farm.request_counts["query_task_info"] > polls:
                break
            await asyncio.sleep(0.01)
        else:
            pytest.fail("the trigger has not polled the farm for 30 s")
        waiting.cancel()
        if CALLS_ON_KILL:
            await asyncio.wait([waiting])
            waiting = asyncio.ensure_future(trigger.on_kill())
        # Airflow cancels repeatedly during that.
        for _ in range(3):
            await asyncio.sleep(0.01)
            waiting.cancel()
        await asyncio.wait([waiting])

    return lambda trigger: asyncio.run(run(trigger))


@pytest.fixture
def set_airflow_state(monkeypatch):
    """Sets the state of the task that Airflow returns, or the error that it raises."""

    def set_airflow_state(state):
        def read(_, tasks):
            if isinstance(state, Exception):
                raise state
            return dict.fromkeys(tasks, state)

        monkeypatch.setattr(
            "airflow_provider_renderbus.polling.task_instance_state._state_reader", lambda: read
        )

    return set_airflow_state


class TestInTriggerer:
    @pytest.mark.parametrize("task_state", ["failed", "success", "skipped", "scheduled", "queued", None])
    def test_trigger_cancelled_task_over_stops_render(
        self, task_state, created, state, set_airflow_state, cancelled
    ):
        trigger, _ = deferred(submit(created))
        set_airflow_state(task_state)
        cancelled(trigger)
        assert state(created) == "STOP"

    @pytest.mark.parametrize("task_state", ["running", "deferred", "restarting"])
    def test_trigger_cancelled_task_active_keeps_render(
        self, task_state, created, state, set_airflow_state, cancelled
    ):
        trigger, _ = deferred(submit(created))
        set_airflow_state(task_state)
        cancelled(trigger)
        assert state(created) != "STOP"

    def test_trigger_cancelled_state_unknown_stops_only_on_kill(
        self, created, state, set_airflow_state, cancelled
    ):
        """Since 3.3 Airflow reports a kill; before, the triggerer may just be shutting down."""
        trigger, _ = deferred(submit(created))
        set_airflow_state(OSError("gone"))
        cancelled(trigger)
        assert (state(created) == "STOP") is CALLS_ON_KILL

    def test_trigger_cancelled_without_cancel_on_kill_keeps_render(
        self, created, state, set_airflow_state, cancelled
    ):
        set_airflow_state("failed")
        cancelled(deferred(submit(created, cancel_on_kill=False))[0])
        assert state(created) != "STOP"

    def test_trigger_cancelled_stop_fails_is_retried(
        self, created, state, set_airflow_state, farm, cancelled
    ):
        trigger, _ = deferred(submit(created))
        set_airflow_state("failed")
        farm.inject("status", status=503, calls=["stop_task"], times=3)
        cancelled(trigger)
        assert state(created) == "STOP"

    def test_trigger_cancelled_stop_refused_logs_error(
        self, created, set_airflow_state, farm, caplog, cancelled
    ):
        trigger, _ = deferred(submit(created))
        set_airflow_state("failed")
        farm.inject("code", code=403, calls=["stop_task"])
        cancelled(trigger)
        (error,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert f"render {created} could not be stopped, may still be running" in error.message

    def test_trigger_many_cancelled_stop_in_batches(self, client, farm, created, monkeypatch):
        """Airflow gives each trigger 30 s; one by one, their queries alone would take longer."""
        queries = []

        def read(run, tasks):
            queries.append(run)
            return {task: "failed" if task.map_index % 10 else "running" for task in tasks}

        monkeypatch.setattr(
            "airflow_provider_renderbus.polling.task_instance_state._state_reader", lambda: read
        )
        render_task_ids = [
            each for count in (100, 100, 50) for each in client.send(calls.create_task(count=count)).ids
        ]
        for render_task_id in render_task_ids:
            client.send(calls.upload_task_json(render_task_id, json.dumps(make_task_json())))
            client.send(calls.submit_task(render_task_id))

        async def kill_all():
            triggers = []
            for index, render_task_id in enumerate(render_task_ids):
                trigger = RenderbusTaskTrigger(
                    "renderbus_default",
                    [render_task_id],
                    [25],
                    None,
                    60.0,
                    time.time() + 3600,
                    cancel_on_kill=True,
                )
                trigger.task_instance = TaskInstance()
                trigger.task_instance.map_index = index
                triggers.append(trigger._stop_on_cancel(if_unknown=True))
            before = sum(farm.request_counts.values())
            await asyncio.gather(*triggers)
            return sum(farm.request_counts.values()) - before

        assert asyncio.run(kill_all()) == 9  # three pages: query, stop, query
        assert len(queries) == 1
        states = client.run(flows.get_tasks(render_task_ids))
        assert [states[render_task_id].status.name for render_task_id in render_task_ids[:11]] == [
            "WAITING",
            *["STOP"] * 9,
            "WAITING",
        ]

    def test_trigger_cancelled_does_not_look_up_connection(
        self, created, state, set_airflow_state, monkeypatch, cancelled
    ):
        """Connection lookups go through Airflow one by one and take seconds on a busy machine."""
        trigger, _ = deferred(submit(created))
        lookups = []
        settings = RenderbusHook.async_settings

        async def count_lookups(hook):
            lookups.append(hook)
            return await settings(hook)

        monkeypatch.setattr(RenderbusHook, "async_settings", count_lookups)
        set_airflow_state("failed")
        cancelled(trigger)
        assert state(created) == "STOP"
        assert len(lookups) == 1

    def test_sensor_trigger_cancelled_stops_only_with_cancel_on_kill(
        self, submitted, state, set_airflow_state, cancelled
    ):
        arguments = {"task_id": "wait", "render_task_id": submitted, "deferrable": True, "poke_interval": 60}
        keeps_render, stops_render = (
            deferred(RenderbusTaskSensor(cancel_on_kill=cancel, **arguments))[0] for cancel in (False, True)
        )
        set_airflow_state("failed")
        cancelled(keeps_render)
        assert state(submitted) != "STOP"
        cancelled(stops_render)
        assert state(submitted) == "STOP"


@pytest.mark.skipif(not CALLS_ON_KILL, reason="Airflow before 3.3 marks no kill")
class TestMarkOfUserAction:
    """Airflow 3.3 awaits a log call before on_kill, which the next cancellation can interrupt."""

    def test_mark_is_airflows(self):
        from airflow.jobs.triggerer_job_runner import _USER_ACTION_CANCEL_MSG  # noqa: PLC0415 - newer Airflow

        assert USER_ACTION == _USER_ACTION_CANCEL_MSG

    def run_cancelled(self, trigger, farm, *messages, on_kill=False):
        """Cancel a trigger that waits with these messages, and wait until it does nothing any more."""

        async def run():
            polls = farm.request_counts["query_task_info"]
            waiting = asyncio.ensure_future(first_event(trigger))
            while farm.request_counts["query_task_info"] == polls:  # noqa: ASYNC110 - the farm has no event
                await asyncio.sleep(0.01)
            for message in messages:
                waiting.cancel(message)
            await asyncio.wait([waiting])
            assert waiting.cancelled()
            if on_kill:
                await trigger.on_kill()
            if trigger._stopping is not None:
                await trigger._stopping

        asyncio.run(asyncio.wait_for(run(), 30))

    def test_trigger_cancelled_again_before_on_kill_stops_render(
        self, created, state, set_airflow_state, farm
    ):
        trigger, _ = deferred(submit(created))
        set_airflow_state("failed")
        self.run_cancelled(trigger, farm, USER_ACTION, USER_ACTION)
        assert state(created) == "STOP"

    def test_trigger_cancelled_between_its_result_and_its_event_stops_render(
        self, created, state, set_airflow_state, monkeypatch
    ):
        from airflow.sdk.execution_time import task_runner  # noqa: PLC0415 - Airflow 3 only

        comms = type("TriggerCommsDecoder", (), {})()
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
        trigger, _ = deferred(submit(created))
        trigger.version += 1  # its result is that the worker must wait or stop
        set_airflow_state("failed")
        is_read = threading.Event()

        async def run():
            loop_logger._writer.put(is_read.wait)
            waiting = asyncio.ensure_future(first_event(trigger))
            await asyncio.sleep(0)
            waiting.cancel(USER_ACTION)
            await asyncio.wait([waiting])
            assert waiting.cancelled()
            is_read.set()
            await trigger._stopping

        asyncio.run(asyncio.wait_for(run(), 30))
        assert state(created) == "STOP"

    def test_trigger_cancelled_and_on_kill_stop_once(self, created, state, set_airflow_state, farm):
        trigger, _ = deferred(submit(created))
        set_airflow_state("failed")
        self.run_cancelled(trigger, farm, USER_ACTION, on_kill=True)
        assert state(created) == "STOP"
        assert farm.request_counts["stop_task"] == 1

    @pytest.mark.parametrize("task_state", ["running", "deferred"])
    def test_trigger_whose_task_is_active_keeps_render(
        self, task_state, created, state, set_airflow_state, farm
    ):
        """A triggerer that lost the trigger to another one cancels it with the same mark."""
        trigger, _ = deferred(submit(created))
        set_airflow_state(task_state)
        self.run_cancelled(trigger, farm, USER_ACTION)
        assert state(created) != "STOP"

    def test_trigger_of_triggerer_that_ends_keeps_render(self, created, state, set_airflow_state, farm):
        trigger, _ = deferred(submit(created))
        set_airflow_state("failed")
        self.run_cancelled(trigger, farm, None)
        assert state(created) != "STOP"

    def test_trigger_without_cancel_on_kill_keeps_render(self, created, state, set_airflow_state, farm):
        trigger, _ = deferred(submit(created, cancel_on_kill=False))
        set_airflow_state("failed")
        self.run_cancelled(trigger, farm, USER_ACTION)
        assert state(created) != "STOP"

    def test_trigger_that_cannot_stop_names_the_render_with_its_url(
        self, created, set_airflow_state, farm, connection, caplog
    ):
        trigger, _ = deferred(submit(created))
        set_airflow_state("failed")
        farm.inject("code", code=403, calls=["stop_task"])
        self.run_cancelled(trigger, farm, USER_ACTION)
        url = connection["extra"]["console_url"].format(render_task_id=created)
        (error,) = [record.message for record in caplog.records if record.levelno >= logging.ERROR]
        assert f"render {created} could not be stopped" in error
        assert url in error


class TestNewerTry:
    def test_newer_try_stop_in_first_minute_restarts_render(self, created, client, state):
        deferred(submit(created))
        trigger, kwargs = deferred(submit(created), try_number=2)
        client.send(calls.stop_task([created]))
        event = asyncio.run(first_event(trigger))
        with pytest.raises(TaskDeferred) as deferral:
            submit(created).execute_complete(context(2), event.payload, **kwargs)
        assert state(created) == "WAITING"
        assert deferral.value.kwargs == kwargs

    def test_newer_try_stop_by_a_user_after_first_minute_fails(self, created, farm):
        deferred(submit(created))
        trigger, kwargs = deferred(submit(created), try_number=2)
        trigger.ignore_stops_until -= 61
        farm.stop(created, "user")
        event = asyncio.run(first_event(trigger))
        with pytest.raises(AirflowFailException, match=": STOP "):
            submit(created).execute_complete(context(2), event.payload, **kwargs)

    def test_newer_try_api_stop_after_first_minute_restarts_render_once(self, created, client, state):
        """The try before may have been frozen for hours."""
        deferred(submit(created))
        trigger, kwargs = deferred(submit(created), try_number=2)
        kwargs["wait"]["ignore_stops_until"] = trigger.ignore_stops_until = 1.0
        client.send(calls.stop_task([created]))
        event = asyncio.run(first_event(trigger))
        with pytest.raises(TaskDeferred) as deferral:
            submit(created).execute_complete(context(2), event.payload, **kwargs)
        assert state(created) == "WAITING"
        client.send(calls.stop_task([created]))
        event = asyncio.run(first_event(deferral.value.trigger))
        with pytest.raises(AirflowFailException, match=": STOP "):
            submit(created).execute_complete(context(2), event.payload, **deferral.value.kwargs)

    def test_newer_try_on_worker_stop_restarts_render(self, submitted, client, farm, hook_sleeps):
        stops = iter([True])

        def sleep(seconds):
            if next(stops, False):
                client.send(calls.stop_task([submitted]))
            else:
                farm.advance(600)

        hook_sleeps(sleep)
        assert submit(submitted, deferrable=False).execute(context(2))["state"] == "FINISHED"

    def test_newer_try_already_stopped_restarts_render(self, submitted, client, state):
        client.send(calls.stop_task([submitted]))
        deferred(submit(submitted), try_number=2)
        assert state(submitted) == "WAITING"

    def test_first_try_already_stopped_keeps_stop(self, submitted, client, state):
        client.send(calls.stop_task([submitted]))
        with pytest.raises(AirflowFailException, match=": STOP "):
            submit(submitted).execute(context())
        assert state(submitted) == "STOP"

    @pytest.mark.parametrize("options", [{"deferrable": True}, {}])
    def test_newer_try_sensor_with_cancel_on_kill_restarts_render(self, options, submitted, client, state):
        client.send(calls.stop_task([submitted]))
        sensor = RenderbusTaskSensor(
            task_id="wait", render_task_id=submitted, cancel_on_kill=True, timeout=0, **options
        )
        with pytest.raises((TaskDeferred, AirflowSensorTimeout)):
            sensor.execute(context(2))
        assert state(submitted) == ("WAITING" if options else "STOP")  # on the worker its timeout has passed


# A signal during a request leaves its socket to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
class TestOnWorker:
    def kill(self, task, render_task_id, client):
        """Send SIGTERM to this process as soon as the task waits for its rkiller."""
        deadline = time.monotonic() + 30
        while (
            not task.owned_render_task_ids
            or not client.send(calls.query_task_info([render_task_id]))[render_task_id].is_submitted
        ):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)

    @pytest.fixture
    def terminated(self, client):
        """Runs a task and sends it SIGTERM while it waits, as Airflow does."""

        def terminated(task, render_task_id):
            before = signal.signal(signal.SIGTERM, lambda *_: task.on_kill())
            killer = threading.Thread(target=self.kill, args=(task, render_task_id, client))
            killer.start()
            try:
                task.execute(context())
            finally:
                killer.join()
                signal.signal(signal.SIGTERM, before)

        yield terminated
        # Only now has the exception released its stack frames.
        gc.collect()

    @pytest.mark.parametrize("cancel_on_kill", [True, False])
    def test_operator_sigterm_stops_render_if_cancel_on_kill(
        self, created, terminated, state, cancel_on_kill
    ):
        task = submit(created, deferrable=False, cancel_on_kill=cancel_on_kill, timeout=1, poll_interval=0.1)
        expected = SystemExit if cancel_on_kill else AirflowException
        with pytest.raises(expected) as raised:
            terminated(task, created)
        assert (state(created) == "STOP") is cancel_on_kill
        assert ("Killed: " in str(raised.value)) is cancel_on_kill

    def test_sensor_sigterm_with_cancel_on_kill_stops_render(self, submitted, terminated, state):
        task = RenderbusTaskSensor(task_id="wait", render_task_id=submitted, cancel_on_kill=True)
        with pytest.raises(SystemExit):
            terminated(task, submitted)
        assert state(submitted) == "STOP"

    def test_operator_on_kill_before_submit_stops_nothing(self, created, state):
        with pytest.raises(SystemExit, match="no render was submitted yet"):
            submit(created).on_kill()
        assert state(created) == "WAITING"

    def test_operator_execution_timeout_stops_render(self, submitted, state):
        task = submit(submitted)
        task.owned_render_task_ids = [submitted]
        with contextlib.suppress(AirflowTaskTimeout):
            _time_out(task)
        assert state(submitted) == "STOP"

    def test_operator_execution_timeout_before_resume_stops_render(self, submitted, state, monkeypatch):
        monkeypatch.setattr("airflow_provider_renderbus.compat.get_current_context", context, raising=False)
        with contextlib.suppress(AirflowTaskTimeout):
            _time_out(submit(submitted))
        assert state(submitted) == "STOP"

    def test_operator_killed_during_submit_does_not_defer(self, created, state, set_airflow_state):
        """Airflow signals a process only at its next heartbeat, when the process may have exited."""
        set_airflow_state("failed")
        with pytest.raises(AirflowException, match="Killed: "):
            submit(created).execute(context())
        assert state(created) == "STOP"


def _time_out(task):
    """Time out a task as Airflow does at execution_timeout."""
    try:
        raise AirflowTaskTimeout  # noqa: TRY301 - Airflow's alarm raises it here
    except AirflowTaskTimeout:
        task.on_kill()
        raise
