"""Responses of a server that is broken, in the way or hostile, as the pieces of bytes that it writes.

The clients meet them in test_clients, and a real Airflow with its deferred renders in tests/airflow.
"""

from __future__ import annotations

import itertools
import json
import time
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ENVELOPE = json.dumps({"code": 200, "message": "ok", "data": {"userId": 1}}).encode()


def response(*headers: bytes, body: bytes = ENVELOPE, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, *headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def gzip_zeros(size: int, times: int = 1) -> bytes:
    """Return that many zero bytes, compressed that many times."""
    compressor = zlib.compressobj(9, wbits=31)
    zeros = bytes(1 << 20)
    data = b"".join(compressor.compress(zeros) for _ in range(size >> 20)) + compressor.flush()
    for _ in range(times - 1):
        compressor = zlib.compressobj(9, wbits=31)
        data = compressor.compress(data) + compressor.flush()
    return data


def redirect(location: bytes, status: bytes = b"302 Found") -> bytes:
    """Return what a login page in front of the farm sends."""
    return response(b"Location: " + location, body=b"<html>log in first", status=status)


CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

REDIRECTS = [
    b"about:blank",
    b"javascript:alert(1)",
    b"mailto:farm@example.com",
    b"data:text/html,x",
    b"/\xb5\xc7\xc2\xbc",  # GBK
    b"http://[::1/",
    b"http://[zz]/",
    b"http://host:port/",
    b"http://" + b"a" * 300 + b"/",
    b"http://\xff\xfe/",
    b"//",
    b"",
    b"http://127.0.0.1:1/" + b"x" * 50_000,
    b"\t",
]

BROKEN = {
    "content encoding unknown": [response(b"Content-Encoding: br")],
    "content encoding odd": [response(b"Content-Encoding: \xff\xfe, gzip")],
    "deflate not requested": [response(b"Content-Encoding: deflate")],
    "not gzip": [response(b"Content-Encoding: gzip")],
    "gzip twice": [response(b"Content-Encoding: gzip, gzip", body=gzip_zeros(1 << 20, 2))],
    "gzip truncated": [response(b"Content-Encoding: gzip", body=gzip_zeros(1 << 20)[:-9])],
    "content length too long": [response()[:-5]],
    "content length negative": [b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
    "content length huge": [b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}"],
    "content lengths differ": [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"],
    "chunk size odd": [CHUNKED_HEAD + b"zz\r\n{}\r\n0\r\n\r\n"],
    "chunk size negative": [CHUNKED_HEAD + b"-2\r\n{}\r\n0\r\n\r\n"],
    "chunks truncated": [CHUNKED_HEAD + b"ff\r\n{}"],
    "status line odd": [b"HTTP/9.9 two hundred\r\n\r\n"],
    "status out of range": [b"HTTP/1.1 99999 OK\r\nContent-Length: 0\r\n\r\n"],
    "no http": [b"SSH-2.0-OpenSSH_9.2\r\n"],
    "tls alert": [b"\x15\x03\x01\x00\x02\x02\x0a"],
    "nothing": [],
    "headers too long": [b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000 + b"\r\n\r\n"],
    "headers too many": [b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 50_000 + b"\r\n"],
    "header name odd": [b"HTTP/1.1 200 OK\r\n\xff\x00: a\r\n\r\n"],
    "switching protocols": [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"],
}

TOO_LARGE = {
    "gzip": lambda: [response(b"Content-Encoding: gzip", body=gzip_zeros(1 << 27))],
    "plain": lambda: [b"HTTP/1.1 200 OK\r\n\r\n", *itertools.repeat(b" " * (1 << 20), 1000)],
    "chunked": lambda: [CHUNKED_HEAD, *itertools.repeat(b"100000\r\n" + b" " * (1 << 20) + b"\r\n", 1000)],
}


def envelope(data: object = None, code: object = 200, message: object = "ok", **fields: object) -> bytes:
    return json.dumps({"code": code, "message": message, "data": data, **fields}).encode()


# Bodies of HTTP responses without fault: not the farm's envelope, or one of a call that failed.
BODIES = {
    "html page": b"<html>log in first</html>",
    "empty": b"",
    "json truncated": ENVELOPE[:-9],
    "json nested": b'{"code": 200, "data": ' + b"[" * 100_000,
    "json of two values": ENVELOPE + ENVELOPE,
    "json with NaN": b'{"code": 200, "data": NaN}',
    "utf-16": ENVELOPE.decode().encode("utf-16"),
    "gbk": '{"code": 200, "message": "\u767b\u5f55", "data": {}}'.encode("gbk"),
    "list": b"[]",
    "code missing": b'{"data": {}}',
    "code as text": envelope(code="200"),
    "code true": envelope(code=True),
    "code of 400 digits": b'{"code": ' + b"9" * 400 + b"}",
    "code of 5,000 digits": b'{"code": ' + b"9" * 5000 + b"}",
    "data missing": b'{"code": 200}',
    "data null": envelope(),
    "data a text": envelope("SUCCESS"),
    "data a list": envelope([1, None]),
    "items a text": envelope({"items": "x"}),
    "code unknown": envelope(code=4711),
    "code negative": envelope(code=-1),
    "failed": envelope(code=100),
    "redirect": envelope(code=301),
    "server failed": envelope(code=500),
    "cache failed": envelope(code=1000),
    "user not looked up": envelope(code=513),
    "service not reached": envelope(code=934),
    "nothing to do": envelope(code=700),
    "nonce used": envelope(code=603),
    "clock of another century": envelope(code=610, serverTime=9e13),
    "clock as text": envelope(code=610, serverTime="now"),
    "message with escapes": envelope(code=500, message="a\r\n\x1b[2J\u202e\x00\ud800"),
    "message without end": envelope(code=500, message="x" * 5_000_000),
    "message no text": envelope(code=500, message={"a": [1]}),
}

STATUSES = {
    status: [response(b"Retry-After: 0", body=b"<html>busy</html>", status=status)]
    for status in (
        *(b"204 No Content", b"400 Bad Request", b"401 Unauthorized", b"403 Forbidden", b"404 Not Found"),
        *(b"407 Proxy Authentication Required", b"408 Request Timeout", b"413 Too Large", b"418 Teapot"),
        *(b"429 Too Many Requests", b"500 Failed", b"502 Bad Gateway", b"503 Busy", b"504 Timeout"),
    )
}


def trickle() -> Iterator[bytes]:
    """Yield a response slowly, and not to its end."""
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    for _ in range(20):
        time.sleep(0.05)
        yield b" "


def nested(item: dict[str, Any], depth: int) -> dict[str, Any]:
    """Return a task with sub-tasks in sub-tasks, the innermost being a given one."""
    for _ in range(depth):
        item = {**item, "respRenderingTaskList": [item]}
    return item


# Changes each task in a response to a query for tasks.
TASKS = {
    "nested 260 deep": lambda item: nested(item, 260),
    "no object": lambda item: item["id"],
    "gone": lambda item: {},
    "another": lambda item: {**item, "id": item["id"] + 1000},
    "id negative": lambda item: {**item, "id": -item["id"]},
    "id of 400 digits": lambda item: {**item, "id": 10**400},
    "status a list": lambda item: {**item, "taskStatus": []},
    "status of 400 digits": lambda item: {**item, "taskStatus": 10**400},
    "status unknown": lambda item: {**item, "taskStatus": 4711},
    "status null": lambda item: {**item, "taskStatus": None},
    "counts of 400 digits": lambda item: {**item, "totalFrames": 10**400, "doneFrames": -(10**400)},
    "cost not a number": lambda item: {**item, "renderConsume": "NaN"},
    "sub-tasks no list": lambda item: {**item, "respRenderingTaskList": {"a": 1}},
    "sub-task without status": lambda item: {**item, "respRenderingTaskList": [{"id": 0}]},
    "name without end": lambda item: {**item, "sceneName": "x\x1b[2J" * 1_000_000},
}


def hostile_task_responses(real: Callable[[], bytes]) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield one response to a query for tasks of each class, with its name.

    :param real: returns the body of the farm's own response.
    """
    yield from ((f"redirect to {location[:20]!r}", [redirect(location)]) for location in REDIRECTS)
    yield from BROKEN.items()
    yield from ((f"too large: {name}", pieces()) for name, pieces in TOO_LARGE.items())
    yield from ((f"HTTP {status.decode()}", pieces) for status, pieces in STATUSES.items())
    yield from ((name, [response(body=body)]) for name, body in BODIES.items())
    yield "trickle", trickle()
    for name, change in TASKS.items():
        content = json.loads(real())
        content["data"]["items"] = [change(item) for item in content["data"]["items"]]
        yield f"task {name}", [response(body=json.dumps(content).encode())]
