"""Which poller to wait with: one for all triggers of a connection and an interval in an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_renderbus.clients.policy import RetryPolicy
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.triggers.poller import LAST_LOOK, Poller
from airflow_provider_renderbus.triggers.watcher import DeadlinePassed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_renderbus.clients.asynchronous import AsyncClient

log = logging.getLogger(__name__)

_Key: TypeAlias = tuple[str, float]


class _Shared:
    """A poller in use: who shares it, and the task in which its client lives.

    :param key: the connection's id and the interval.
    """

    def __init__(self, key: _Key) -> None:
        self.users = 0
        self._key = key
        self._ready: asyncio.Future[Poller] = asyncio.get_running_loop().create_future()
        self._serving = asyncio.ensure_future(self._serve())
        self._serving.add_done_callback(self._over)

    async def poller(self) -> Poller:
        """Return the poller as soon as it is there.

        :raises Exception: why it could not be started.
        """
        # One who gives up waiting must not take the poller from the others.
        return self._ready.result() if self._ready.done() else await asyncio.shield(self._ready)

    async def stop(self) -> None:
        """End the poller's looks and close its connections."""
        self._forget()
        self._serving.cancel()
        await asyncio.wait([self._serving])

    async def _serve(self) -> None:
        renderbus_conn_id, interval = self._key
        async with await _client(RenderbusHook(renderbus_conn_id), interval) as client:
            poller = Poller(client, interval)
            self._ready.set_result(poller)
            await poller.serve()

    def _over(self, serving: asyncio.Task[None]) -> None:
        """Tell all users why the poller has ended, unless nobody needs it any more."""
        self._forget()
        reason = None if serving.cancelled() else serving.exception()
        if not isinstance(reason, Exception):
            self._ready.cancel()
        elif self._ready.done():
            self._ready.result().fail(reason)
        else:
            self._ready.set_exception(reason)

    def _forget(self) -> None:
        pollers = _POLLERS.get(self._serving.get_loop(), {})
        if pollers.get(self._key) is self:
            del pollers[self._key]


_POLLERS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Key, _Shared]] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def poller_of(renderbus_conn_id: str, interval: float, deadline: float) -> AsyncIterator[Poller]:
    """Lend the poller of a connection: the first who asks for it starts it, the last who is done stops it.

    A connection that cannot be looked up, e.g. because Airflow's API server is restarted, is looked up again
    until the deadline: the render goes on all the while.

    :param renderbus_conn_id: id of the connection.
    :param interval: seconds between two looks.
    :param deadline: the moment until which to wait, in seconds since 1970.
    :raises ValueError: fields of the connection are wrong or missing.
    :raises DeadlinePassed: the deadline is over, and the connection could not be looked up.
    """
    pollers = _POLLERS.setdefault(asyncio.get_running_loop(), {})
    key = (renderbus_conn_id, interval)
    shared = pollers.get(key)
    if shared is None:
        shared = pollers[key] = _Shared(key)
    shared.users += 1
    try:
        try:
            async with asyncio.timeout(max(0.0, deadline - time.time()) + LAST_LOOK):
                poller = await shared.poller()
        except TimeoutError:
            raise DeadlinePassed from None
        yield poller
    finally:
        shared.users -= 1
        if not shared.users:
            await shared.stop()


async def _client(hook: RenderbusHook, interval: float) -> AsyncClient:
    failing = False
    while True:
        try:
            # The poller itself looks again: tries within a look would only hold it up.
            return await hook.async_client(RetryPolicy(tries=1))
        except AirflowException as problem:
            if not failing:
                log.warning("The connection %s cannot be looked up yet: %s", hook.renderbus_conn_id, problem)
            failing = True
        await asyncio.sleep(interval)
