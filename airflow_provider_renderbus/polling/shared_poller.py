"""Shares one poller among all triggers with the same connection, poll interval and event loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import logging
import time
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.hooks.credential_refresh import CONNECTION_LOOKUP_ERRORS
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.polling.error_tolerance import PollErrorHandler
from airflow_provider_renderbus.polling.loop_logger import LoopLogger
from airflow_provider_renderbus.polling.poller import Poller
from airflow_provider_renderbus.polling.refreshing_client import RefreshingClient
from airflow_provider_renderbus.polling.shielding import run_shielded
from airflow_provider_renderbus.polling.watchers import FINAL_POLL_TIMEOUT, DeadlineExceeded

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from airflow_provider_renderbus.clients.settings import Settings

log = LoopLogger(logging.getLogger(__name__))

_Key: TypeAlias = tuple[str, float]


class InvalidConnectionError(RenderbusError):
    """Fields of the connection are invalid or missing; the message names them."""


class ConnectionUnavailableError(RenderbusError):
    """Airflow failed to look up the connection. It will be looked up again."""

    def __str__(self) -> str:
        return f"the connection cannot be looked up: {self.args[0]}"


class _SharedPoller:
    """A running poller, the asyncio task in which its client lives, and the number of its users.

    That task belongs to none of its users: what it logs goes to the log of the triggerer.

    :param key: the connection id and the poll interval.
    """

    def __init__(self, key: _Key, *, use_cached_settings: bool) -> None:
        self.ref_count = 0
        self._key = key
        self._use_cached_settings = use_cached_settings
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[Poller] = loop.create_future()
        self._lookup_failed: asyncio.Future[ConnectionUnavailableError] = loop.create_future()
        self._task = loop.create_task(self._run(), context=contextvars.Context())
        self._task.add_done_callback(self._on_done)

    async def poller(self) -> Poller:
        """Wait until the poller has started, and log if that takes long, in the log of the user.

        :raises RenderbusError: why it could not be started.
        """
        # A user that is cancelled must not cancel the start for the others, so these are only waited for.
        if not self._ready.done():
            futures: list[asyncio.Future[Any]] = [self._ready, self._lookup_failed]
            await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
        if not self._ready.done():
            conn_id, _ = self._key
            errors = PollErrorHandler(log, f"Connection {conn_id}", asyncio.get_running_loop().time)
            errors.on_error(self._lookup_failed.result())
            await asyncio.wait([self._ready])
            errors.on_success()
        return self._ready.result()

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
        async with contextlib.AsyncExitStack() as stack:
            client = await self._open_client(stack)
            while client is None:
                await asyncio.sleep(interval)
                client = await self._open_client(stack)
            poller = Poller(client, interval, subject=f"Connection {conn_id}")
            self._ready.set_result(poller)
            await poller.run()

    async def _open_client(self, stack: contextlib.AsyncExitStack) -> RefreshingClient | None:
        """Return an open client, or None if Airflow does not answer: the renders continue meanwhile."""
        try:
            return await stack.enter_async_context(await self._make_client())
        except ValueError as error:
            raise InvalidConnectionError(str(error)) from error
        except Exception as error:  # noqa: BLE001 - whatever ails Airflow
            self._on_lookup_failed(error)
            return None

    async def _make_client(self) -> RefreshingClient:
        conn_id, _ = self._key
        hook = RenderbusHook(conn_id)
        cache = _SETTINGS_CACHE.setdefault(asyncio.get_running_loop(), {})
        if not self._use_cached_settings or conn_id not in cache:
            cache[conn_id] = await run_shielded(hook.async_settings())
        return RefreshingClient(hook, cache[conn_id], functools.partial(cache.__setitem__, conn_id))

    def _on_lookup_failed(self, error: Exception) -> None:
        if self._lookup_failed.done():
            return
        self._lookup_failed.set_result(ConnectionUnavailableError(f"{type(error).__name__}: {error}"))
        if not isinstance(error, CONNECTION_LOOKUP_ERRORS):
            log.error("Connection %s: unexpected error", self._key[0], exc_info=error)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        """Pass the error due to which the poller could not be started to all users."""
        self._unregister()
        if self._ready.done():
            return
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._ready.set_exception(error)
        else:
            self._ready.cancel()

    def _unregister(self) -> None:
        pollers = _POLLERS.get(self._task.get_loop(), {})
        if pollers.get(self._key) is self:
            del pollers[self._key]


_POLLERS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Key, _SharedPoller]] = WeakKeyDictionary()
# Settings of the last look-up by connection id: a trigger that is killed has no time for another one.
_SETTINGS_CACHE: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Settings]] = WeakKeyDictionary()


def cached_settings(renderbus_conn_id: str) -> Settings | None:
    """Return the settings of the last look-up of a connection on this event loop, if there was one."""
    return _SETTINGS_CACHE.get(asyncio.get_running_loop(), {}).get(renderbus_conn_id)


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
    until the deadline, since the render continues meanwhile. Entering the context raises
    `InvalidConnectionError` if fields of the connection are wrong or missing, and `DeadlineExceeded` if it
    could not be looked up in time.

    :param renderbus_conn_id: id of the connection.
    :param interval: the poll interval in seconds.
    :param deadline: when the wait ends, in seconds since 1970.
    :param use_cached_settings: whether to use the settings of the last look-up, if there was one: after a
        kill.
    """
    return _Lease((renderbus_conn_id, interval), deadline, use_cached_settings=use_cached_settings)
