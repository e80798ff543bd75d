"""Which poller to wait with: one for all triggers of a connection and an interval in an event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_renderbus.clients.policy import RetryPolicy
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.triggers.patience import OneVoice
from airflow_provider_renderbus.triggers.poller import Poller
from airflow_provider_renderbus.triggers.watcher import LAST_LOOK, DeadlinePassed

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

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

    async def leave(self) -> None:
        """Need it no longer: the last one ends its looks and closes its connections."""
        self.users -= 1
        if self.users:
            return
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


class _Lease:
    """The time for which somebody uses a poller; a class, for a generator would take 500 bytes more each."""

    __slots__ = ("_deadline", "_key", "_shared")

    def __init__(self, key: _Key, deadline: float) -> None:
        self._key = key
        self._deadline = deadline

    async def __aenter__(self) -> Poller:
        pollers = _POLLERS.setdefault(asyncio.get_running_loop(), {})
        shared = pollers.get(self._key)
        if shared is None:
            shared = pollers[self._key] = _Shared(self._key)
        self._shared = shared
        shared.users += 1
        ready = False
        try:
            async with asyncio.timeout(max(0.0, self._deadline - time.time()) + LAST_LOOK):
                poller = await shared.poller()
            ready = True
        except TimeoutError:
            raise DeadlinePassed from None
        finally:
            if not ready:
                await shared.leave()
        return poller

    async def __aexit__(self, *_: object) -> None:
        await self._shared.leave()


def poller_of(
    renderbus_conn_id: str, interval: float, deadline: float
) -> AbstractAsyncContextManager[Poller]:
    """Lend the poller of a connection: the first who asks for it starts it, the last who is done stops it.

    A connection that cannot be looked up, e.g. because Airflow's API server is restarted, is looked up again
    until the deadline: the render goes on all the while. Entering the block raises `ValueError` where fields
    of the connection are wrong or missing, and `DeadlinePassed` where it could not be looked up in time.

    :param renderbus_conn_id: id of the connection.
    :param interval: seconds between two looks.
    :param deadline: the moment until which to wait, in seconds since 1970.
    """
    return _Lease((renderbus_conn_id, interval), deadline)


async def _client(hook: RenderbusHook, interval: float) -> AsyncClient:
    voice = OneVoice(log)
    while True:
        try:
            # The poller itself looks again: tries within a look would only hold it up.
            return await hook.async_client(RetryPolicy(tries=1))
        except AirflowException as problem:
            voice.warning("The connection %s cannot be looked up yet: %s", hook.renderbus_conn_id, problem)
        await asyncio.sleep(interval)
