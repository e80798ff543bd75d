"""The vendor's client at work, in the virtual environment that it needs for itself.

It reads one JSON object a line, does what it says with the vendor's own code and writes back one JSON object:
how long it took, and what came out, so that a quick but wrong result shows.
"""

from __future__ import annotations

import json
import logging
import platform
import sys
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any

from rayvision_api import signature
from rayvision_api.connect import Connect
from rayvision_api.operators import QueryOperator

from dev.benchmarks.paired_timing import seconds_per_call

if TYPE_CHECKING:
    from collections.abc import Callable


def versions() -> dict[str, Any]:
    packages = {name: metadata.version(name) for name in ("rayvision_api", "requests")}
    return {**packages, "python": platform.python_version()}


def sign(access_key: str, request: list[Any], calls: int) -> dict[str, Any]:
    def signed() -> bytes:
        value: bytes = signature.generate_signature(access_key, signature.generate_headers_body_str(*request))
        return value

    return {"seconds": seconds_per_call(signed, calls), "signature": signed().decode()}


def list_frames(domain: str, task_id: int) -> dict[str, Any]:
    # Its own logger would write every request and answer to a file; that is not held against it.
    quiet = logging.getLogger("vendor")
    query = QueryOperator(Connect("an-access-id", "an-access-key", "http", domain, "2", logger=quiet))
    start = time.perf_counter()
    frames = query.get_all_frames(task_id)
    return {"seconds": time.perf_counter() - start, "frames": len(frames)}


def main() -> None:
    work: dict[str, Callable[..., dict[str, Any]]] = {
        "versions": versions,
        "sign": sign,
        "list_frames": list_frames,
    }
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(work[order.pop("do")](**order)), flush=True)


if __name__ == "__main__":
    main()
