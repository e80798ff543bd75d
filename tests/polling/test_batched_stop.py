"""Stops of many tasks through a poller."""

import asyncio
from contextlib import nullcontext
from types import SimpleNamespace

from airflow_provider_renderbus.polling.batched_stop import run_stop
from airflow_provider_renderbus.polling.circuit_breaker import CircuitBreaker
from airflow_provider_renderbus.polling.shared_queries import SharedQueries
from airflow_provider_renderbus.renders.stop import STOP_TIMEOUT
from dev.harness.virtual_time_loop import run


def test_run_stop_task_keeps_running_ends_after_stop_timeout():
    class Client:
        """Answers each time; the task continues."""

        async def run(self, flow):
            flow.close()

    def now():
        return asyncio.get_running_loop().time()

    async def body():
        breaker = CircuitBreaker(30.0, lambda: 1.0)
        queries = SharedQueries(Client(), breaker, now)
        start = now()
        request = await run_stop([7], lambda _: nullcontext(SimpleNamespace(queries=queries)), now)
        assert "render 7 could not be stopped" in request.result_message([7])
        assert STOP_TIMEOUT <= now() - start < STOP_TIMEOUT + 5

    run(body())
