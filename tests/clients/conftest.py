"""Fixtures that run the same tests with both clients."""

from __future__ import annotations

import pytest

from tests.clients.scripted_server import ScriptedServer
from tests.clients.senders import CLIENTS, Sender


@pytest.fixture(params=CLIENTS, ids=CLIENTS)
def sender(request):
    return Sender(CLIENTS[request.param])


@pytest.fixture
def server():
    server = ScriptedServer()
    yield server
    server.close()
