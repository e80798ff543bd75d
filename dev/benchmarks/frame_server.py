"""A farm that knows one call: it lists the frames of a task, and takes its time for each answer.

It is a program of its own, so that it does not share the interpreter of the client that is measured. It
prints its address and then serves until it is ended.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from dev.benchmarks.examples import example_answer

FRAMES = 10_000
SECONDS_AN_ANSWER = 0.020
_PAGE = 100


def _answers() -> list[bytes]:
    """Return the HTTP answers for all pages, the empty one after the last included."""
    answer = example_answer("获取任务单页渲染帧详情")
    (frame, *_) = answer["data"]["items"]
    frames = [{**frame, "id": number, "frameIndex": str(number)} for number in range(1, FRAMES + 1)]
    return [
        _http(
            {
                **answer,
                "data": {
                    "pageCount": FRAMES // _PAGE,
                    "pageNum": start // _PAGE + 1,
                    "total": FRAMES,
                    "size": _PAGE,
                    "items": frames[start : start + _PAGE],
                },
            }
        )
        for start in range(0, FRAMES + _PAGE, _PAGE)
    ]


def _http(answer: dict[str, Any]) -> bytes:
    body = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )


async def _serve() -> None:
    answers = _answers()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                if length is None:
                    return
                page = json.loads(await reader.readexactly(int(length[1])))["pageNum"]
                await asyncio.sleep(SECONDS_AN_ANSWER)
                writer.write(answers[min(page, len(answers)) - 1])
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has hung up
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"{host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
