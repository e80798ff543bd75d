"""What all triggers of the farm share."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.polling.watchers import DeadlineExceeded
from airflow_provider_renderbus.renders.results import End, Event, OtherVersion, timed_out, unable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_renderbus.polling.poller import Poller


class RenderbusTrigger(BaseTrigger):
    """Waits through the poller of a connection and yields one event: how the waiting ended.

    :param renderbus_conn_id: id of the connection.
    :param poll_interval: seconds between two looks.
    :param deadline: the moment until which to wait, in seconds since 1970.
    :param version: of the arguments; a trigger may have been stored by another version of this provider.

    `ARGUMENTS_VERSION` grows when an argument changes its meaning. Older versions are read,
    newer ones are refused; an argument that is unknown here altogether is refused by Airflow itself.
    """

    ARGUMENTS_VERSION: ClassVar[int]

    def __init__(self, renderbus_conn_id: str, poll_interval: float, deadline: float, version: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.renderbus_conn_id = renderbus_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.version = version

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger's class and arguments, as Airflow stores them."""
        kind = type(self)
        return f"{kind.__module__}.{kind.__qualname__}", {
            "renderbus_conn_id": self.renderbus_conn_id,
            **self.trigger_kwargs(),
            "poll_interval": self.poll_interval,
            "deadline": self.deadline,
            "version": self.version,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: how the waiting ended."""
        from airflow_provider_renderbus.polling.shared_poller import shared_poller

        try:
            self._check_version()
            async with shared_poller(self.renderbus_conn_id, self.poll_interval, self.deadline) as poller:
                event = await self.wait(poller)
        except OtherVersion as problem:
            event = Event(End.FAILED, str(problem))
        except (RenderbusError, ValueError) as problem:
            event = unable(problem)
        except DeadlineExceeded:
            event = timed_out(None)
        except asyncio.CancelledError:
            await self.on_cancelled()
            raise
        yield TriggerEvent(event.payload())

    def _check_version(self) -> None:
        if self.version > self.ARGUMENTS_VERSION:
            raise OtherVersion(
                f"the wait was stored with version {self.version} of its arguments, the triggerer "
                f"understands them up to {self.ARGUMENTS_VERSION}"
            )

    async def on_cancelled(self) -> None:
        """Do what is to be done when the triggerer ends the waiting, for whatever reason."""

    @abstractmethod
    def trigger_kwargs(self) -> dict[str, Any]:
        """Return the arguments that only this kind of trigger has, as JSON."""

    @abstractmethod
    async def wait(self, poller: Poller) -> Event:
        """Wait, and return how it ended.

        :raises RenderbusError: the farm refused for good.
        """
