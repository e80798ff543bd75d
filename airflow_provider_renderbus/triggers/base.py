"""The base class of the triggers."""

from __future__ import annotations

import asyncio
import functools
import inspect
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.polling.loop_logger import written
from airflow_provider_renderbus.polling.watchers import DeadlineExceeded
from airflow_provider_renderbus.renders.results import (
    Outcome,
    VersionMismatch,
    WaitResult,
    permanent_failure,
    timed_out,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_renderbus.polling.poller import Poller


class RenderbusTrigger(BaseTrigger):
    """Waits through the shared poller of a connection and yields one event, the result of the wait.

    `ARGUMENTS_VERSION` increases when an argument changes its meaning. Arguments of an older version are
    read, those of a newer one are refused; Airflow itself refuses arguments that do not exist. Arguments at
    their default are not stored, so that an older triggerer reads every wait that uses nothing new.
    """

    ARGUMENTS_VERSION: ClassVar[int]

    def __init__(self, renderbus_conn_id: str, poll_interval: float, deadline: float, version: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.renderbus_conn_id = renderbus_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.version = version

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and the arguments of the trigger, as Airflow stores them."""
        cls = type(self)
        arguments = {
            "renderbus_conn_id": self.renderbus_conn_id,
            **self.trigger_kwargs(),
            "poll_interval": self.poll_interval,
            "deadline": self.deadline,
        }
        defaults = _defaults(cls)
        stored = {name: value for name, value in arguments.items() if defaults.get(name, ...) != value}
        # The version that reads it may have another default.
        return f"{cls.__module__}.{cls.__qualname__}", {**stored, "version": self.version}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, the result of the wait."""
        try:
            result = await self._checked_result()
            # Here too, a kill can come before the worker learns that it has to stop the renders.
            await written()
        except asyncio.CancelledError as cancellation:
            await self.on_cancelled(cancellation)
            raise
        yield TriggerEvent(result.to_dict())

    async def _checked_result(self) -> WaitResult:
        try:
            self._check_version()
            self.check_arguments()
        except VersionMismatch as error:
            return WaitResult(Outcome.FAILED, str(error), is_unread=True)
        except ValueError as error:
            return permanent_failure(error)
        return await self._result()

    async def _result(self) -> WaitResult:
        # Loads the models, which triggers do without while a DAG is parsed.
        from airflow_provider_renderbus.polling.shared_poller import shared_poller

        try:
            async with shared_poller(self.renderbus_conn_id, self.poll_interval, self.deadline) as poller:
                return await self.wait(poller)
        except RenderbusError as error:
            return permanent_failure(error)
        except DeadlineExceeded:
            return timed_out(None)

    def _check_version(self) -> None:
        if self.version > self.ARGUMENTS_VERSION:
            raise VersionMismatch(
                f"the trigger's arguments have version {self.version}, this triggerer reads them up to "
                f"version {self.ARGUMENTS_VERSION}"
            )

    @abstractmethod
    def check_arguments(self) -> None:
        """Check the stored arguments before anything is polled.

        :raises ValueError: an argument is invalid.
        :raises VersionMismatch: another version of this provider stored what this one does not know.
        """

    async def on_cancelled(self, cancellation: asyncio.CancelledError) -> None:
        """Clean up when the triggerer cancels the wait, for whatever reason."""

    @abstractmethod
    def trigger_kwargs(self) -> dict[str, Any]:
        """Return the arguments that only this class has, as JSON."""

    @abstractmethod
    async def wait(self, poller: Poller) -> WaitResult:
        """Wait and return the result; raise RenderbusError for a refusal that later polls would meet too."""


@functools.cache
def _defaults(cls: type[RenderbusTrigger]) -> dict[str, Any]:
    """Return the defaults of a trigger's optional arguments."""
    parameters = inspect.signature(cls).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not each.empty}
