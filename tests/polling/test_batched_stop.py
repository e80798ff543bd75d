"""Stops of many tasks: one that the farm refuses does not delay the others."""

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
from airflow_provider_renderbus.renders.stop import STOP_TIMEOUT, StopRequest
from dev.harness.virtual_time_loop import run

REFUSED = BadRequest("stop_task", 600, "")


def test_stop_request_refused_page_is_bisected_down_to_its_cause():
    request = StopRequest([1, 2, 3, 4])
    for page in ([1, 2, 3, 4], [3, 4]):
        request.record_error(REFUSED, page)
    assert sorted(request.pages()) == [[1, 2], [3], [4]]
    for _ in range(3):
        request.record_error(REFUSED, [3])
    assert sorted(request.pages()) == [[1, 2], [4]]
    assert request.result_message([1, 3]).startswith("task 1, 3 could not be stopped")


def test_stop_request_page_without_answer_stays_whole():
    request = StopRequest(range(150))
    request.record_error(NoResponse("stop_task", ""), request.pages()[0])
    assert [len(page) for page in request.pages()] == [100, 50]


def test_stop_request_idle_task_is_not_stopped(settings):
    with Client(settings) as client:
        number = client.send(calls.create_task()).ids[0]
        request = StopRequest([number])
        while pages := list(request.pages()):
            client.run(request.stop_page(pages[0]))
        assert not client.run(flows.get_task(number)).is_submitted
    assert request.result_message([number]) == f"task {number} does not run any more"


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
        assert "task 7 could not be stopped" in request.result_message([7])
        assert STOP_TIMEOUT <= now() - start < STOP_TIMEOUT + 5

    run(body())
