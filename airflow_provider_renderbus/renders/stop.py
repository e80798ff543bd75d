"""Stops renders until the farm confirms it, within 20 s.

`StopRequest` decides which calls to send and when a render counts as stopped. A worker drives it here;
the triggerer drives it in `polling.batched_stop`, for many triggers at once.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import RenderbusError, ServerError, TransportError, is_permanent
from airflow_provider_renderbus.api.states import Phase
from airflow_provider_renderbus.api.validation import MAX_PAGE_SIZE
from airflow_provider_renderbus.clients import flows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.clients.flows import Flow
    from airflow_provider_renderbus.renders.client import RenderClient

log = logging.getLogger(__name__)

# Seconds until a stop that is not confirmed is reported as an error.
STOP_TIMEOUT = 20.0
STOP_POLL_INTERVAL = 1.0
# A submit may still be on its way, and an answer can lack a task, so one poll without the task is not enough.
CONFIRMATIONS_IF_UNCERTAIN = 3
# The farm may refuse to stop a task because it has just ended; the next poll shows that.
_MAX_REFUSALS = 3


class StopRequest:
    """Renders to stop, and those of them whose stop the farm has not confirmed.

    :param confirmations: how many polls in a row must show a render idle: more than one if a request that
        starts it may still be on its way.
    """

    def __init__(self, task_ids: Iterable[int], confirmations: int = 1) -> None:
        self.pending = list(task_ids)
        self._pages = [
            self.pending[start : start + MAX_PAGE_SIZE]
            for start in range(0, len(self.pending), MAX_PAGE_SIZE)
        ]
        self._confirmations = confirmations
        self._last_error: object = "the farm has not confirmed it in time"
        self._refusals: Counter[int] = Counter()
        self._idle_polls: Counter[int] = Counter()

    def pages(self) -> list[list[int]]:
        """Return the pending renders in pages to stop together, without those permanently refused."""
        pages = ([task_id for task_id in page if task_id in self.pending] for page in self._pages)
        self._pages = [page for page in pages if page and self._refusals[page[0]] < _MAX_REFUSALS]
        return self._pages

    def stop_page(self, page: list[int]) -> Flow[None]:
        """Stop the running renders of one of :meth:`pages`, and poll them."""
        tasks = yield from flows.get_tasks(page)
        running = [task_id for task_id in page if task_id in tasks and _is_running(tasks[task_id])]
        if running:
            yield [calls.stop_task(running)]
            tasks |= yield from flows.get_tasks(running)
        confirmed = {task_id for task_id in page if self._is_confirmed(task_id, tasks.get(task_id))}
        self.pending = [task_id for task_id in self.pending if task_id not in confirmed]

    def record_error(self, error: Exception, page: list[int]) -> None:
        """Note that a page was not stopped; split it if one of its renders may be the cause.

        A render that cannot be stopped yet is tried again until the time is over.
        """
        self._last_error = error
        if isinstance(error, TransportError | ServerError):
            return
        if len(page) == 1:
            self._refusals[page[0]] += isinstance(error, RenderbusError) and is_permanent(error)
        elif page in self._pages:
            middle = len(page) // 2
            self._pages.remove(page)
            self._pages += [page[:middle], page[middle:]]

    def result_message(self, task_ids: Sequence[int], console_url: Callable[[int], str] | None = None) -> str:
        """Return what has become of renders, and log an error if one may still be running.

        :param console_url: returns the URL of a render in the web console, if that is known.
        """
        pending = [task_id for task_id in task_ids if task_id in self.pending]
        if not pending:
            return f"{_label(task_ids)} {'is' if len(task_ids) == 1 else 'are'} no longer running"
        message = (
            f"{_label(pending)} could not be stopped, may still be running and cost money: "
            f"stop from the web console"
        )
        if console_url is not None:
            message += f", {' '.join(map(console_url, pending))}"
        log.error("%s (%s)", message, self._last_error)
        return message

    def _is_confirmed(self, task_id: int, task: TaskInfo | None) -> bool:
        if task is not None and _is_running(task):
            self._idle_polls[task_id] = 0
            return False
        self._idle_polls[task_id] += 1
        is_certain = task is not None and task.is_submitted
        required = self._confirmations if is_certain else CONFIRMATIONS_IF_UNCERTAIN
        return self._idle_polls[task_id] >= required


def stop_renders(client: RenderClient, task_ids: Sequence[int], confirmations: int = 1) -> str:
    """Stop renders from a worker, and return what has become of them, for a message.

    The connection must have been loaded before: in a process that is being killed, a look-up does not return.

    :param confirmations: as for :class:`StopRequest`.
    """
    return stop_and_confirm(client, StopRequest(task_ids, confirmations)).result_message(
        task_ids, client.console_url
    )


def stop_and_confirm(client: RenderClient, request: StopRequest) -> StopRequest:
    """Drive a stop request until the farm has confirmed all stops or the timeout is reached."""
    clock = client.clock
    deadline = clock.monotonic() + STOP_TIMEOUT
    while pages := list(request.pages()):
        for page in pages:
            try:
                with client.no_retry_client() as no_retry_client:
                    no_retry_client.run(request.stop_page(page))
            except Exception as error:  # noqa: BLE001 - whatever it is, the other pages must be stopped
                request.record_error(error, page)
        if not request.pages() or clock.monotonic() >= deadline:
            break
        clock.sleep(STOP_POLL_INTERVAL)
    return request


def _is_running(task: TaskInfo) -> bool:
    return task.is_submitted and task.status.phase is Phase.ACTIVE


def _label(task_ids: Sequence[int]) -> str:
    return f"render{'' if len(task_ids) == 1 else 's'} {', '.join(map(str, task_ids))}"
