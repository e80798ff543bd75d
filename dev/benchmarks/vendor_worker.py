"""Runs the vendor's client in the virtual environment that it needs for itself.

Reads one JSON object per line, does with the vendor's own code what it says and writes back one JSON object:
the seconds, and the result, so that a quick but wrong result shows.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from rayvision_api import signature
from rayvision_api.connect import Connect
from rayvision_api.operators import QueryOperator


def sign(access_key: str, request: list[Any], calls: int) -> dict[str, Any]:
    value = b""
    start = time.perf_counter()
    for _ in range(calls):
        value = signature.generate_signature(access_key, signature.generate_headers_body_str(*request))
    return {"seconds": (time.perf_counter() - start) / calls, "signature": value.decode()}


def list_frames(domain: str, task_id: int) -> dict[str, Any]:
    # Its own logger would write every request and response to a file; that is not counted against it.
    logger = logging.getLogger("vendor")
    query = QueryOperator(Connect("an-access-id", "an-access-key", "http", domain, "2", logger=logger))
    start = time.perf_counter()
    frames = query.get_all_frames(task_id)
    return {"seconds": time.perf_counter() - start, "frames": len(frames)}


if __name__ == "__main__":
    work: dict[str, Callable[..., dict[str, Any]]] = {"sign": sign, "list_frames": list_frames}
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(work[order.pop("do")](**order)), flush=True)
