"""Polls on a worker: what an exception means for the wait, and what is logged."""

import logging
from types import SimpleNamespace

import pytest

from airflow_provider_renderbus.api.errors import BadRequest, InvalidResponse, NoResponse, NotFound
from airflow_provider_renderbus.api.models.tasks import read_task
from airflow_provider_renderbus.polling.worker import ConditionWorkerPoller, TaskWorkerPoller
from airflow_provider_renderbus.renders.conditions import FramesDone, SufficientFunds
from airflow_provider_renderbus.renders.results import FINISHED, Outcome
from tests.polling.poller_harness import DOWN, WRONG_KEY

FINISHED_TASK = {"id": 35, "taskStatus": 25}


class FakeHook:
    """Answers with a task, or raises.

    :ivar errors: raised by the next polls, one each.
    """

    client = None

    def __init__(self, *errors, task=FINISHED_TASK):
        self.errors = list(errors)
        self.task = read_task(task)
        self.time = 0.0
        self.clock = SimpleNamespace(now=lambda: self.time, monotonic=lambda: self.time, sleep=self.sleep)

    def sleep(self, seconds):
        self.time += seconds

    def run(self, flow):
        flow.close()
        if self.errors:
            raise self.errors.pop(0)
        return {self.task.id: self.task}

    def refresh_credentials(self, error):
        raise error


def poll_until_end(hook, **options):
    return TaskWorkerPoller(hook, [35], FINISHED, **options).poll_until(1e6, 60.0)


@pytest.mark.parametrize(
    "error",
    [
        DOWN,
        InvalidResponse("query_task_info", "HTML"),
        UnicodeDecodeError("utf-8", b"\xd6", 0, 1, "of an address"),
        ValueError("Invalid IPv6 URL"),
        TypeError(),
        OverflowError(),
        RecursionError(),
        KeyError("items"),
        MemoryError(),
        TimeoutError(),
        OSError(),
        ExceptionGroup("of a batch", [ValueError()]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_poll_error_on_the_way_to_the_farm_continues(error, caplog):
    caplog.set_level(logging.INFO, "airflow_provider_renderbus")
    assert poll_until_end(FakeHook(error, error, error)).outcome is Outcome.SUCCEEDED
    failed, _, again = caplog.messages
    assert failed.startswith("Render 35: poll failed, polling continues: ")
    assert again == "Render 35: polling works again after 0:03:00"
    is_typed = isinstance(error, NoResponse | InvalidResponse)
    assert bool(caplog.records[0].exc_info) != is_typed


@pytest.mark.parametrize(
    "error", [WRONG_KEY, BadRequest("query_task_info", 600, ""), NotFound("query_task_info", 404, "")]
)
def test_poll_refusal_ends_the_wait(error):
    assert poll_until_end(FakeHook(error)).outcome is Outcome.FAILED_PERMANENTLY


def test_poll_invalid_field_of_the_connection_ends_the_wait():
    class Hook(FakeHook):
        @property
        def client(self):
            raise ValueError("password (access key): must not be empty")

    result = poll_until_end(Hook())
    assert (result.outcome, result.message) == (
        Outcome.FAILED_PERMANENTLY,
        "password (access key): must not be empty",
    )


@pytest.mark.parametrize("misses", [1, 2, 3])
def test_poll_missing_task_ends_the_wait_after_three_polls(misses):
    hook = FakeHook()
    missing, answered = iter([True] * misses), hook.run
    hook.run = lambda flow: {} if next(missing, False) else answered(flow)
    outcome = Outcome.FAILED_PERMANENTLY if misses == 3 else Outcome.SUCCEEDED
    assert poll_until_end(hook).outcome is outcome


def test_poll_without_state_logs_each_failed_poll(caplog):
    for _ in range(2):
        poller = TaskWorkerPoller(FakeHook(DOWN), [35], FINISHED, keeps_state=False)
        assert poller.poll() is None
    assert caplog.messages == [f"Render 35: poll failed, polling continues: {DOWN}"] * 2


@pytest.mark.parametrize("condition", [FramesDone(35), SufficientFunds("5")])
def test_poll_condition_that_cannot_be_evaluated_continues(condition, caplog):
    hook = FakeHook()
    hook.run = lambda flow: flow.throw(OverflowError("a bug"))
    poller = ConditionWorkerPoller(hook, condition)
    assert [poller.poll() for _ in range(3)] == [None] * 3
    assert [record.exc_info[0] for record in caplog.records] == [OverflowError]
