"""A killed Airflow task stops its render, unless a newer try or another triggerer has it."""

import asyncio
import contextlib
import gc
import json
import logging
import signal
import threading
import time

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowTaskTimeout,
    TaskDeferred,
)
from airflow.triggers.base import BaseTrigger

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger
from tests.airflow.context import TaskInstance, context
from tests.airflow.deferring import deferred, submit
from tests.scenes import task_json

pytestmark = pytest.mark.usefixtures("connection", "no_pause_before_a_stop")
CALLS_ON_KILL = hasattr(BaseTrigger, "on_kill")


@pytest.fixture
def cancelled(farm):
    """Cancel a trigger while it waits, as this version of Airflow does when a person acts on the task."""

    async def run(trigger):
        async def first():
            await anext(aiter(trigger.run()))

        asked = farm.request_counts["query_task_info"]
        waiting = asyncio.ensure_future(first())
        for _ in range(3000):
            if farm.request_counts["query_task_info"] > asked:
                break
            await asyncio.sleep(0.01)
        else:
            pytest.fail("the trigger has not asked the farm for half a minute")
        waiting.cancel()
        if CALLS_ON_KILL:
            await asyncio.wait([waiting])
            waiting = asyncio.ensure_future(trigger.on_kill())
        # Airflow cancels again and again while that goes on.
        for _ in range(3):
            await asyncio.sleep(0.01)
            waiting.cancel()
        await asyncio.wait([waiting])

    return lambda trigger: asyncio.run(run(trigger))


@pytest.fixture
def airflow_says(monkeypatch):
    """Lets Airflow tell a state of the task, or fail to."""

    def airflow_says(state):
        def read(_, tasks):
            if isinstance(state, Exception):
                raise state
            return dict.fromkeys(tasks, state)

        monkeypatch.setattr(
            "airflow_provider_renderbus.polling.task_instance_state._state_reader", lambda: read
        )

    return airflow_says


