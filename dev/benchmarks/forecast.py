"""Holds the forecasts of 200 renders of the embedded farm against what they cost. See docs/benchmarks.md.

Each render has its own number of frames, pauses after its first, middle and last frame, and is resumed. It is
forecast at the pause, and when a share of its frames is done. Clock and chance are the farm's, so every run
has the same figures.
"""

from __future__ import annotations

import contextlib
import json
import random
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.models.tasks import TaskInfo
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.farm import Farm, ManualClock
from airflow_provider_renderbus.renders.forecast import Forecast, fetch_forecast, forecast
from airflow_provider_renderbus.task_json import build_task_json
from dev.benchmarks.figure import Figure
from dev.harness.embedded_farm import InProcessClient, put_scene, settings_of
from dev.harness.flows import run_flow

SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
STEP = 30.0
"""Farm seconds between two looks."""
KINDS: dict[str, dict[str, Any]] = {
    "even": {"seconds": [100, 140]},
    "uneven": {"seconds": [30, 300]},
    "growing": {"seconds": [90, 150], "growth": 3},
    "failing": {"seconds": [60, 180], "failure_rate": 0.1, "fail_times": 1},
}
"""Frames that take about the same, much or little by chance, ever longer, and that fail once."""
_SHADOW = {"scene": "*", "layer": "shadow", "seconds": [20, 60]}
_SCENARIO = {
    "pictures": False,
    "account": {"balance": "1000000", "price": "36"},
    "renders": [_SHADOW, *({"scene": f"{kind}_*", **behavior} for kind, behavior in KINDS.items())],
}


@dataclass
class Shot:
    """A render with its forecasts: at the pause and by the shares of its frames that were done.

    :param logged: forecasts as in the log, from the counters alone.
    """

    kind: str
    task_id: int
    forecasts: dict[float, Forecast] = field(default_factory=dict)
    logged: dict[float, Forecast] = field(default_factory=dict)
    cost: float = 0.0

    def error(self, forecast: Forecast) -> float:
        """Return how far a forecast is from the cost, as a fraction of the cost."""
        assert forecast.cost is not None, f"{self.kind} {self.task_id}"
        return float(forecast.cost) / self.cost - 1

    def is_in_range(self, forecast: Forecast) -> bool:
        """Return whether the cost is in the range of a forecast."""
        assert forecast.high is not None
        return float(forecast.low) <= self.cost <= float(forecast.high)


class Night:
    """Renders on a farm in this process."""

    def __init__(self, farm: Farm, storage: Path) -> None:
        self._farm, self._storage = farm, storage
        self._client = InProcessClient(farm.handle, settings_of({**farm.connection(), "port": 1}))
        self._rng = random.Random(25)

    def run(self, count: int) -> list[Shot]:
        """Render a number of shots of each kind to their ends."""
        shots = [self._submit(kind, number) for kind in KINDS for number in range(count // len(KINDS))]
        pending = {shot.task_id: shot for shot in shots}
        while pending:
            self._farm.advance(STEP)
            for task_id, task in run_flow(flows.get_tasks(list(pending)), self._client.send).items():
                if self._observe(pending[task_id], task):
                    del pending[task_id]
        return shots

    def _submit(self, kind: str, number: int) -> Shot:
        scene = f"/mnt/{kind}_{number}.ma"
        put_scene(self._storage, scene)
        content = build_task_json(
            software="Maya",
            version="2024",
            scene=scene,
            renderer="arnold",
            plugins={"mtoa": "5.3.4"},
            layers=["beauty", "shadow"] if number % 2 else ["beauty"],
            frames=range(1, self._rng.randint(20, 150)),
            frames_per_task=self._rng.choice((1, 1, 3)),
            width=320,
            height=180,
            test_frames="111",
            pause_after_test_frames=True,
        )
        (task_id,) = self._client.send(calls.create_task()).ids
        self._client.send(calls.upload_task_json(task_id, json.dumps(content)))
        self._client.send(calls.submit_task(task_id))
        return Shot(kind, task_id)

    def _observe(self, shot: Shot, task: TaskInfo) -> bool:
        """Forecast a render if it is time to, continue it if it rests, and return whether it has ended."""
        if task.status is TaskStatus.FINISHED:
            shot.cost = float(task.cost)
            return True
        if task.status is TaskStatus.FINISHED_HAS_FAILED:
            self._client.send(calls.recommit_failed_frames([shot.task_id]))
            return False
        if task.status is TaskStatus.FINISHED_TEST:
            self._forecast(shot, 0.0, task)
            self._client.send(calls.full_speed([shot.task_id]))
            return False
        share = task.progress.done / task.progress.total if 0.0 in shot.forecasts else 0.0
        passed = [each for each in SHARES if each <= share and each not in shot.forecasts]
        if passed:
            self._forecast(shot, passed[-1], task)
        return False

    def _forecast(self, shot: Shot, share: float, task: TaskInfo) -> None:
        shot.forecasts[share] = run_flow(fetch_forecast(shot.task_id), self._client.send)
        shot.logged[share] = forecast(task)


def render_night(count: int) -> list[Shot]:
    """Render shots on a new farm, and return them with their forecasts and costs."""
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(Farm(Path(folder), ManualClock(), scenario=_SCENARIO)) as farm,
    ):
        return Night(farm, Path(folder)).run(count)


def rows(shots: list[Shot]) -> Iterator[tuple[str, list[Shot], float]]:
    """Yield each row of the tables: its name, its shots, and the share of frames done."""
    for kind in ("all", *KINDS):
        for share in (0.0, *SHARES) if kind == "all" else (0.0, 0.5):
            when = f"{share:.0%} of the frames done" if share else "at the pause"
            some = [shot for shot in shots if kind in {"all", shot.kind} and share in shot.forecasts]
            yield f"{kind}, {when}", some, share


def measure(count: int = 200) -> Iterator[Figure]:
    shots = render_night(count)
    for name, some, share in rows(shots):
        errors = sorted(abs(shot.error(shot.forecasts[share])) * 100 for shot in some)
        logged = statistics.median(abs(shot.error(shot.logged[share])) * 100 for shot in some)
        held = 100 * statistics.mean(shot.is_in_range(shot.forecasts[share]) for shot in some)
        bias = 100 * statistics.mean(shot.error(shot.forecasts[share]) for shot in some)
        detail = (
            f"{len(some)} renders, nine of ten within {errors[int(len(errors) * 0.9)]:.1f} %, "
            f"mean {bias:+.1f} %, in range {held:.0f} %, log {logged:.1f} %"
        )
        goal = 15 if name == "all, at the pause" else None
        yield Figure(f"{name}: median error in % of the cost", statistics.median(errors), goal, detail=detail)
