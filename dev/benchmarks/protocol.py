"""How quickly the farm's protocol is spoken: signing, reading, listing. See docs/benchmarks.md."""

from __future__ import annotations

import asyncio
import functools
import hmac
import json
import os
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.envelope import read_response
from airflow_provider_renderbus.api.signing import signature, string_to_sign
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.async_client import AsyncClient
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.settings import Settings
from dev.benchmarks import report
from dev.benchmarks.examples import large_task_json, page_of_layered_tasks
from dev.benchmarks.frame_server import FRAMES
from dev.benchmarks.paired_timing import in_pairs, seconds_per_call
from dev.benchmarks.peer_process import Companion
from dev.benchmarks.report import AtLeast, AtMost, Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_renderbus.api.call import Call

_ROOT = Path(__file__).parents[2]
_TASK = 35_736_251
_TASKS = 100
_KEY = "0123456789abcdef0123456789abcdef"
_HEADERS = {
    "accessId": "fedcba9876543210fedcba9876543210",
    "channel": "4",
    "platform": "2",
    "UTCTimestamp": "1535954000",
    "nonce": "123456",
    "version": "2.0.0",
}


class Vendor:
    """The vendor's client, at work in a process and an environment of its own."""

    def __init__(self, worker: Companion) -> None:
        self._worker = worker

    def ask(self, do: str, **order: Any) -> dict[str, Any]:
        """Have the worker do something and return what it tells."""
        self._worker.tell(json.dumps({"do": do, **order}))
        told: dict[str, Any] = json.loads(self._worker.hear())
        return told


def sign_a_query(vendor: Vendor, rounds: int) -> Figure:
    call = calls.query_task_info(range(_TASK, _TASK + _TASKS))
    request = _request(call)
    order = {"access_key": _KEY, "request": request, "calls": 500}
    sign = functools.partial(signature, _KEY, *request)
    _must_agree("signature", sign(), vendor.ask("sign", **order)["signature"])
    return Figure(
        f"sign a query for {_TASKS} tasks",
        "the vendor's client",
        AtLeast(4),
        in_pairs(
            lambda: seconds_per_call(sign, 2000),
            lambda: float(vendor.ask("sign", **order)["seconds"]),
            rounds,
        ),
    )


def sign_an_upload(rounds: int) -> Figure:
    request = _request(calls.upload_task_json(_TASK, large_task_json(1_000_000)))
    signed = string_to_sign(*request)
    return Figure(
        "sign a 1 MB task.json",
        "UTF-8 and HMAC alone",
        AtMost(1.5),
        in_pairs(
            lambda: seconds_per_call(lambda: signature(_KEY, *request), 50),
            lambda: seconds_per_call(lambda: hmac.digest(_KEY.encode(), signed.encode(), "sha256"), 50),
            rounds,
        ),
    )


def read_a_page(rounds: int) -> Figure:
    body = page_of_layered_tasks(_TASKS)
    call = calls.query_task_info(range(_TASK, _TASK + _TASKS))
    _must_agree("tasks read", len(read_response(call, 200, body)), _TASKS)
    return Figure(
        f"read a page of {_TASKS} layered tasks",
        "json.loads alone",
        AtMost(2.5),
        in_pairs(
            lambda: seconds_per_call(lambda: read_response(call, 200, body), 20),
            lambda: seconds_per_call(lambda: json.loads(body), 40),
            rounds,
        ),
    )


def list_frames(vendor: Vendor, rounds: int) -> Iterator[Figure]:
    with Companion("dev.benchmarks.frame_server") as server:
        address = server.hear()
        settings = Settings(domain=address, access_id=_HEADERS["accessId"], access_key=_KEY, protocol="http")

        def vendors() -> float:
            told = vendor.ask("list_frames", domain=address, task_id=_TASK)
            _must_agree("frames listed", told["frames"], FRAMES)
            return float(told["seconds"])

        for name, ours in (("Client", _list_blocking), ("AsyncClient", _list_asynchronously)):
            yield Figure(
                f"list {FRAMES} frames, {name}",
                "the vendor's get_all_frames",
                AtLeast(4),
                in_pairs(functools.partial(ours, settings), vendors, rounds),
            )


def _list_blocking(settings: Settings) -> float:
    with Client(settings) as client:
        start = time.perf_counter()
        frames = client.run(flows.list_frames(_TASK))
        seconds = time.perf_counter() - start
    _must_agree("frames listed", len(frames), FRAMES)
    return seconds


def _list_asynchronously(settings: Settings) -> float:
    async def listed() -> float:
        async with AsyncClient(settings) as client:
            start = time.perf_counter()
            frames = await client.run(flows.list_frames(_TASK))
            seconds = time.perf_counter() - start
        _must_agree("frames listed", len(frames), FRAMES)
        return seconds

    return asyncio.run(listed())


def _request(call: Call[Any]) -> tuple[str, str, dict[str, str], Any]:
    return "task.renderbus.com", call.paths[0], _HEADERS, call.body


def _must_agree(what: str, ours: object, other: object) -> None:
    if ours != other:
        raise SystemExit(f"{what}: {ours!r} here, {other!r} there: what was timed is wrong.")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = report.parser(__doc__)
    parser.prog = "python -m dev.benchmarks.protocol"
    parser.add_argument(
        "--vendor-python",
        type=Path,
        default=_ROOT / ".venv-vendor/bin/python",
        metavar="PATH",
        help="the interpreter of the vendor's client (%(default)s)",
    )
    parser.add_argument("--rounds", type=int, default=21, help="pairs a figure (%(default)s)")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error(f"--rounds: at least 1 is wanted, not {options.rounds}")
    vendor_python = options.vendor_python.absolute()
    if not vendor_python.exists():
        parser.error(
            f"--vendor-python: there is no {vendor_python}; what constraints/vendor.txt lists belongs in a "
            "virtual environment of its own"
        )

    os.environ["NO_PROXY"] = "127.0.0.1"  # heeded by the vendor's client and by both of ours
    with Companion("dev.benchmarks.vendor_worker", vendor_python) as worker:
        vendor = Vendor(worker)
        versions = {
            name: metadata.version(name) for name in ("airflow-provider-renderbus", "httpx", "requests")
        }
        versions |= {f"vendor's {name}": version for name, version in vendor.ask("versions").items()}
        figures = [
            sign_a_query(vendor, options.rounds),
            sign_an_upload(options.rounds),
            read_a_page(options.rounds),
            *list_frames(vendor, max(1, options.rounds // 3)),
        ]
    print(report.table(figures))
    print(f"All samples: {report.write(options.results, 'protocol', figures, versions)}")
    return int(options.check and not all(figure.met for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
