"""Stopping many at once: what the farm refuses holds nobody else up."""

import asyncio
import logging
from contextlib import nullcontext
from types import SimpleNamespace

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import BadRequest, NoAnswer
from airflow_provider_renderbus.clients import flows as sequences
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.polling import batched_stop as together
from airflow_provider_renderbus.polling import shared_poller as sharing
from airflow_provider_renderbus.polling.circuit_breaker import CircuitBreaker
from airflow_provider_renderbus.polling.error_tolerance import WarnOnce
from airflow_provider_renderbus.polling.shared_queries import SharedQueries
from airflow_provider_renderbus.renders.stop import STOP_WITHIN, Stopping
from tests.polling.virtual_time_loop import run

REFUSED = BadRequest("stop_task", 600, "")


def test_a_page_that_is_refused_is_divided_until_the_cause_stands_alone():
    stopping = Stopping([1, 2, 3, 4])
    for page in ([1, 2, 3, 4], [3, 4]):
        stopping.bear(REFUSED, page)
    assert sorted(stopping.pages()) == [[1, 2], [3], [4]]
    for _ in range(3):
        stopping.bear(REFUSED, [3])
    assert sorted(stopping.pages()) == [[1, 2], [4]]
    assert stopping.told([1, 3]).startswith("task 1, 3 could not be stopped")


def test_what_gets_no_answer_is_tried_again_as_it_is():
    stopping = Stopping(range(150))
    stopping.bear(NoAnswer("stop_task", ""), stopping.pages()[0])
    assert [len(page) for page in stopping.pages()] == [100, 50]


def test_what_is_at_rest_is_left_alone(settings):
    with Client(settings) as client:
        number = client.send(calls.create_task()).ids[0]
        stopping = Stopping([number])
        while pages := list(stopping.pages()):
            client.run(stopping.round(pages[0]))
        assert not client.run(sequences.task_info(number)).submitted
    assert stopping.told([number]) == f"task {number} does not run any more"


def test_what_goes_on_working_is_given_up_after_a_while(monkeypatch):
    """The farm answers each time, and the task works on."""

    class Client:
        async def run(self, sequence):
            sequence.close()

    async def body():
        rounds = SharedQueries(
            Client(), WarnOnce(logging.getLogger()), CircuitBreaker(30.0, lambda: 1.0), now
        )
        monkeypatch.setattr(together, "time", SimpleNamespace(time=now))
        monkeypatch.setattr(
            sharing, "shared_poller", lambda *_, **__: nullcontext(SimpleNamespace(queries=rounds))
        )
        begin = now()
        told = await together.stop_tasks("farm", 30.0, [7])
        assert "task 7 could not be stopped" in told
        assert STOP_WITHIN <= now() - begin < STOP_WITHIN + 5

    def now():
        return asyncio.get_running_loop().time()

    run(body())
