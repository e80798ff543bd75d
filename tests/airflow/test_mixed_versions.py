"""Workers and triggerers of different versions: no order of an upgrade costs a retry or stops a render."""

import asyncio
import time

import pytest

from airflow_provider_renderbus.compat import TaskDeferred
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from airflow_provider_renderbus.operators.tasks import RenderbusSubmitTaskOperator
from airflow_provider_renderbus.sensors.conditions import RenderbusFundsSensor
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger
from tests.airflow.context import StateStore, context
from tests.airflow.deferring import deferred, submit
from tests.airflow.trigger_events import first_event
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection")

# The arguments of the version before `ignore_api_stop`.
OLD_ARGUMENTS = {
    "renderbus_conn_id",
    "render_task_ids",
    "target_states",
    "failed_states",
    "poll_interval",
    "deadline",
    "cancel_on_kill",
    "ignore_stops_until",
    "max_cost",
    "stop_over_budget",
    "version",
}


class OldTaskTrigger(RenderbusTaskTrigger):
    """The trigger of an older version, which has fewer arguments."""

    def __init__(self, **arguments):
        if unknown := sorted(arguments.keys() - OLD_ARGUMENTS):
            raise TypeError(
                f"RenderbusTaskTrigger.__init__() got an unexpected keyword argument {unknown[0]!r}"
            )
        super().__init__(**arguments)


def resumed(operator, deferral, context, trigger_class=None):
    """Run the trigger of a deferral in a triggerer, and resume the operator on a worker, as Airflow does.

    :param trigger_class: that of the triggerer's version.
    """
    _, arguments = deferral.trigger.serialize()
    try:
        trigger = (trigger_class or type(deferral.trigger))(**arguments)
    except TypeError as error:
        failure = {"error": "Trigger failure", "traceback": [f"TypeError: {error}\n"]}
        return operator.resume_execution("__fail__", failure, context)
    event = asyncio.run(first_event(trigger))
    kwargs = {**(deferral.kwargs or {}), "event": event.payload}
    return operator.resume_execution(deferral.method_name, kwargs, context)


def deferral_of(operator, context):
    with pytest.raises(TaskDeferred) as deferral:
        operator.execute(context)
    return deferral.value


def test_serialize_leaves_out_arguments_at_their_default():
    trigger = RenderbusTaskTrigger("conn", [35], [25], None, 60.0, 1e9)
    _, arguments = trigger.serialize()
    assert arguments == {
        "renderbus_conn_id": "conn",
        "render_task_ids": [35],
        "target_states": [25],
        "failed_states": None,
        "poll_interval": 60.0,
        "deadline": 1e9,
        "version": RenderbusTaskTrigger.ARGUMENTS_VERSION,
    }
    assert RenderbusTaskTrigger(**arguments).serialize() == trigger.serialize()


def test_serialize_keeps_arguments_that_differ_from_their_default():
    options = {
        "cancel_on_kill": True,
        "ignore_stops_until": 5.0,
        "max_cost": "1",
        "stop_over_budget": False,
        "ignore_api_stop": True,
    }
    _, arguments = RenderbusTaskTrigger("conn", [35], [25], [30], 60.0, 1e9, **options).serialize()
    assert options.items() <= arguments.items()


