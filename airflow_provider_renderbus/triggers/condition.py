"""Waiting for frames, files or money."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.triggers.base import RenderbusTrigger
from airflow_provider_renderbus.triggers.conditions import restored
from airflow_provider_renderbus.triggers.events import Event, timed_out
from airflow_provider_renderbus.triggers.watcher import DeadlinePassed

if TYPE_CHECKING:
    from airflow_provider_renderbus.triggers.poller import Poller

# Airflow's own `self.log` would be made anew for each of thousands of triggers.
log = logging.getLogger(__name__)


class RenderbusConditionTrigger(RenderbusTrigger):
    """Waits until a condition is met, cannot be met any more, or the deadline is over.

    :param renderbus_conn_id: id of the connection.
    :param condition: the condition, as `stored` made it.
    :param poll_interval: seconds between two looks.
    :param deadline: the moment until which to wait, in seconds since 1970.
    :param version: of these arguments; a trigger may have been stored by an older provider.
    """

    def __init__(
        self,
        renderbus_conn_id: str,
        condition: dict[str, Any],
        poll_interval: float,
        deadline: float,
        version: int = 1,
    ) -> None:
        super().__init__(renderbus_conn_id, poll_interval, deadline, version)
        self.condition = condition

    def own_arguments(self) -> dict[str, Any]:
        """Return the arguments that only this kind of trigger has."""
        return {"condition": self.condition}

    async def end(self, poller: Poller) -> Event:
        """Wait for the condition."""
        condition = restored(self.condition)
        news = None
        rounds = poller.repeat(condition.look, self.poll_interval, self.deadline)
        try:
            async with contextlib.aclosing(rounds) as looks:
                async for look in looks:
                    if look.news != news:
                        news = look.news
                        log.info(news)
                    if look.end:
                        return look.end
        except DeadlinePassed:
            pass
        return timed_out(news)
