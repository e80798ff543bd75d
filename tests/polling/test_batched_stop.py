"""Stopping many at once: what the farm refuses holds nobody else up."""

import asyncio
import logging
from contextlib import nullcontext
from types import SimpleNamespace

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import BadRequest, NoResponse
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.polling.batched_stop import run_stop
from airflow_provider_renderbus.polling.circuit_breaker import CircuitBreaker
from airflow_provider_renderbus.polling.error_tolerance import WarnOnce
from airflow_provider_renderbus.polling.shared_queries import SharedQueries
from airflow_provider_renderbus.renders.stop import STOP_WITHIN, Stopping
from dev.harness.virtual_time_loop import run

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
    stopping.bear(NoResponse("stop_task", ""), stopping.pages()[0])
    assert [len(page) for page in stopping.pages()] == [100, 50]


def test_what_is_at_rest_is_left_alone(settings):
    with Client(settings) as client:
        number = client.send(calls.create_task()).ids[0]
        stopping = Stopping([number])
        while pages := list(stopping.pages()):
            client.run(stopping.round(pages[0]))
        assert not client.run(flows.get_task(number)).is_submitted
    assert stopping.told([number]) == f"task {number} does not run any more"


def test_run_stop_task_keeps_running_gives_up_after_stop_timeout():
    class Client:
        """Answers each time; the task continues."""

        async def run(self, flow):
            flow.close()

    def now():
        return asyncio.get_running_loop().time()

    async def body():
        breaker = CircuitBreaker(30.0, lambda: 1.0)
        queries = SharedQueries(Client(), WarnOnce(logging.getLogger()), "Renders", breaker, now)
        start = now()
        request = await run_stop([7], lambda _: nullcontext(SimpleNamespace(queries=queries)), now)
        assert "task 7 could not be stopped" in request.told([7])
        assert STOP_WITHIN <= now() - start < STOP_WITHIN + 5

    run(body())
