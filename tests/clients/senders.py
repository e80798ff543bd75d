"""Sends calls with one of the clients, so that the same tests run with both."""

from __future__ import annotations

import asyncio

from airflow_provider_renderbus.clients.async_client import AsyncClient
from airflow_provider_renderbus.clients.client import Client

CLIENTS = {"blocking": Client, "asynchronous": AsyncClient}


class Sender:
    """Sends calls one after the other with one of the clients; records its waits."""

    def __init__(self, client_class):
        self.client_class = client_class
        self.waits = []

    def send(self, settings, *calls, **options):
        if self.client_class is Client:
            with Client(settings, sleep=self.waits.append, **options) as client:
                return [client.send(call) for call in calls]
        return asyncio.run(self._send(settings, calls, options))

    async def _send(self, settings, calls, options):
        async with AsyncClient(settings, sleep=self._sleep, **options) as client:
            return [await client.send(call) for call in calls]

    def run(self, settings, flow):
        if self.client_class is Client:
            with Client(settings, sleep=self.waits.append) as client:
                return client.run(flow)
        return asyncio.run(self._run(settings, flow))

    async def _run(self, settings, flow):
        async with AsyncClient(settings, sleep=self._sleep) as client:
            return await client.run(flow)

    async def _sleep(self, seconds):
        self.waits.append(seconds)
