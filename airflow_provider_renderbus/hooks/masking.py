"""Clients that have Airflow mask in its logs whatever the farm hands out in confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow.providers.common.compat.sdk import mask_secret
from asgiref.sync import sync_to_async

from airflow_provider_renderbus.api.secret import find_secrets
from airflow_provider_renderbus.clients.async_client import AsyncClient
from airflow_provider_renderbus.clients.client import Client

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.call import Call

T = TypeVar("T")


class MaskingClient(Client):
    """The blocking client; the secrets in what it returns are masked from then on."""

    def send(self, call: Call[T]) -> T:
        """Send a call and return its result.

        :raises RenderbusError: what went wrong; see :mod:`airflow_provider_renderbus.api.errors`.
        """
        answer = super().send(call)
        if call.returns_secrets:
            _mask(answer)
        return answer


class MaskingAsyncClient(AsyncClient):
    """The client that does not block; the secrets in what it returns are masked from then on."""

    async def send(self, call: Call[T]) -> T:
        """Send a call and return its result.

        :raises RenderbusError: what went wrong; see :mod:`airflow_provider_renderbus.api.errors`.
        """
        answer = await super().send(call)
        if call.returns_secrets:
            # It asks the process above, for which Airflow before 3.3 refuses to block an event loop.
            await sync_to_async(_mask)(answer)
        return answer


def _mask(answer: Any) -> None:
    for secret in find_secrets(answer):
        mask_secret(secret.get_secret_value())
