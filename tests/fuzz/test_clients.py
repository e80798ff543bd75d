"""Both clients against a hostile server: only typed errors, in bounded time and memory.

The farm's own errors and broken connections are in tests/clients.
"""

import contextlib
import gzip
import json
import random
import time
import tracemalloc

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import InvalidResponse, NoResponse, RenderbusError
from airflow_provider_renderbus.clients.response_body import MAX_RESPONSE_BYTES
from airflow_provider_renderbus.clients.retry import RequestRetryPolicy
from airflow_provider_renderbus.clients.settings import Settings
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.polling.refreshing_client import RefreshingClient
from tests.clients.senders import CLIENTS, Sender
from tests.fuzz.hostile_responses import (
    BODIES,
    BROKEN,
    CHUNKED_HEAD,
    ENVELOPE,
    REDIRECTS,
    STATUSES,
    TOO_LARGE,
    gzip_zeros,
    redirect,
    response,
)
from tests.fuzz.hostile_server import HostileServer

PROFILE = calls.query_user_profile()
SUBMIT = calls.submit_task(7)
# What a call without a result succeeds with.
WITHOUT_RESULT = {"data missing", "data null", "data a text", "data a list", "items a text"}
ONCE = RequestRetryPolicy(max_attempts=1)


@pytest.fixture(params=CLIENTS, ids=CLIENTS)
def sender(request):
    return Sender(CLIENTS[request.param])


@pytest.fixture
def server():
    server = HostileServer()
    yield server
    server.close()


@pytest.fixture
def account(server):
    return Settings(domain=server.address, access_id="id", access_key="key", protocol="http")


@pytest.mark.parametrize(
    "status", [b"301 Moved", b"302 Found", b"303 See", b"307 Temporary", b"308 Permanent"]
)
@pytest.mark.parametrize("call", [PROFILE, SUBMIT], ids=lambda call: call.name)
def test_send_of_call_with_odd_redirect_raises_invalid_response(sender, server, account, status, call):
    for location in REDIRECTS:
        server.pieces = [redirect(location, status)]
        server.requests.clear()
        with pytest.raises(InvalidResponse):
            sender.send(account, call, retry_policy=ONCE)
        assert len(server.requests) == 1, location


@pytest.mark.parametrize("call", [PROFILE, SUBMIT], ids=lambda call: call.name)
def test_send_of_call_with_bad_status_or_body_raises_typed_error(sender, server, account, call):
    for name, pieces in {
        **STATUSES,
        **{name: [response(body=body)] for name, body in BODIES.items()},
    }.items():
        server.pieces = pieces
        error = None
        try:
            sender.send(account, call, retry_policy=ONCE)
        except RenderbusError as raised:
            error = raised
        assert error or (call is SUBMIT and name in WITHOUT_RESULT), name
        assert str(error).isprintable()
        assert len(str(error)) < 1000


