"""A hook whose connection can change, and clients of a fake farm."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from airflow_provider_renderbus.api.errors import AuthError
from airflow_provider_renderbus.clients.async_client import BaseAsyncClient
from airflow_provider_renderbus.clients.settings import Settings
from tests.polling.fake_farm import FakeFarm


class FakeHook:
    """Replaces the class RenderbusHook.

    :ivar clients: all clients that were made.
    :ivar closed: the connection id of each client that was closed.
    :ivar error: raised instead of returning a connection.
    :ivar lookups: how often a connection was looked up.
    :ivar fields: of every connection, beside its id.
    :ivar farm_key: the key that the farm accepts.
    """

    def __init__(self):
        self.clients = []
        self.closed = []
        self.error = None
        self.lookups = 0
        self.fields = {"domain": "farm.test", "access_key": "first"}
        self.farm_key = "first"

    def settings_of(self, renderbus_conn_id):
        return Settings(**{"access_id": renderbus_conn_id, **self.fields})

    def __call__(self, renderbus_conn_id):
        async def async_settings():
            await asyncio.sleep(0.1)
            self.lookups += 1
            if self.error:
                raise self.error
            return self.settings_of(renderbus_conn_id)

        async def async_client(policy, settings):
            client = FakeClient(self, settings)
            self.clients.append(client)
            return client

        return SimpleNamespace(
            renderbus_conn_id=renderbus_conn_id, async_client=async_client, async_settings=async_settings
        )


class FakeClient(FakeFarm):
    """Answers if its key is the farm's."""

    run = BaseAsyncClient.run
    send_all = BaseAsyncClient.send_all

    def __init__(self, hook, settings):
        super().__init__([1, 2])
        self._hook = hook
        self._settings = settings
        self._closed = False

    async def send(self, call):
        assert not self._closed
        answer = await super().send(call)
        assert not self._closed, "it was closed while a call was in flight"
        if self._settings.access_key != self._hook.farm_key:
            raise AuthError(call.name, 611, "")
        return answer

    async def close(self):
        assert not self._closed
        self._closed = True
        self._hook.closed.append(self._settings.access_id)
