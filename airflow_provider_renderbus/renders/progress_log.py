"""Chooses which polls of a render are logged, and warns of a render that is likely to exceed its budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from airflow_provider_renderbus.api.states import Phase
from airflow_provider_renderbus.renders.forecast import forecast, format_amount
from airflow_provider_renderbus.renders.results import describe

if TYPE_CHECKING:
    import logging
    from decimal import Decimal

    from airflow_provider_renderbus.api.models.tasks import TaskInfo

    Log: TypeAlias = logging.Logger | logging.LoggerAdapter[logging.Logger]


class ProgressLog:
    """Logs a render at each change of its state and after each tenth of its frames, never at every poll.

    The forecast in a line is made from the counters of the poll, so it needs no request.

    :param max_cost: budget of the render; once the forecast exceeds it, a warning is logged, once.
    """

    __slots__ = ("_last", "_max_cost")

    def __init__(self, max_cost: Decimal | None = None) -> None:
        self._last: tuple[int, int] | None = None
        self._max_cost = max_cost

    def write(self, task: TaskInfo, log: Log) -> None:
        """Log a line on a render, unless nothing of note has changed since the last line."""
        progress = task.progress
        tenths = 10 * progress.done // progress.total if progress.total else 0
        current = (task.status.value, tenths)
        if current == self._last:
            return
        self._last = current
        line = describe(task)
        if task.is_terminal:
            log.info(line)
            return
        expected = forecast(task)
        if expected.cost is None:
            log.info(line)
            return
        log.info("%s, forecast %s", line, format_amount(expected.cost))
        # At the pause after the test frames the frames decide, which are listed then.
        is_active = task.status.phase is Phase.ACTIVE
        if is_active and self._max_cost is not None and expected.exceeds(self._max_cost):
            log.warning(
                "Render %s: likely to exceed max_cost %s: forecast %s", task.id, self._max_cost, expected
            )
            self._max_cost = None