@pytest.mark.parametrize("pieces", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("call", [PROFILE, SUBMIT], ids=lambda call: call.name)
def test_send_of_call_with_broken_response_raises_no_response(sender, server, account, pieces, call):
    server.pieces = pieces
    with pytest.raises((NoResponse, InvalidResponse)):
        sender.send(account, call, retry_policy=ONCE)
    assert len(server.requests) == 1


def test_send_with_gzip_response_reads_it(sender, server, account):
    server.pieces = [response(b"Content-Encoding: gzip", body=gzip.compress(ENVELOPE))]
    assert sender.send(account, PROFILE)[0].user_id == 1
    assert b"\r\naccept-encoding: gzip\r\n" in server.requests[0].lower()


@pytest.mark.parametrize("pieces", TOO_LARGE.values(), ids=TOO_LARGE)
def test_send_with_endless_response_stops_at_the_limit_in_bounded_memory(sender, server, account, pieces):
    server.pieces = pieces()
    tracemalloc.start()
    try:
        with pytest.raises(InvalidResponse, match="more than 32 MiB"):
            sender.send(account, PROFILE, retry_policy=ONCE)
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_RESPONSE_BYTES
    finally:
        tracemalloc.stop()


TRICKLE_SECONDS = 20
TRICKLE_PAUSE = TRICKLE_SECONDS / 1000
TRICKLES = {
    "body": [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *[b" "] * 1000],
    "chunks": [CHUNKED_HEAD, *[b"1\r\n \r\n"] * 1000],
    "chunk size": [CHUNKED_HEAD + b"1", *[b"0"] * 1000],
    "headers": [b"HTTP/1.1 200 OK\r\n", *[b"X: a\r\n"] * 1000],
    "status line": [*[b"H"] * 1000],
    "100 continue": [*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 1000],
    "gzip": [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
        *(b"%c" % byte for byte in gzip_zeros(1 << 20)),
    ],
}


@pytest.mark.parametrize("pieces", TRICKLES.values(), ids=TRICKLES)
@pytest.mark.parametrize("call", [PROFILE, SUBMIT], ids=lambda call: call.name)
def test_send_with_trickling_response_ends_at_its_total_time(sender, server, account, pieces, call):
    server.pieces, server.pause = pieces, TRICKLE_PAUSE
    begin = time.monotonic()
    with pytest.raises(RenderbusError):
        sender.send(account, call, retry_policy=RequestRetryPolicy(max_elapsed=0.5))
    assert time.monotonic() - begin < TRICKLE_SECONDS / 2


TRICKLE_CONNECTION = {"conn_type": "renderbus", "schema": "http", "login": "id", "password": "a_long_key"}


@pytest.fixture
def trickling_hook(server, monkeypatch):
    """A hook of a farm whose responses trickle; each byte comes before the read timeout."""
    server.pieces, server.pause = TRICKLES["body"], TRICKLE_PAUSE
    extra = {"connect_timeout": 0.2, "read_timeout": 0.2}
    connection = {**TRICKLE_CONNECTION, "host": server.address, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_RENDERBUS_DEFAULT", json.dumps(connection))
    return RenderbusHook()


def test_no_retry_client_with_trickling_response_raises_in_time(trickling_hook, monkeypatch):
    monkeypatch.setattr("airflow_provider_renderbus.hooks.renderbus._NO_RETRY_TIMEOUT", 0.5)
    begin = time.monotonic()
    with trickling_hook.no_retry_client() as client, pytest.raises(NoResponse):
        client.send(calls.stop_task([7]))
    assert time.monotonic() - begin < TRICKLE_SECONDS / 2


async def test_poll_with_trickling_response_takes_no_longer_than_the_timeouts(trickling_hook):
    settings = await trickling_hook.async_settings()
    begin = time.monotonic()
    async with RefreshingClient(trickling_hook, settings, lambda _: None) as client:
        with pytest.raises(NoResponse):
            await client.send(PROFILE)
    assert time.monotonic() - begin < TRICKLE_SECONDS / 2


def mutated(rng):
    """Return a response with some bytes changed, removed, repeated or inserted."""
    base = bytearray(
        rng.choice(
            [
                response(),
                response(b"Content-Encoding: gzip", body=gzip.compress(ENVELOPE)),
                response(b"Location: http://127.0.0.1/", status=b"302 Found"),
                response(b"Retry-After: 5", b"Set-Cookie: a=b; Path=/", status=b"503 Busy", body=b"<html>"),
                CHUNKED_HEAD + b"%x\r\n%b\r\n0\r\n\r\n" % (len(ENVELOPE), ENVELOPE),
            ]
        )
    )
    for _ in range(rng.randrange(1, 6)):
        place = rng.randrange(len(base) + 1)
        match rng.randrange(4):
            case 0:
                base[place : place + 1] = rng.randbytes(1)
            case 1:
                del base[place : place + rng.randrange(1, 20)]
            case 2:
                base[place:place] = base[place : place + rng.randrange(1, 60)] * rng.randrange(1, 4)
            case 3:
                base[place:place] = rng.choice(
                    [b"\r\n", b"\r\n\r\n", b"\x00", b":", b"9" * 400, b"\xff\xfe", b"\x1f\x8b"]
                )
    return bytes(base)


def test_send_with_mutated_responses_raises_typed_errors_only(sender, server, account):
    rng = random.Random(16)
    policy = RequestRetryPolicy(max_attempts=1, max_elapsed=5)
    for _ in range(100):
        server.pieces = [mutated(rng)]
        with contextlib.suppress(RenderbusError):
            sender.send(account, rng.choice([PROFILE, SUBMIT]), retry_policy=policy)
