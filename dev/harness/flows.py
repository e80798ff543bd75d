"""Runs the client's flows without a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_renderbus.clients.flows import Flow


def run_flow(flow: Flow[Any], respond: Callable[[Any], Any]) -> Any:
    """Run a flow to its end, and return its result.

    :param respond: returns the result of a call.
    """
    results = None
    while True:
        try:
            batch = flow.send(results)  # type: ignore[arg-type]  # None starts a generator
        except StopIteration as end:
            return end.value
        results = [respond(call) for call in batch]
