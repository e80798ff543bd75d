"""Which poller to wait with: one for all triggers of a connection and an interval in an event loop."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

from airflow_provider_renderbus.hooks.credential_refresh import NOT_TOLD
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.polling.error_tolerance import WarnOnce
from airflow_provider_renderbus.polling.poller import Poller
from airflow_provider_renderbus.polling.refreshing_client import RefreshingClient
from airflow_provider_renderbus.polling.shielding import run_shielded
from airflow_provider_renderbus.polling.watchers import FINAL_POLL_TIMEOUT, DeadlineExceeded

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from airflow_provider_renderbus.clients.settings import Settings

log = logging.getLogger(__name__)

_Key: TypeAlias = tuple[str, float]


class _Shared:
    """A poller in use: who shares it, and the task in which its client lives.

    :param key: the connection's id and the interval.
    :param in_haste: whether the connection is taken as it was read last.
    """

    def __init__(self, key: _Key, *, in_haste: bool) -> None:
        self.users = 0
        self._key = key
        self._in_haste = in_haste
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
        hook = RenderbusHook(renderbus_conn_id)
        read = _READ.setdefault(asyncio.get_running_loop(), {})
        if not self._in_haste or renderbus_conn_id not in read:
            read[renderbus_conn_id] = await _settings(hook, interval)
        keep = functools.partial(read.__setitem__, renderbus_conn_id)
        async with RefreshingClient(hook, read[renderbus_conn_id], keep) as client:
            poller = Poller(client, interval)
            self._ready.set_result(poller)
            await poller.run()

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
# Connections as they were read last: a trigger that is killed has no time to look one up.
_READ: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Settings]] = WeakKeyDictionary()


class _Lease:
    """The time for which somebody uses a poller; a class, for a generator would take 500 bytes more each."""

    __slots__ = ("_deadline", "_in_haste", "_key", "_shared")

    def __init__(self, key: _Key, deadline: float, *, in_haste: bool) -> None:
        self._key = key
        self._deadline = deadline
        self._in_haste = in_haste

    async def __aenter__(self) -> Poller:
        pollers = _POLLERS.setdefault(asyncio.get_running_loop(), {})
        shared = pollers.get(self._key)
        if shared is None:
            shared = pollers[self._key] = _Shared(self._key, in_haste=self._in_haste)
        self._shared = shared
        shared.users += 1
        ready = False
        try:
            async with asyncio.timeout(max(0.0, self._deadline - time.time()) + FINAL_POLL_TIMEOUT):
                poller = await shared.poller()
            ready = True
        except TimeoutError:
            raise DeadlineExceeded from None
        finally:
            if not ready:
                await shared.leave()
        return poller

    async def __aexit__(self, *_: object) -> None:
        await self._shared.leave()


def shared_poller(
    renderbus_conn_id: str, interval: float, deadline: float, *, use_cached_settings: bool = False
) -> AbstractAsyncContextManager[Poller]:
    """Lend the poller of a connection: the first who asks for it starts it, the last who is done stops it.

    A connection that cannot be looked up, e.g. because Airflow's API server is restarted, is looked up again
    until the deadline: the render goes on all the while. Entering the block raises `ValueError` where fields
    of the connection are wrong or missing, and `DeadlinePassed` where it could not be looked up in time.

    :param renderbus_conn_id: id of the connection.
    :param interval: seconds between two looks.
    :param deadline: the moment until which to wait, in seconds since 1970.
    :param use_cached_settings: whether the connection is taken as it was read last, where it was: for a kill.
    """
    return _Lease((renderbus_conn_id, interval), deadline, in_haste=use_cached_settings)


async def _settings(hook: RenderbusHook, interval: float) -> Settings:
    voice = WarnOnce(log)
    while True:
        try:
            return await run_shielded(hook.async_settings())
        except NOT_TOLD as problem:
            voice.warning("The connection %s cannot be looked up yet: %s", hook.renderbus_conn_id, problem)
        await asyncio.sleep(interval)
