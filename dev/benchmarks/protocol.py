"""Measures signing, reading and listing against the vendor's client. See docs/benchmarks.md."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hmac
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.call import Call
from airflow_provider_renderbus.api.envelope import read_response
from airflow_provider_renderbus.api.signing import signature, string_to_sign
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.async_client import AsyncClient
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.settings import Settings
from dev.benchmarks.examples import large_task_json, page_of_layered_tasks
from dev.benchmarks.figure import Figure, measure_pairs
from dev.benchmarks.frame_server import FRAMES

_ROOT = Path(__file__).parents[2]
# What constraints/vendor.txt lists cannot be installed beside Airflow.
_VENDOR_PYTHON = _ROOT / ".venv-vendor/bin/python"
_ROUNDS = 21
_TASK_ID = 35_736_251
_COUNT = 100
_KEY = "0123456789abcdef0123456789abcdef"
_HEADERS = {
    "accessId": "fedcba9876543210fedcba9876543210",
    "channel": "4",
    "platform": "2",
    "UTCTimestamp": "1535954000",
    "nonce": "123456",
    "version": "2.0.0",
}

Ask = functools.partial[dict[str, Any]]


def measure() -> Iterator[Figure]:
    with _module_process("dev.benchmarks.vendor_worker", _VENDOR_PYTHON) as worker:
        vendor = functools.partial(_ask_vendor, worker)
        yield _sign_query(vendor)
        yield _sign_upload()
        yield _read_page()
        yield from _list_frames(vendor)


def _sign_query(vendor: Ask) -> Figure:
    request = _request(calls.query_task_info(range(_TASK_ID, _TASK_ID + _COUNT)))
    order = {"do": "sign", "access_key": _KEY, "request": request, "calls": 500}
    sign = functools.partial(signature, _KEY, *request)
    _require_equal("signature", sign(), vendor(**order)["signature"])
    pairs = measure_pairs(_timer(sign, 2000), lambda: float(vendor(**order)["seconds"]), _ROUNDS)
    name = f"sign a query for {_COUNT} tasks, times as fast as the vendor's client"
    return Figure(name, pairs.speedup(), 4, "at least", str(pairs))


def _sign_upload() -> Figure:
    request = _request(calls.upload_task_json(_TASK_ID, large_task_json(1_000_000)))
    signed = string_to_sign(*request)
    pairs = measure_pairs(
        _timer(lambda: signature(_KEY, *request), 50),
        _timer(lambda: hmac.digest(_KEY.encode(), signed.encode(), "sha256"), 50),
        _ROUNDS,
    )
    name = "sign a 1 MB task.json, times the time of UTF-8 and HMAC alone"
    return Figure(name, pairs.time_ratio(), 1.5, "at most", str(pairs))


def _read_page() -> Figure:
    body = page_of_layered_tasks(_COUNT)
    call = calls.query_task_info(range(_TASK_ID, _TASK_ID + _COUNT))
    _require_equal("tasks read", len(read_response(call, 200, body)), _COUNT)
    pairs = measure_pairs(
        _timer(lambda: read_response(call, 200, body), 20), _timer(lambda: json.loads(body), 40), _ROUNDS
    )
    name = f"read a page of {_COUNT} layered tasks, times the time of json.loads alone"
    return Figure(name, pairs.time_ratio(), 2.5, "at most", str(pairs))


def _list_frames(vendor: Ask) -> Iterator[Figure]:
    with _module_process("dev.benchmarks.frame_server") as server:
        domain = _read_line(server)
        settings = Settings(domain=domain, access_id=_HEADERS["accessId"], access_key=_KEY, protocol="http")

        def list_with_vendor() -> float:
            result = vendor(do="list_frames", domain=domain, task_id=_TASK_ID)
            _require_equal("frames listed", result["frames"], FRAMES)
            return float(result["seconds"])

        for client, list_with_ours in (("Client", _list_blocking), ("AsyncClient", _list_async)):
            pairs = measure_pairs(functools.partial(list_with_ours, settings), list_with_vendor, _ROUNDS // 3)
            name = f"list {FRAMES} frames, {client}, times as fast as the vendor's client"
            yield Figure(name, pairs.speedup(), 4, "at least", str(pairs))


def _list_blocking(settings: Settings) -> float:
    with Client(settings) as client:
        start = time.perf_counter()
        frames = client.run(flows.list_frames(_TASK_ID))
        seconds = time.perf_counter() - start
    _require_equal("frames listed", len(frames), FRAMES)
    return seconds


def _list_async(settings: Settings) -> float:
    async def list_frames() -> float:
        async with AsyncClient(settings) as client:
            start = time.perf_counter()
            frames = await client.run(flows.list_frames(_TASK_ID))
            seconds = time.perf_counter() - start
        _require_equal("frames listed", len(frames), FRAMES)
        return seconds

    return asyncio.run(list_frames())


def _request(call: Call[Any]) -> tuple[str, str, dict[str, str], Any]:
    return "task.renderbus.com", call.paths[0], _HEADERS, call.body


def _timer(function: Callable[[], object], calls: int) -> Callable[[], float]:
    """Return a function that calls another one several times and returns the seconds per call."""

    def time_calls() -> float:
        start = time.perf_counter()
        for _ in range(calls):
            function()
        return (time.perf_counter() - start) / calls

    return time_calls


@contextlib.contextmanager
def _module_process(module: str, python: str | Path = sys.executable) -> Iterator[subprocess.Popen[str]]:
    # The vendor's client warns that setuptools will drop a module that it imports.
    command = [python, "-W", "ignore", "-m", module]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=_ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def _ask_vendor(worker: subprocess.Popen[str], **order: Any) -> dict[str, Any]:
    print(json.dumps(order), file=worker.stdin, flush=True)
    result: dict[str, Any] = json.loads(_read_line(worker))
    return result


def _read_line(process: subprocess.Popen[str]) -> str:
    for line in process.stdout or ():
        return line.rstrip("\n")
    raise SystemExit(f"{process.args!r} has ended; its error is above")


def _require_equal(name: str, ours: object, other: object) -> None:
    if ours != other:
        raise SystemExit(f"{name}: must be equal, got {ours!r} and {other!r}: the timed work is wrong")
