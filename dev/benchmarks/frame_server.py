"""A farm that serves one call: it lists the frames of a task, and takes 20 ms for each response.

It is a program of its own, so that it does not share the interpreter of the measured client. It prints its
address and serves until it is terminated.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from dev.benchmarks.examples import example_answer

FRAMES = 10_000
_SECONDS_PER_RESPONSE = 0.020
_PAGE = 100


def _pages() -> list[bytes]:
    """Return the HTTP responses for all pages, the empty one after the last included."""
    answer = example_answer("获取任务单页渲染帧详情")
    (frame, *_) = answer["data"]["items"]
    frames = [{**frame, "id": number, "frameIndex": str(number)} for number in range(1, FRAMES + 1)]
    page = {"pageCount": FRAMES // _PAGE, "total": FRAMES, "size": _PAGE}
    return [
        _http({**answer, "data": {**page, "pageNum": at // _PAGE + 1, "items": frames[at : at + _PAGE]}})
        for at in range(0, FRAMES + _PAGE, _PAGE)
    ]


def _http(answer: dict[str, Any]) -> bytes:
    body = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body


async def _serve() -> None:
    pages = _pages()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while length := re.search(rb"(?i)content-length: *(\d+)", await reader.readuntil(b"\r\n\r\n")):
                page = json.loads(await reader.readexactly(int(length[1])))["pageNum"]
                await asyncio.sleep(_SECONDS_PER_RESPONSE)
                writer.write(pages[min(page, len(pages)) - 1])
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has closed the connection
        finally:
            writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"{host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
