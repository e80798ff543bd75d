"""A hook in the place of Airflow's, whose connection can change, and clients of a farm in a dictionary."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from airflow_provider_renderbus.api.errors import AuthError
from airflow_provider_renderbus.clients.async_client import BaseAsyncClient
from airflow_provider_renderbus.clients.settings import Settings
from tests.polling.fake_farm import FakeFarm


class FakeHook:
    """Stands for the class of hooks.

    :ivar made: the clients.
    :ivar closed: the connections' ids of those that were closed.
    :ivar problem: raised in place of a connection.
    :ivar tries: how often a connection was looked up.
    :ivar fields: those of every connection, beside its id.
    :ivar farm_key: the key that the farm takes.
    """

    def __init__(self):
        self.made = []
        self.closed = []
        self.problem = None
        self.tries = 0
        self.fields = {"domain": "farm.test", "access_key": "first"}
        self.farm_key = "first"

    def settings_of(self, renderbus_conn_id):
        return Settings(**{"access_id": renderbus_conn_id, **self.fields})

    def __call__(self, renderbus_conn_id):
        async def async_settings():
            await asyncio.sleep(0.1)
            self.tries += 1
            if self.problem:
                raise self.problem
            return self.settings_of(renderbus_conn_id)

        async def async_client(retry_policy, settings):
            client = FakeClient(self, settings)
            self.made.append(client)
            return client

        return SimpleNamespace(
            renderbus_conn_id=renderbus_conn_id, async_client=async_client, async_settings=async_settings
        )


class FakeClient(FakeFarm):
    """Answers whoever has the farm's key."""

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
        assert not self._closed, "it was closed while a call was under way"
        if self._settings.access_key != self._hook.farm_key:
            raise AuthError(call.name, 611, "")
        return answer

    async def close(self):
        assert not self._closed
        self._closed = True
        self._hook.closed.append(self._settings.access_id)
