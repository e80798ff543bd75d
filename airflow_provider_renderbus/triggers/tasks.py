"""Waiting for a task to reach a state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.triggers.events import End, RenderEvent, describe, judge, unable
from airflow_provider_renderbus.triggers.poller import DeadlinePassed, poller_of
from airflow_provider_renderbus.triggers.progress import ProgressLines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

_VERSION = 1


class RenderbusTaskTrigger(BaseTrigger):
    """Waits until a task has reached a state, has failed to, or the deadline is over.

    :param renderbus_conn_id: id of the connection.
    :param number: the task's number.
    :param wanted: codes of the states that are waited for.
    :param poll_interval: seconds between two looks.
    :param deadline: the moment until which to wait, in seconds since 1970.
    :param version: of these arguments; a trigger may have been stored by an older provider.
    """

    def __init__(
        self,
        renderbus_conn_id: str,
        number: int,
        wanted: Sequence[int],
        poll_interval: float,
        deadline: float,
        version: int = _VERSION,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.renderbus_conn_id = renderbus_conn_id
        self.number = number
        self.wanted = list(wanted)
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.version = version

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger's class and arguments, as Airflow stores them."""
        kind = type(self)
        return f"{kind.__module__}.{kind.__qualname__}", {
            "renderbus_conn_id": self.renderbus_conn_id,
            "number": self.number,
            "wanted": self.wanted,
            "poll_interval": self.poll_interval,
            "deadline": self.deadline,
            "version": self.version,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: how the waiting ended."""
        yield TriggerEvent((await self._end()).payload())

    async def _end(self) -> RenderEvent:
        wanted = {TaskStatus(code) for code in self.wanted}
        lines = ProgressLines()
        last = None
        try:
            async with poller_of(self.renderbus_conn_id) as poller:
                async for task in poller.watch(self.number, self.poll_interval, self.deadline):
                    last = task
                    line = lines.line(task)
                    if line:
                        self.log.info(line)
                    event = judge(task, wanted)
                    if event:
                        return event
        except DeadlinePassed:
            pass
        except (RenderbusError, ValueError) as problem:
            return unable(self.number, problem)
        told = describe(last) if last else f"the farm could not be asked about task {self.number}"
        return RenderEvent(End.TIMED_OUT, self.number, f"the time to wait is over: {told}")
