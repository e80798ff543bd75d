"""The same tests for both clients."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_renderbus.clients.async_client import AsyncClient
from airflow_provider_renderbus.clients.client import Client
from tests.clients.scripted_server import ScriptedServer


class Sender:
    """Sends calls through one of the two clients, one after the other, and keeps how long it waited."""

    def __init__(self, kind):
        self.kind = kind
        self.waits = []

    def send(self, settings, *calls, **options):
        if self.kind is Client:
            with Client(settings, sleep=self.waits.append, **options) as client:
                return [client.send(call) for call in calls]
        return asyncio.run(self._send(settings, calls, options))

    async def _send(self, settings, calls, options):
        async with AsyncClient(settings, sleep=self._sleep, **options) as client:
            return [await client.send(call) for call in calls]

    def run(self, settings, sequence):
        if self.kind is Client:
            with Client(settings, sleep=self.waits.append) as client:
                return client.run(sequence)
        return asyncio.run(self._run(settings, sequence))

    async def _run(self, settings, sequence):
        async with AsyncClient(settings, sleep=self._sleep) as client:
            return await client.run(sequence)

    async def _sleep(self, seconds):
        self.waits.append(seconds)


@pytest.fixture(params=[Client, AsyncClient], ids=["blocking", "asynchronous"])
def sender(request):
    return Sender(request.param)


@pytest.fixture
def server():
    running = ScriptedServer()
    yield running
    running.close()
