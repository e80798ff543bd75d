"""A client that goes on where the access key of its connection is changed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

from airflow_provider_renderbus.api.errors import AuthError
from airflow_provider_renderbus.clients.async_client import AsyncSender
from airflow_provider_renderbus.clients.retry import RetryPolicy
from airflow_provider_renderbus.hooks.credential_refresh import looking_up, renewed
from airflow_provider_renderbus.polling.shielding import run_shielded

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.clients.async_client import AsyncClient
    from airflow_provider_renderbus.clients.settings import Settings
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook

T = TypeVar("T")

# Seconds for which a look-up that has changed nothing holds: a thousand sensors that are refused one after
# the other are not to ask Airflow a thousand times.
LOOKUP_TTL = 10.0


@dataclass(eq=False, slots=True)
class _Keyed:
    """A client, its settings, and how many of its calls are under way."""

    client: AsyncClient
    settings: Settings
    under_way: int = 0


class RefreshingClient(AsyncSender):
    """Sends calls; where the farm refuses the key, the connection is looked up once more.

    Where it was changed, the call is sent once more with the new settings, as all calls are from then on. The
    old client is closed when the last of its calls is over. An asynchronous context manager.

    :param hook: the connection's hook.
    :param settings: the connection as it was read.
    :param on_refresh: is told new settings.
    """

    _used: _Keyed

    def __init__(
        self, hook: RenderbusHook, settings: Settings, on_refresh: Callable[[Settings], None]
    ) -> None:
        self._hook = hook
        self._settings = settings
        self._tell = on_refresh
        self._looking_up = asyncio.Lock()
        self._refused: type[AuthError] | None = None

    async def __aenter__(self) -> Self:
        self._used = await self._open(self._settings)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._used.client.close()

    async def send(self, call: Call[T]) -> T:
        """Send a call and return its result.

        :raises RenderbusError: what went wrong; `AuthError` only after the connection was looked up.
        """
        used = self._used
        try:
            return await self._send(used, call)
        except AuthError as refusal:
            await self._renew(used, refusal)
        return await self._send(self._used, call)

    async def _send(self, used: _Keyed, call: Call[T]) -> T:
        used.under_way += 1
        try:
            return await used.client.send(call)
        finally:
            used.under_way -= 1
            await self._close(used)

    async def _renew(self, used: _Keyed, refusal: AuthError) -> None:
        """Go on with a changed connection, or raise why not; one look-up is for all who were refused."""
        async with self._looking_up:
            if used is not self._used:
                return
            if self._refused:
                raise self._refused(*refusal.args)
            try:
                with looking_up(refusal):
                    found = await run_shielded(self._hook.async_settings())
                settings = renewed(used.settings, found, refusal)
            except AuthError as final:
                self._refused = type(final)
                asyncio.get_running_loop().call_later(LOOKUP_TTL, self._forget)
                raise
            self._used = await self._open(settings)
        self._tell(settings)
        await self._close(used)

    def _forget(self) -> None:
        self._refused = None

    async def _close(self, used: _Keyed) -> None:
        if used is not self._used and not used.under_way:
            await used.client.close()

    async def _open(self, settings: Settings) -> _Keyed:
        # The poller itself looks again: tries within a look would only hold it up.
        return _Keyed(await self._hook.async_client(RetryPolicy(tries=1), settings), settings)