class TestWorkersFirst:
    def test_old_triggerer_reads_wait_that_uses_nothing_new(self, farm, created):
        operator = submit(created, max_cost=100, poll_interval=0.1)
        deferral = deferral_of(operator, context())
        farm.advance(3600)
        assert resumed(operator, deferral, context(), OldTaskTrigger)["state"] == "FINISHED"

    @pytest.mark.parametrize("cancel_on_kill", [True, False])
    def test_worker_waits_for_reattached_render_that_old_triggerer_cannot_read(
        self, cancel_on_kill, farm, submitted, hook_sleeps, caplog
    ):
        hook_sleeps(lambda seconds: farm.advance(max(seconds, 600)))
        operator = submit(submitted, cancel_on_kill=cancel_on_kill)
        deferral = deferral_of(operator, context(2))
        assert resumed(operator, deferral, context(2), OldTaskTrigger)["state"] == "FINISHED"
        assert farm.request_counts["stop_task"] == 0
        assert (
            f"Render {submitted}: its trigger has failed in the triggerer, this worker waits" in caplog.text
        )

    def test_render_operator_finds_its_render_and_waits(self, farm, hook_sleeps):
        hook_sleeps(lambda seconds: farm.advance(max(seconds, 600)))
        store = {"task_state_store": StateStore()}
        options = {"task_json": make_task_json(), "poll_interval": 60, "deferrable": True}
        first, retry = (RenderbusRenderOperator(task_id="render", **options) for _ in range(2))
        deferral_of(first, context() | store)
        deferral = deferral_of(retry, context(2) | store)
        assert resumed(retry, deferral, context(2) | store, OldTaskTrigger)["state"] == "FINISHED"
        assert (farm.request_counts["submit_task"], farm.request_counts["stop_task"]) == (1, 0)

    def test_sensor_waits_on_worker(self, farm, submitted, hook_sleeps):
        hook_sleeps(lambda seconds: farm.advance(max(seconds, 600)))
        sensor = RenderbusTaskSensor(
            task_id="wait", render_task_id=submitted, deferrable=True, cancel_on_kill=True, poke_interval=60
        )
        deferral = deferral_of(sensor, context(2))
        assert resumed(sensor, deferral, context(2), OldTaskTrigger)["state"] == "FINISHED"
        assert farm.request_counts["stop_task"] == 0

    def test_sensor_of_condition_waits_on_worker(self, farm, hook_sleeps):
        hook_sleeps(lambda seconds: farm.top_up("100000"))
        sensor = RenderbusFundsSensor(task_id="wait", min_funds=100_000, deferrable=True, poke_interval=60)
        failure = {"error": "Trigger failure", "traceback": ["TypeError: RenderbusConditionTrigger\n"]}
        assert sensor.resume_execution("__fail__", failure, context())

    @pytest.mark.parametrize("kind", ["submit", "sensor"])
    def test_trigger_that_reports_newer_arguments_is_waited_for_on_worker(
        self, kind, farm, submitted, hook_sleeps
    ):
        hook_sleeps(lambda seconds: farm.advance(max(seconds, 600)))
        operator = (
            submit(submitted)
            if kind == "submit"
            else RenderbusTaskSensor(task_id="wait", render_task_id=submitted, deferrable=True)
        )
        deferral = deferral_of(operator, context())
        deferral.trigger.version += 1
        assert resumed(operator, deferral, context())["state"] == "FINISHED"
        assert farm.request_counts["stop_task"] == 0

    def test_render_that_was_never_submitted_fails(self, created, farm):
        """There is nothing to wait for."""
        operator = RenderbusSubmitTaskOperator(
            task_id="submit", render_task_id=created, wait_for_completion=True, deferrable=True
        )
        with pytest.raises(Exception, match="Trigger failure"):
            operator.resume_execution("__fail__", {"error": "Trigger failure"}, context())
        assert farm.request_counts["submit_task"] == 0


class TestTriggerersFirst:
    def test_new_trigger_reads_arguments_of_older_worker(self, farm, submitted):
        arguments = {
            "renderbus_conn_id": "renderbus_default",
            "render_task_ids": [submitted],
            "target_states": [25],
            "failed_states": None,
            "poll_interval": 0.1,
            "deadline": time.time() + 60,
            "cancel_on_kill": True,
            "ignore_stops_until": 0.0,
            "max_cost": None,
            "stop_over_budget": True,
            "version": 2,
        }
        assert arguments.keys() == OLD_ARGUMENTS
        farm.advance(3600)
        event = asyncio.run(first_event(RenderbusTaskTrigger(**arguments)))
        # What an older worker reads.
        assert {"version", "outcome", "message", "result"} == event.payload.keys()
        assert event.payload["outcome"] == "succeeded"

    def test_new_worker_resumes_wait_of_older_one(self, farm, submitted):
        trigger, kwargs = deferred(submit(submitted))
        del kwargs["wait"]["ignore_api_stop"]
        farm.advance(3600)
        event = asyncio.run(first_event(trigger))
        assert submit(submitted).execute_complete(context(), event.payload, **kwargs)["state"] == "FINISHED"
