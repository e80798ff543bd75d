"""A client that looks its connection up again when the farm refuses the access key."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

from airflow_provider_renderbus.api.errors import AuthError
from airflow_provider_renderbus.clients.async_client import BaseAsyncClient
from airflow_provider_renderbus.clients.retry import RequestRetryPolicy
from airflow_provider_renderbus.hooks.credential_refresh import connection_lookup, refreshed_settings
from airflow_provider_renderbus.polling.shielding import run_shielded

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.clients.async_client import AsyncClient
    from airflow_provider_renderbus.clients.settings import Settings
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook

T = TypeVar("T")

# Seconds for which a look-up without a change is valid: a thousand sensors that are refused one after the
# other must not query Airflow a thousand times.
LOOKUP_TTL = 10.0


@dataclass(eq=False, slots=True)
class _ActiveClient:
    """A client, its settings and the number of its calls in flight."""

    client: AsyncClient
    settings: Settings
    in_flight: int = 0


class RefreshingClient(BaseAsyncClient):
    """An asynchronous context manager that sends calls, with new credentials if the connection has changed.

    When the farm refuses the access key, the connection is looked up again. If it has changed, the call is
    sent again with the new settings, and so are all later calls. The old client is closed after its last
    call. `on_refresh` is called with new settings.
    """

    _active: _ActiveClient

    def __init__(
        self, hook: RenderbusHook, settings: Settings, on_refresh: Callable[[Settings], None]
    ) -> None:
        self._hook = hook
        self._settings = settings
        self._on_refresh = on_refresh
        self._lock = asyncio.Lock()
        self._refusal: type[AuthError] | None = None

    async def __aenter__(self) -> Self:
        self._active = await self._open(self._settings)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._active.client.close()

    async def send(self, call: Call[T]) -> T:
        """Send a call and return its result. AuthError is raised only after a look-up of the connection."""
        active = self._active
        try:
            return await self._send(active, call)
        except AuthError as error:
            await self._refresh(active, error)
        return await self._send(self._active, call)

    async def _send(self, active: _ActiveClient, call: Call[T]) -> T:
        active.in_flight += 1
        try:
            return await active.client.send(call)
        finally:
            active.in_flight -= 1
            await self._close_if_replaced(active)

    async def _refresh(self, active: _ActiveClient, error: AuthError) -> None:
        """Replace the client if the connection has changed, else raise. Refused calls share a look-up."""
        async with self._lock:
            if active is not self._active:
                return
            if self._refusal:
                raise self._refusal(*error.args)
            try:
                with connection_lookup(error):
                    new = await run_shielded(self._hook.async_settings())
                settings = refreshed_settings(active.settings, new, error)
            except AuthError as final:
                self._refusal = type(final)
                asyncio.get_running_loop().call_later(LOOKUP_TTL, self._expire_refusal)
                raise
            self._active = await self._open(settings)
        self._on_refresh(settings)
        await self._close_if_replaced(active)

    def _expire_refusal(self) -> None:
        self._refusal = None

    async def _close_if_replaced(self, active: _ActiveClient) -> None:
        if active is not self._active and not active.in_flight:
            await active.client.close()

    async def _open(self, settings: Settings) -> _ActiveClient:
        # The poller polls again: retries within a poll, or bytes that only trickle, would delay it.
        max_elapsed = settings.connect_timeout + settings.read_timeout
        policy = RequestRetryPolicy(max_attempts=1, max_elapsed=max_elapsed)
        return _ActiveClient(await self._hook.async_client(policy, settings), settings)