class TestInTheTriggerer:
    @pytest.mark.parametrize("over", ["failed", "success", "skipped", "scheduled", "queued", None])
    def test_the_render_of_a_task_that_is_over_is_stopped(
        self, over, created, state, airflow_says, cancelled
    ):
        trigger, _ = deferred(submit(created))
        airflow_says(over)
        cancelled(trigger)
        assert state(created) == "STOP"

    @pytest.mark.parametrize("owned", ["running", "deferred", "restarting"])
    def test_a_render_that_somebody_else_has_goes_on(self, owned, created, state, airflow_says, cancelled):
        trigger, _ = deferred(submit(created))
        airflow_says(owned)
        cancelled(trigger)
        assert state(created) != "STOP"

    def test_an_airflow_that_does_not_answer(self, created, state, airflow_says, cancelled):
        """It told of a kill, since 3.3; before, this may as well be the end of the triggerer."""
        trigger, _ = deferred(submit(created))
        airflow_says(OSError("gone"))
        cancelled(trigger)
        assert (state(created) == "STOP") is CALLS_ON_KILL

    def test_who_does_not_want_it_is_left_alone(self, created, state, airflow_says, cancelled):
        airflow_says("failed")
        cancelled(deferred(submit(created, cancel_on_kill=False))[0])
        assert state(created) != "STOP"

    def test_a_farm_that_is_down_is_tried_again(self, created, state, airflow_says, farm, cancelled):
        trigger, _ = deferred(submit(created))
        airflow_says("failed")
        farm.inject("status", status=503, calls=["stop_task"], times=3)
        cancelled(trigger)
        assert state(created) == "STOP"

    def test_what_cannot_be_stopped_is_said_loudly(self, created, airflow_says, farm, caplog, cancelled):
        trigger, _ = deferred(submit(created))
        airflow_says("failed")
        farm.inject("code", code=403, calls=["stop_task"])
        cancelled(trigger)
        (error,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert f"task {created} could not be stopped: it may still be running" in error.message

    def test_a_thousand_are_stopped_together(self, client, farm, created, monkeypatch):
        """Airflow gives each 30 s; one by one, their questions alone would take longer."""
        asked = []

        def read(run, tasks):
            asked.append(run)
            return {task: "failed" if task.map_index % 10 else "running" for task in tasks}

        monkeypatch.setattr(
            "airflow_provider_renderbus.polling.task_instance_state._state_reader", lambda: read
        )
        numbers = [
            each for count in (100, 100, 50) for each in client.send(calls.create_task(count=count)).ids
        ]
        for number in numbers:
            client.send(calls.upload_task_json(number, json.dumps(task_json())))
            client.send(calls.submit_task(number))

        async def kill_all():
            triggers = []
            for index, number in enumerate(numbers):
                trigger = RenderbusTaskTrigger(
                    "renderbus_default", [number], [25], None, 60.0, time.time() + 3600, cancel_on_kill=True
                )
                trigger.task_instance = TaskInstance()
                trigger.task_instance.map_index = index
                triggers.append(trigger._stop_on_cancel(if_unknown=True))
            before = sum(farm.request_counts.values())
            await asyncio.gather(*triggers)
            return sum(farm.request_counts.values()) - before

        assert asyncio.run(kill_all()) == 9  # three pages: look, stop, look
        assert len(asked) == 1
        states = client.run(flows.get_tasks(numbers))
        assert [states[number].status.name for number in numbers[:11]] == [
            "WAITING",
            *["STOP"] * 9,
            "WAITING",
        ]

    def test_a_kill_looks_no_connection_up(self, created, state, airflow_says, monkeypatch, cancelled):
        """Each look-up asks Airflow, one after the other, and on a busy machine takes seconds."""
        trigger, _ = deferred(submit(created))
        looked_up = []
        settings = RenderbusHook.async_settings

        async def counted(hook):
            looked_up.append(hook)
            return await settings(hook)

        monkeypatch.setattr(RenderbusHook, "async_settings", counted)
        airflow_says("failed")
        cancelled(trigger)
        assert state(created) == "STOP"
        assert len(looked_up) == 1

    def test_a_sensor_leaves_renders_alone_unless_it_is_told_to(
        self, submitted, state, airflow_says, cancelled
    ):
        watching = {"task_id": "wait", "render_task_id": submitted, "deferrable": True, "poke_interval": 60}
        careless, careful = (
            deferred(RenderbusTaskSensor(cancel_on_kill=cancel, **watching))[0] for cancel in (False, True)
        )
        airflow_says("failed")
        cancelled(careless)
        assert state(submitted) != "STOP"
        cancelled(careful)
        assert state(submitted) == "STOP"


class TestANewerTry:
    def test_a_stop_that_arrives_in_its_first_minute_was_meant_for_the_old_one(self, created, client, state):
        deferred(submit(created))
        trigger, kwargs = deferred(submit(created), try_number=2)
        client.send(calls.stop_task([created]))
        event = asyncio.run(anext(aiter(trigger.run())))
        with pytest.raises(TaskDeferred) as again:
            submit(created).execute_complete(context(2), event.payload, **kwargs)
        assert state(created) == "WAITING"
        assert again.value.kwargs == kwargs

    def test_later_it_is_a_persons(self, created, client, monkeypatch):
        deferred(submit(created))
        trigger, kwargs = deferred(submit(created), try_number=2)
        client.send(calls.stop_task([created]))
        now = time.time()
        monkeypatch.setattr("airflow_provider_renderbus.triggers.tasks.time.time", lambda: now + 61)
        event = asyncio.run(anext(aiter(trigger.run())))
        with pytest.raises(AirflowFailException, match="is STOP"):
            submit(created).execute_complete(context(2), event.payload, **kwargs)

    def test_on_a_worker_it_is_started_again_too(self, submitted, client, farm, monkeypatch):
        stops = iter([True])

        def sleep(seconds):
            if next(stops, False):
                client.send(calls.stop_task([submitted]))
            else:
                farm.advance(600)

        monkeypatch.setattr("time.sleep", sleep)
        assert submit(submitted, deferrable=False).execute(context(2))["state"] == "FINISHED"

    def test_what_an_earlier_try_stopped_is_started_again(self, submitted, client, state):
        client.send(calls.stop_task([submitted]))
        deferred(submit(submitted), try_number=2)
        assert state(submitted) == "WAITING"

    def test_what_a_person_stopped_before_the_first_try_is_not(self, submitted, client, state):
        client.send(calls.stop_task([submitted]))
        deferred(submit(submitted))
        assert state(submitted) == "STOP"

    @pytest.mark.parametrize("options", [{"deferrable": True}, {}])
    def test_a_sensor_that_answers_for_renders_starts_them_again(self, options, submitted, client, state):
        client.send(calls.stop_task([submitted]))
        sensor = RenderbusTaskSensor(
            task_id="wait", render_task_id=submitted, cancel_on_kill=True, timeout=0, **options
        )
        with pytest.raises((TaskDeferred, AirflowSensorTimeout)):
            sensor.execute(context(2))
        assert state(submitted) == ("WAITING" if options else "STOP")  # its time was over on the worker


# A signal in the midst of a request leaves its socket to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
class TestOnAWorker:
    def kill(self, task, number, client):
        """Send SIGTERM to this process as soon as the task waits for its render."""
        limit = time.monotonic() + 30
        while (
            not task.owned_render_task_ids
            or not client.send(calls.query_task_info([number]))[number].is_submitted
        ):
            assert time.monotonic() < limit
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)

    @pytest.fixture
    def terminated(self, client):
        """Runs a task and sends it SIGTERM while it waits, as Airflow does."""

        def terminated(task, number):
            before = signal.signal(signal.SIGTERM, lambda *_: task.on_kill())
            ender = threading.Thread(target=self.kill, args=(task, number, client))
            ender.start()
            try:
                task.execute(context())
            finally:
                ender.join()
                signal.signal(signal.SIGTERM, before)

        yield terminated
        # Only now has the failure let go of its frames.
        gc.collect()

    @pytest.mark.parametrize("cancel_on_kill", [True, False])
    def test_sigterm(self, created, terminated, state, cancel_on_kill):
        task = submit(created, deferrable=False, cancel_on_kill=cancel_on_kill, timeout=1, poll_interval=0.1)
        failure = SystemExit if cancel_on_kill else AirflowException
        with pytest.raises(failure) as ended:
            terminated(task, created)
        assert (state(created) == "STOP") is cancel_on_kill
        assert ("Killed: " in str(ended.value)) is cancel_on_kill

    def test_sigterm_for_a_sensor(self, submitted, terminated, state):
        task = RenderbusTaskSensor(task_id="wait", render_task_id=submitted, cancel_on_kill=True)
        with pytest.raises(SystemExit):
            terminated(task, submitted)
        assert state(submitted) == "STOP"

    def test_before_anything_is_submitted_nothing_is_stopped(self, created, state):
        with pytest.raises(SystemExit, match="answers for no render"):
            submit(created).on_kill()
        assert state(created) == "WAITING"

    def test_execution_timeout_stays_what_it_is(self, submitted, state):
        task = submit(submitted)
        task.owned_render_task_ids = [submitted]
        with contextlib.suppress(AirflowTaskTimeout):
            _time_out(task)
        assert state(submitted) == "STOP"

    def test_airflow_2_ends_a_deferred_task_before_anything_of_it_goes_on(
        self, submitted, state, monkeypatch
    ):
        monkeypatch.setattr("airflow.providers.common.compat.sdk.get_current_context", context, raising=False)
        with contextlib.suppress(AirflowTaskTimeout):
            _time_out(submit(submitted))
        assert state(submitted) == "STOP"

    def test_who_was_ended_while_it_submitted_hands_nothing_over(self, created, state, airflow_says):
        """Airflow tells a process only at its next heartbeat, when it may have gone."""
        airflow_says("failed")
        with pytest.raises(AirflowException, match="Killed: "):
            submit(created).execute(context())
        assert state(created) == "STOP"


def _time_out(task):
    """As Airflow does at execution_timeout."""
    try:
        raise AirflowTaskTimeout  # noqa: TRY301 - Airflow's alarm raises it here
    except AirflowTaskTimeout:
        task.on_kill()
        raise
