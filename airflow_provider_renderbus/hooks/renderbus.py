"""The hook: an Airflow connection that sends calls to the farm."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from typing import TYPE_CHECKING, Any, Self, TypeVar

from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.api.validation import non_blank_line
from airflow_provider_renderbus.clients.clock import Clock
from airflow_provider_renderbus.compat import (
    AIRFLOW_3,
    BaseHook,
    ReplacedError,
    aget_connection,
    amask_extra,
    conf,
    is_replaced,
)
from airflow_provider_renderbus.hooks import connection_form
from airflow_provider_renderbus.hooks.connection import (
    load_settings,
    parse_extra,
    uses_main_account_storage,
)
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
    from airflow_provider_renderbus.clients.lost_time import LostTimeWatch
    from airflow_provider_renderbus.clients.retry import RequestRetryPolicy
    from airflow_provider_renderbus.clients.settings import Settings

T = TypeVar("T")

_MAX_MESSAGE_CHARS = 2000
_NO_RETRY_TIMEOUT = 15.0
_HTML_SAFE = str.maketrans("<>", "\u2039\u203a")


class RenderbusHook(BaseHook):
    """Sends calls to the farm of an Airflow connection; a context manager over pooled connections.

    ::

        with RenderbusHook() as hook:
            profile = hook.send(calls.query_user_profile())

    The clients mask the farm's secrets in Airflow's logs.

    :param renderbus_conn_id: id of the connection.
    """

    conn_name_attr = "renderbus_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "renderbus"
    hook_name = "Renderbus"
    # The clock of the steps that wait. Tests replace it.
    clock = Clock()
    lost_time: LostTimeWatch | None = None
    """Whether this process has lost time; None unless :meth:`watch_lost_time` was called."""

    @staticmethod
    def get_ui_field_behaviour() -> dict[str, Any]:
        """Return how Airflow 2.11 to 3.1 show the fields common to all connections."""
        return connection_form.field_behaviour()

    @staticmethod
    def get_connection_form_widgets() -> dict[str, Any]:
        """Return the form fields of extra for Airflow 2.11 to 3.1."""
        return connection_form.form_widgets()

    def __init__(self, renderbus_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.renderbus_conn_id = renderbus_conn_id

    @functools.cached_property
    def settings(self) -> Settings:
        """Settings of the connection's farm and account.

        :raises ValueError: fields of the connection are invalid or missing.
        """
        return load_settings(self._connection, self._extra)

    @functools.cached_property
    def client(self) -> Client:
        """The blocking client, created at its first use."""
        from airflow_provider_renderbus.hooks.masking import MaskingClient

        return MaskingClient(self.settings, lost_time=self.lost_time)

    def watch_lost_time(self) -> Self:
        """Send nothing that costs money once this process has lost time, since Airflow may run a newer try.

        Operators and sensors call it. A script has no other try.
        """
        from airflow_provider_renderbus.clients.lost_time import LostTimeWatch, tick_in_background

        if self.lost_time is None:
            self.lost_time = LostTimeWatch(
                heartbeat_timeout(), self.clock.monotonic, self.clock.now, _require_own_try
            )
            self.clock = dataclasses.replace(self.clock, sleep=self.lost_time.ticking(self.clock.sleep))
            tick_in_background(self.lost_time)
        return self

    def wait_to_be_killed(self) -> bool:
        """If this process has lost time, wait until Airflow would have killed it if a newer try ran.

        :return: whether it has waited.
        :raises ReplacedError: a newer try runs, on Airflow 2, which may not kill this process.
        """
        if self.lost_time is None or not (reason := self.lost_time.reason):
            return False
        self.log.warning("Waiting whether Airflow kills this process: %s", reason)
        _require_own_try()
        self.lost_time.wait_to_be_killed(self.clock.sleep)
        return True

    def require_own_try(self) -> None:
        """Check that no newer try runs, if this process has lost time.

        :raises ReplacedError: one runs, on Airflow 2.
        """
        if self.lost_time is not None and self.lost_time.reason:
            _require_own_try()

    def refresh_credentials(self, auth_error: AuthError) -> None:
        """Look up the connection again, because the farm refused its key, and continue with its new settings.

        :param auth_error: error of the call whose key was refused.
        :raises AuthError: `auth_error` if the connection has not changed or is invalid; `AccountChangedError`
            if it now belongs to another account or platform.
        :raises ConnectionLookupError: Airflow failed to look up the connection.
        """
        with connection_lookup(auth_error):
            connection = self.get_connection(self.renderbus_conn_id)
            extra = _masked_extra(connection)
            settings = load_settings(connection, extra)
        self.settings = refreshed_settings(self.settings, settings, auth_error)
        self._connection, self._extra = connection, extra
        self.client.close()
        del self.client

    def no_retry_client(self) -> Client:
        """Return another blocking client, which sends each call once; close it, or use it with ``with``.

        It is for code with little time: a call takes at most 15 s, however slowly the farm responds. Once
        `settings` was read, it needs nothing from Airflow.
        """
        from airflow_provider_renderbus.clients.client import Client
        from airflow_provider_renderbus.clients.retry import RequestRetryPolicy

        return Client(
            self.settings, retry_policy=RequestRetryPolicy(max_attempts=1, max_elapsed=_NO_RETRY_TIMEOUT)
        )

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
        """Close the pooled connections of the blocking client. A later call opens new ones."""
        if "client" in vars(self):
            self.client.close()

    def send(self, call: Call[T]) -> T:
        """Send a call to the farm and return its result.

        :param call: one of :mod:`airflow_provider_renderbus.api.calls`.
        :raises ValueError: fields of the connection are invalid or missing.
        :raises RenderbusError: the farm refused the call or did not respond.
        """
        return self.client.send(call)

    def run(self, flow: Flow[T]) -> T:
        """Run a flow of calls and return its result.

        :param flow: one of :mod:`airflow_provider_renderbus.clients.flows`.
        :raises ValueError: fields of the connection are invalid or missing, or the flow raises it.
        :raises RenderbusError: the farm refused a call or did not respond.
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
        """Return an asynchronous client; close it, or use it with ``async with``.

        :param retry_policy: how often and for how long a call is attempted.
        :param settings: result of :meth:`async_settings`; looked up if omitted.
        :raises ValueError: fields of the connection are invalid or missing.
        """
        from airflow_provider_renderbus.hooks.masking import MaskingAsyncClient

        return MaskingAsyncClient(settings or await self.async_settings(), retry_policy=retry_policy)

    async def async_settings(self) -> Settings:
        """Look up the settings of the connection's farm and account without blocking.

        :raises ValueError: fields of the connection are invalid or missing.
        """
        connection = await aget_connection(self, self.renderbus_conn_id)
        extra = parse_extra(connection)
        await amask_extra(connection)
        # Loading the certificate authorities blocks; all clients of this process share the result.
        settings = await asyncio.to_thread(load_settings, connection, extra)
        await asyncio.to_thread(settings.ssl_context)
        return settings

    def console_url(self, render_task_id: int) -> str:
        """Return the URL of a render in the farm's web console.

        :param render_task_id: id of the render on the farm.
        """
        return self.settings.console_url(render_task_id)

    @property
    def transfer_command(self) -> str | None:
        """Path of the vendor's transfer command: from the connection, else from Airflow's configuration.

        :raises ValueError: the connection names another program, or fields of it are invalid or missing.
        """
        command: str | None = self._checked_extra.get("transfer_command")
        return command or conf.get("renderbus", "transfer_command", fallback="") or None

    def uses_main_account_storage(self, profile: UserProfile | None = None) -> bool:
        """Return whether scenes go to the main account's storage: as the connection says, else the profile.

        :param profile: the account's profile; queried if omitted and the connection does not say.
        """
        from airflow_provider_renderbus.api import calls

        configured = uses_main_account_storage(self._checked_extra)
        if configured is not None:
            return configured
        return bool((profile or self.send(calls.query_user_profile())).share_main_capital)

    def test_connection(self) -> tuple[bool, str]:
        """Query the account's profile once, which needs a valid key; return success and a message.

        The message is one line of printable text without ``<`` and ``>``: Airflow 2.11 shows it as HTML.
        """
        from airflow_provider_renderbus.api import calls
        from airflow_provider_renderbus.api.errors import RenderbusError

        try:
            with self.no_retry_client() as client:
                profile = client.send(calls.query_user_profile())
        except (RenderbusError, ValueError) as error:
            return False, _html_safe(str(error))
        return True, _html_safe(
            f"{profile.user_name} (user {profile.user_id}, zone {profile.zone}): "
            f"available funds {profile.available_funds} {profile.currency}"
        )

    @functools.cached_property
    def _connection(self) -> Any:
        return self.get_connection(non_blank_line("renderbus_conn_id", self.renderbus_conn_id))

    @functools.cached_property
    def _extra(self) -> dict[str, Any]:
        return _masked_extra(self._connection)

    @property
    def _checked_extra(self) -> dict[str, Any]:
        """The extra of a connection that can be used."""
        _ = self.settings
        return self._extra


def heartbeat_timeout() -> float:
    """Return the seconds without a heartbeat after which Airflow runs the next try of a task."""
    name = "task_instance_heartbeat_timeout" if AIRFLOW_3 else "scheduler_zombie_task_threshold"
    return float(conf.getfloat("scheduler", name, fallback=300.0))


def _require_own_try() -> None:
    if is_replaced():
        raise ReplacedError("Airflow runs a newer try of this task")


def _masked_extra(connection: Any) -> dict[str, Any]:
    """Mask the values of a connection's extra in Airflow's logs, and return it."""
    extra = parse_extra(connection)
    _ = connection.extra_dejson
    return extra


def _html_safe(message: str) -> str:
    return printable(message, _MAX_MESSAGE_CHARS).translate(_HTML_SAFE)
