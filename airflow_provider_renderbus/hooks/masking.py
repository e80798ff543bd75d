"""Clients that mask the farm's secrets in Airflow's logs, and count their requests in its metrics."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, TypeVar

from asgiref.sync import sync_to_async

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.api.secret import find_secrets
from airflow_provider_renderbus.clients.async_client import AsyncClient
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.compat import mask_secret
from airflow_provider_renderbus.metrics import count_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_renderbus.api.call import Call

T = TypeVar("T")

# By default Airflow masks no shorter text, and warns of it in the task's log.
_MIN_CHARS = 5


class MaskingClient(Client):
    """The blocking client; Airflow masks the secrets in its results from then on."""

    def _attempt(self, call: Call[T], deadline: float) -> T:
        with _counted():
            return super()._attempt(call, deadline)

    def send(self, call: Call[T]) -> T:
        """Send a call and return its result.

        :raises RenderbusError: see :mod:`airflow_provider_renderbus.api.errors`.
        """
        result = super().send(call)
        if call.returns_secrets:
            _mask_secrets(result)
        return result


class QueryOnceClient(MaskingClient):
    """A client that sends each query once, and returns its result again. It is for queries only."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._results: dict[str, Any] = {}

    def send(self, call: Call[T]) -> T:
        """Send a query that was not sent before, and return its result.

        :raises RenderbusError: see :mod:`airflow_provider_renderbus.api.errors`.
        """
        key = f"{call.name} {json.dumps(call.body, sort_keys=True)}"
        if key not in self._results:
            self._results[key] = super().send(call)
        result: T = self._results[key]
        return result


class MaskingAsyncClient(AsyncClient):
    """The asynchronous client; Airflow masks the secrets in its results from then on."""

    async def _attempt(self, call: Call[T], deadline: float) -> T:
        with _counted():
            return await super()._attempt(call, deadline)

    async def send(self, call: Call[T]) -> T:
        """Send a call and return its result.

        :raises RenderbusError: see :mod:`airflow_provider_renderbus.api.errors`.
        """
        result = await super().send(call)
        if call.returns_secrets:
            # Masking asks the supervisor process. Airflow before 3.3 refuses to block an event loop for that.
            await sync_to_async(_mask_secrets)(result)
        return result


@contextlib.contextmanager
def _counted() -> Iterator[None]:
    """Count a request in Airflow's metrics."""
    try:
        yield
    except RenderbusError:
        count_request(failed=True)
        raise
    count_request(failed=False)


def _mask_secrets(result: Any) -> None:
    for secret in find_secrets(result):
        if len(secret.get_secret_value()) >= _MIN_CHARS:
            mask_secret(secret.get_secret_value())
