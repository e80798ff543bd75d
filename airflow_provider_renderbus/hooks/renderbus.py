"""The hook: an Airflow connection that sends calls to the farm."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any, Self, TypeVar

from airflow.providers.common.compat.sdk import BaseHook, conf

from airflow_provider_renderbus.clients.clock import Clock
from airflow_provider_renderbus.hooks import connection_form
from airflow_provider_renderbus.hooks.connection import console_url, load_settings, uses_main_account_storage
from airflow_provider_renderbus.hooks.connection_fields import DEFAULT_CONN_ID
from airflow_provider_renderbus.hooks.credential_refresh import connection_lookup, refreshed_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.api.errors import AuthError
    from airflow_provider_renderbus.api.models.account import UserProfile
    from airflow_provider_renderbus.api.models.page import Page
    from airflow_provider_renderbus.clients.async_client import AsyncClient
    from airflow_provider_renderbus.clients.client import Client
    from airflow_provider_renderbus.clients.flows import Flow, PagedFlow
    from airflow_provider_renderbus.clients.retry import RequestRetryPolicy
    from airflow_provider_renderbus.clients.settings import Settings

T = TypeVar("T")


class RenderbusHook(BaseHook):
    """Sends calls to the farm of an Airflow connection; a context manager over pooled connections.

    ::

        with RenderbusHook() as hook:
            profile = hook.send(calls.query_user_profile())

    :param renderbus_conn_id: id of the connection.
    """

    conn_name_attr = "renderbus_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "renderbus"
    hook_name = "Renderbus"
    # For the steps of a render that wait; a test hands in another one.
    clock = Clock()

    @staticmethod
    def get_ui_field_behaviour() -> dict[str, Any]:
        """Return how the connection form of Airflow 2.11 to 3.1 shows the fields all connections have."""
        return connection_form.field_behaviour()

    @staticmethod
    def get_connection_form_widgets() -> dict[str, Any]:
        """Return the connection form's fields of extra for Airflow 2.11 to 3.1."""
        return connection_form.form_widgets()

    def __init__(self, renderbus_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.renderbus_conn_id = renderbus_conn_id

    @functools.cached_property
    def settings(self) -> Settings:
        """The farm and the account of the connection.

        :raises ValueError: fields of the connection are wrong or missing.
        """
        return load_settings(self._connection, self._connection.extra_dejson)

    @functools.cached_property
    def client(self) -> Client:
        """The blocking client, made when it is first used.

        What the farm hands out in confidence is masked in Airflow's logs from then on.
        """
        from airflow_provider_renderbus.hooks.masking import MaskingClient

        return MaskingClient(self.settings)

    def refresh_credentials(self, refusal: AuthError) -> None:
        """Look the connection up once more, whose key the farm refuses, and go on with it as it is now.

        :param refusal: what the farm answered.
        :raises AuthError: the refusal, where the connection is as it was or cannot be used; `OtherAccount`
            where it is another account's.
        :raises NotLookedUp: Airflow does not tell the connection.
        """
        with connection_lookup(refusal):
            connection = self.get_connection(self.renderbus_conn_id)
            found = load_settings(connection, connection.extra_dejson)
        self.settings = refreshed_settings(self.settings, found, refusal)
        self._connection = connection
        self.client.close()
        del self.client

    def no_retry_client(self) -> Client:
        """Return a further blocking client, which tries each call once; to be closed, or used with ``with``.

        It is for where time is short. Once `settings` was read, it needs nothing of Airflow.
        """
        from airflow_provider_renderbus.clients.client import Client
        from airflow_provider_renderbus.clients.retry import RequestRetryPolicy

        return Client(self.settings, retry_policy=RequestRetryPolicy(max_attempts=1))

    def get_conn(self) -> Client:
        """Return the blocking client."""
        return self.client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the blocking client's pooled connections. A later call opens new ones."""
        if "client" in vars(self):
            self.client.close()

    def send(self, call: Call[T]) -> T:
        """Send a call to the farm and return its result.

        :param call: one of :mod:`airflow_provider_renderbus.api.calls`.
        :raises ValueError: fields of the connection are wrong or missing.
        :raises RenderbusError: the farm refused or did not answer.
        """
        return self.client.send(call)

    def run(self, flow: Flow[T]) -> T:
        """Carry a sequence of calls out and return its result.

        :param flow: one of :mod:`airflow_provider_renderbus.clients.flows`.
        :raises ValueError: fields of the connection are wrong or missing, or the sequence says so.
        :raises RenderbusError: the farm refused or did not answer.
        """
        return self.client.run(flow)

    def iter_pages(self, flow: PagedFlow[T]) -> Iterator[Page[T]]:
        """Yield the pages of a paged flow as they arrive.

        :param flow: one of :mod:`airflow_provider_renderbus.clients.flows`.
        :raises RenderbusError: the farm refused or did not answer.
        """
        return self.client.iter_pages(flow)

    async def async_client(
        self, retry_policy: RequestRetryPolicy | None = None, settings: Settings | None = None
    ) -> AsyncClient:
        """Return a client for code that must not block; to be closed, or used with ``async with``.

        What the farm hands out in confidence is masked in Airflow's logs from then on.

        :param retry_policy: how often a call is tried.
        :param settings: what :meth:`async_settings` returned before; looked up where it is left out.
        :raises ValueError: fields of the connection are wrong or missing.
        """
        from airflow_provider_renderbus.hooks.masking import MaskingAsyncClient

        return MaskingAsyncClient(settings or await self.async_settings(), retry_policy=retry_policy)

    async def async_settings(self) -> Settings:
        """Look the farm and the account of the connection up without blocking.

        :raises ValueError: fields of the connection are wrong or missing.
        """
        from airflow.providers.common.compat.connection import (
            get_async_connection,
            get_async_extra_dejson,
        )

        connection = await get_async_connection(self.renderbus_conn_id, hook=self)
        settings = load_settings(connection, await get_async_extra_dejson(connection))
        # Reading the authorities' file blocks, and all clients of this process share what was read.
        await asyncio.to_thread(settings.ssl_context)
        return settings

    def console_url(self, render_task_id: int) -> str:
        """Return the address of a task on the farm's web pages.

        :param render_task_id: the task's number.
        """
        template = self._connection.extra_dejson.get("console_url")
        return console_url(template, self.settings, render_task_id)

    @property
    def transfer_command(self) -> str | None:
        """Path of the vendor's transfer command on the workers: the connection's, else Airflow's own."""
        named = self._connection.extra_dejson.get("transfer_command")
        return named or conf.get("renderbus", "transfer_command", fallback="") or None

    def uses_main_account_storage(self, profile: UserProfile | None = None) -> bool:
        """Return whether scenes go to the main account's storage: by the connection, else by the profile.

        :param profile: the account's; asked for where it is left out and the connection leaves it open.
        """
        from airflow_provider_renderbus.api import calls

        chosen = uses_main_account_storage(self._connection.extra_dejson)
        if chosen is not None:
            return chosen
        return bool((profile or self.send(calls.query_user_profile())).share_main_capital)

    def test_connection(self) -> tuple[bool, str]:
        """Ask for the account's profile, which needs the key, and tell whose it is and what it has left."""
        from airflow_provider_renderbus.api import calls
        from airflow_provider_renderbus.api.errors import RenderbusError

        try:
            profile = self.send(calls.query_user_profile())
        except (RenderbusError, ValueError) as problem:
            return False, str(problem)
        return True, (
            f"{profile.user_name} (user {profile.user_id}, zone {profile.zone}) "
            f"has {profile.available_funds} {profile.currency} left"
        )

    @functools.cached_property
    def _connection(self) -> Any:
        return self.get_connection(self.renderbus_conn_id)
