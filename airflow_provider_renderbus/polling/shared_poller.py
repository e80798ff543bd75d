"""Shares one poller among all triggers with the same connection, poll interval and event loop."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

from airflow_provider_renderbus.hooks.credential_refresh import CONNECTION_LOOKUP_ERRORS
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


class _SharedPoller:
    """A running poller, the asyncio task in which its client lives, and the number of its users."""

    def __init__(self, key: _Key, *, use_cached_settings: bool) -> None:
        self.ref_count = 0
        self._key = key
        self._use_cached_settings = use_cached_settings
        self._ready: asyncio.Future[Poller] = asyncio.get_running_loop().create_future()
        self._task = asyncio.ensure_future(self._run())
        self._task.add_done_callback(self._on_done)

    async def poller(self) -> Poller:
        """Wait until the poller has started, or raise why it could not be started."""
        # A user that is cancelled must not cancel the start for the others.
        return self._ready.result() if self._ready.done() else await asyncio.shield(self._ready)

    async def release(self) -> None:
        """Give the poller up; the last user stops it and closes its connections."""
        self.ref_count -= 1
        if self.ref_count:
            return
        self._unregister()
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        conn_id, interval = self._key
        hook = RenderbusHook(conn_id)
        cache = _SETTINGS_CACHE.setdefault(asyncio.get_running_loop(), {})
        if not self._use_cached_settings or conn_id not in cache:
            cache[conn_id] = await _look_up_settings(hook, interval)
        on_refresh = functools.partial(cache.__setitem__, conn_id)
        async with RefreshingClient(hook, cache[conn_id], on_refresh) as client:
            poller = Poller(client, interval, subject=f"Connection {conn_id}")
            self._ready.set_result(poller)
            await poller.run()

    def _on_done(self, task: asyncio.Task[None]) -> None:
        """Pass the error that ended the poller to all users."""
        self._unregister()
        error = None if task.cancelled() else task.exception()
        if not isinstance(error, Exception):
            self._ready.cancel()
        elif self._ready.done():
            self._ready.result().fail(error)
        else:
            self._ready.set_exception(error)

    def _unregister(self) -> None:
        pollers = _POLLERS.get(self._task.get_loop(), {})
        if pollers.get(self._key) is self:
            del pollers[self._key]


_POLLERS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Key, _SharedPoller]] = WeakKeyDictionary()
# Settings of the last look-up by connection id: a trigger that is killed has no time for another one.
_SETTINGS_CACHE: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Settings]] = WeakKeyDictionary()


class _Lease:
    """A use of a shared poller. A class, because a generator takes 500 bytes more per wait."""

    __slots__ = ("_deadline", "_key", "_shared", "_use_cached_settings")

    def __init__(self, key: _Key, deadline: float, *, use_cached_settings: bool) -> None:
        self._key = key
        self._deadline = deadline
        self._use_cached_settings = use_cached_settings

    async def __aenter__(self) -> Poller:
        pollers = _POLLERS.setdefault(asyncio.get_running_loop(), {})
        shared = pollers.get(self._key)
        if shared is None:
            shared = _SharedPoller(self._key, use_cached_settings=self._use_cached_settings)
            pollers[self._key] = shared
        self._shared = shared
        shared.ref_count += 1
        ready = False
        try:
            async with asyncio.timeout(max(0.0, self._deadline - time.time()) + FINAL_POLL_TIMEOUT):
                poller = await shared.poller()
            ready = True
        except TimeoutError:
            raise DeadlineExceeded from None
        finally:
            if not ready:
                await shared.release()
        return poller

    async def __aexit__(self, *_: object) -> None:
        await self._shared.release()


def shared_poller(
    renderbus_conn_id: str, interval: float, deadline: float, *, use_cached_settings: bool = False
) -> AbstractAsyncContextManager[Poller]:
    """Return a context manager for a shared poller: the first user starts it, the last one stops it.

    A connection that cannot be looked up, e.g. because Airflow's API server restarts, is looked up again
    until the deadline, since the render continues meanwhile. Entering the context raises `ValueError` if
    fields of the connection are wrong or missing, and `DeadlineExceeded` if it could not be looked up in
    time. After a kill, `use_cached_settings` uses the settings of the last look-up, if there was one.
    """
    return _Lease((renderbus_conn_id, interval), deadline, use_cached_settings=use_cached_settings)


async def _look_up_settings(hook: RenderbusHook, interval: float) -> Settings:
    warn_once = WarnOnce(log)
    while True:
        try:
            return await run_shielded(hook.async_settings())
        except CONNECTION_LOOKUP_ERRORS as error:
            conn_id = hook.renderbus_conn_id
            warn_once.warning("Connection %s: look-up failed, it will be repeated: %s", conn_id, error)
        await asyncio.sleep(interval)
