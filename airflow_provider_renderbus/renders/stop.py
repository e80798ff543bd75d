"""Stopping renders that nobody waits for any more: what to ask, and when it is over."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import RenderbusError, is_permanent
from airflow_provider_renderbus.api.states import Phase
from airflow_provider_renderbus.api.validation import MAX_PAGE_SIZE
from airflow_provider_renderbus.clients import flows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.clients.flows import Flow

log = logging.getLogger(__name__)

# Seconds until it is given up and said loudly.
STOP_TIMEOUT = 20.0
STOP_POLL_INTERVAL = 1.0
# A submit may still be under way and an answer can be short of a task, so one look without it is not enough.
CONFIRMATIONS_IF_UNCERTAIN = 3
# The farm may refuse to stop a task because it has just ended; the next look shows that.
_REFUSALS = 3


class StopRequest:
    """Tasks that are to be stopped, and those of them of which the farm has not confirmed it yet.

    :param numbers: the tasks' numbers.
    :param looks: how many looks in a row must show a task at rest: more than one where an order that starts
        it may still be under way.
    """

    def __init__(self, numbers: Iterable[int], looks: int = 1) -> None:
        self.pending = list(numbers)
        self._pages = [
            self.pending[first : first + MAX_PAGE_SIZE]
            for first in range(0, len(self.pending), MAX_PAGE_SIZE)
        ]
        self._looks = looks
        self._problem: object = "the farm has not confirmed it in time"
        self._refusals: Counter[int] = Counter()
        self._at_rest: Counter[int] = Counter()

    def pages(self) -> list[list[int]]:
        """Return what is open, in pages that are stopped together, but for what the farm refuses for good."""
        pages = ([number for number in page if number in self.pending] for page in self._pages)
        self._pages = [page for page in pages if page and self._refusals[page[0]] < _REFUSALS]
        return self._pages

    def stop_page(self, page: list[int]) -> Flow[None]:
        """Stop what is at work of a page, and look what has become of it.

        :param page: one of :meth:`pages`.
        """
        found = yield from flows.get_tasks(page)
        working = [number for number in page if number in found and _works(found[number])]
        if working:
            yield [calls.stop_task(working)]
            found |= yield from flows.get_tasks(working)
        closed = {number for number in page if not self._is_open(number, found.get(number))}
        self.pending = [number for number in self.pending if number not in closed]

    def record_error(self, problem: RenderbusError | ValueError, page: list[int]) -> None:
        """Take an error in place of an answer; a page that is refused is divided, for one may be the cause.

        :param problem: the error.
        :param page: the page that it came for.
        """
        self._problem = problem
        if not isinstance(problem, ValueError) and not is_permanent(problem):
            return
        if len(page) == 1:
            self._refusals[page[0]] += 1
        elif page in self._pages:
            middle = len(page) // 2
            self._pages.remove(page)
            self._pages += [page[:middle], page[middle:]]

    def result_message(self, numbers: Sequence[int]) -> str:
        """Return what has become of tasks, and say it loudly where one may still be running.

        :param numbers: the tasks' numbers.
        """
        still = [number for number in numbers if number in self.pending]
        if not still:
            return f"task {_listed(numbers)} does not run any more"
        line = (
            f"task {_listed(still)} could not be stopped: it may still be running and cost money, "
            f"so stop it on the farm's page"
        )
        log.error("%s (%s)", line, self._problem)
        return line

    def _is_open(self, number: int, task: TaskInfo | None) -> bool:
        if task is not None and _works(task):
            self._at_rest[number] = 0
            return True
        self._at_rest[number] += 1
        is_there = task is not None and task.is_submitted
        return self._at_rest[number] < (self._looks if is_there else CONFIRMATIONS_IF_UNCERTAIN)


def _works(task: TaskInfo) -> bool:
    return task.is_submitted and task.status.phase is Phase.ACTIVE


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
