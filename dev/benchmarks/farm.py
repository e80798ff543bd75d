"""Measures how large and how fast the embedded farm is. See docs/benchmarks.md.

A farm with 20,000 tasks is filled, closed, and started again in a process of its own; the load comes from
this process, over loopback, with every request signed. Half of the tasks wait, a quarter renders, a quarter
has ended. A frame costs the median CPU over scenes that show every solid of the farm.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.call import Call
from airflow_provider_renderbus.clients.request_flow import SigningSession
from airflow_provider_renderbus.clients.settings import Settings
from airflow_provider_renderbus.farm import Farm, ManualClock
from airflow_provider_renderbus.farm.pictures.frame_renderer import FrameRenderer
from airflow_provider_renderbus.farm.pictures.palettes import look_for
from airflow_provider_renderbus.farm.pictures.task_json import NO_JOB
from dev.benchmarks.figure import Figure
from dev.harness.embedded_farm import EmbeddedFarm, InProcessClient, put_scene, settings_of
from dev.harness.processes import Programs

SCENARIO = {"pictures": False, "account": {"balance": "1000000"}}
_COMMON = {"frames": "1-24[1]", "width": "320", "height": "180"}
_TASK_JSON = {
    "software_config": {"cg_name": "Blender", "cg_version": "4.2", "plugins": {}},
    "task_info": {"cg_id": "2007", "input_cg_file": "/mnt/shot.blend"},
    "scene_info": {"common": _COMMON},
}
_LAYER = {
    "renderable": "1",
    "is_default_camera": "1",
    "option": "",
    "common": {**_COMMON, "renderer": "mayaSoftware"},
}
LAYERED_TASK_JSON = {
    "software_config": {"cg_name": "Maya", "cg_version": "2024", "plugins": {}},
    "task_info": {"cg_id": "2000", "input_cg_file": "/mnt/shot.ma", "is_layer_rendering": "1"},
    "scene_info_render": {"beauty": _LAYER, "shadow": _LAYER},
}
_COUNT = 20_000
_SECONDS_OF_LOAD = 5.0


@contextlib.contextmanager
def open_farm(storage: Path) -> Iterator[tuple[Farm, InProcessClient]]:
    """Open a farm in this process, to fill its storage, and yield it with a client."""
    with contextlib.closing(Farm(storage, ManualClock(), scenario=SCENARIO)) as farm:
        for scene in ("/mnt/shot.blend", "/mnt/shot.ma"):
            put_scene(storage, scene)
        yield farm, InProcessClient(farm.handle, settings_of({**farm.connection(), "port": 1}))


def submit_tasks(client: InProcessClient, count: int, task_json: dict[str, Any] = _TASK_JSON) -> list[int]:
    """Submit hundreds of tasks and return their ids."""
    ids: list[int] = []
    for _ in range(count // 100):
        ids += client.send(calls.create_task(100)).ids
    for task_id in ids:
        client.send(calls.upload_task_json(task_id, json.dumps(task_json)))
        client.send(calls.submit_task(task_id))
    return ids


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, Programs() as programs:
        farm = EmbeddedFarm(Path(folder) / "farm", Path(folder) / "farm.log", SCENARIO)
        with open_farm(farm.storage) as (in_process, filling):
            ids = submit_tasks(filling, _COUNT // 4)
            in_process.advance(10_000)
            ids += submit_tasks(filling, _COUNT // 4)
            in_process.advance(100)
            ids += submit_tasks(filling, _COUNT // 2)
        start = time.perf_counter()
        program = farm.start(programs, speed=0.001)
        yield Figure("seconds from start to serving", time.perf_counter() - start, 2, "below")
        random.Random(1).shuffle(ids)
        queries = [calls.query_task_info(ids[at : at + 100]) for at in range(0, len(ids), 100)]
        client = _RawClient(farm.settings)
        first, again = (statistics.median(map(client.time, some)) * 1000 for some in (queries, queries * 2))
        memory = psutil.Process(program.process.pid).memory_info().rss / 2**20
        yield Figure("MB resident after all tasks were queried", memory, 300, "below")
        yield Figure("ms for a query of 100 tasks, median", again, 5, "below")
        yield Figure("ms for a query of 100 tasks queried for the first time, median", first)
        rate = _request_rate(farm.settings, connections=2)
        yield Figure("signed requests per second, from two connections", rate, 1000, "above")
        renderer = FrameRenderer(Path(folder), synchronous=True)
        for width, height, frames, goal in ((320, 180, 3, 0.15), (1920, 1080, 1, None)):
            seconds = statistics.median(_frame_seconds(renderer, width, height, frames))
            yield Figure(f"CPU seconds for a frame of {width}x{height} with thumbnail", seconds, goal)


class _RawClient:
    """Sends signed requests over one connection and reads no more of a response than its code."""

    _nonces = itertools.count(step=100_000)

    def __init__(self, settings: Settings) -> None:
        self._session = SigningSession(settings, clock=time.time, first_nonce=next(self._nonces))
        self._http = HTTPConnection(settings.domain, timeout=60)

    def time(self, call: Call[Any]) -> float:
        """Send a call once, and return the seconds to its response, signing not included."""
        request = next(self._session.request_flow(call))
        start = time.perf_counter()
        self._http.request("POST", call.paths[0], request.body, request.headers)
        response = self._http.getresponse().read()
        assert b'"code": 200' in response[:200], response[:200]
        return time.perf_counter() - start


def _request_rate(settings: Settings, connections: int) -> float:
    """Return the requests per second of some threads, each with a connection of its own."""
    counts = [0] * connections
    start = time.perf_counter()

    def work(place: int) -> None:
        client = _RawClient(settings)
        while time.perf_counter() < start + _SECONDS_OF_LOAD:
            client.time(calls.query_user_profile())
            counts[place] += 1

    threads = [threading.Thread(target=work, args=(place,)) for place in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


def _frame_seconds(renderer: FrameRenderer, width: int, height: int, frames: int) -> Iterator[float]:
    """Yield the CPU seconds of this process, other threads included, for frames of a scene per solid."""
    scenes = {look_for(name).solid: name for name in map("shot {}".format, range(100))}.values()
    for scene, frame in itertools.product(scenes, range(frames)):
        start = time.process_time()
        renderer.submit(replace(NO_JOB, scene=scene, width=width, height=height), (frame,)).result()
        yield time.process_time() - start
