"""Metrics through Airflow's own: what renders have done and cost, and the requests to the farm.

A metric has no id of a render in its name, and no tags: a time series per render would never end. Nothing is
sent unless Airflow's configuration has metrics, and no failure of a metric reaches an Airflow task.
"""

from __future__ import annotations

import importlib
import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.states import Phase, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

log = logging.getLogger(__name__)

METRICS = {
    "renderbus.requests": "counter: requests to the farm, one per attempt of a call",
    "renderbus.request_errors": "counter: requests that were refused or had no readable response",
    "renderbus.renders.succeeded": "counter: renders that an Airflow task has waited for with success",
    "renderbus.renders.failed": "counter: renders that an Airflow task has waited for, and that failed",
    "renderbus.frames.done": "counter: frames that are done, of these renders",
    "renderbus.frames.failed": "counter: frames that have failed, of these renders",
    "renderbus.cost_cents": "counter: cost of these renders, in hundredths of the account's currency",
    "renderbus.queue_time": "timer: from the submit of a render to the start of its first frame",
    "renderbus.render_time": "timer: from the start of its first frame to the end of its last one",
}
"""What each metric counts or measures."""

# From 3.2 on, tasks and triggerers have their metrics in different modules, of which each initializes one.
_SHARED_MODULES = (
    "airflow.sdk._shared.observability.metrics.stats",
    "airflow._shared.observability.metrics.stats",
)


def count_request(*, failed: bool) -> None:
    """Count a request to the farm."""
    _send("incr", "renderbus.requests")
    if failed:
        _send("incr", "renderbus.request_errors")


def count_renders(outcome: str, renders: Iterable[Mapping[str, Any]]) -> None:
    """Count the renders whose wait has ended, except those that still render or pause.

    :param outcome: "succeeded" or "failed".
    :param renders: summaries of the renders.
    """
    for render in renders:
        try:
            _count_render(outcome, render)
        except Exception as error:  # noqa: BLE001 - see above
            log.debug("A render was not counted: %r", error)


def _count_render(outcome: str, render: Mapping[str, Any]) -> None:
    status = TaskStatus.__members__.get(str(render.get("state")), TaskStatus.UNKNOWN)
    # One that exceeds its budget fails while it is active.
    if status.phase is Phase.PAUSED or (status.phase is Phase.ACTIVE and outcome == "succeeded"):
        return
    _send("incr", f"renderbus.renders.{outcome}")
    for name in ("done", "failed"):
        if count := render["frames"][name]:
            _send("incr", f"renderbus.frames.{name}", count)
    if cents := round(Decimal(render["cost"]) * 100):
        _send("incr", "renderbus.cost_cents", cents)
    for metric, field in (
        ("renderbus.queue_time", "queue_seconds"),
        ("renderbus.render_time", "duration_seconds"),
    ):
        if (seconds := render.get(field)) is not None:
            _send("timing", metric, seconds * 1000)


def _send(method: str, *arguments: Any) -> None:
    try:
        stats = _airflow_stats()
        if stats is not None:
            getattr(stats, method)(*arguments)
    except Exception as error:  # noqa: BLE001 - see above
        log.debug("The metric %s was not sent: %r", arguments[0], error)


def _airflow_stats() -> Any:
    """Return what sends metrics in this process, None if nothing does."""
    is_shared = False
    for name in _SHARED_MODULES:
        try:
            module: Any = importlib.import_module(name)
        except ImportError:
            continue
        is_shared = True
        # A module of functions from 3.3 on, a class before.
        stats = module if hasattr(module, "_factory") else module.Stats
        if getattr(stats, "_factory", None) or getattr(stats, "factory", None):
            return stats
    return None if is_shared else importlib.import_module("airflow.stats").Stats
