"""Random scenarios: what is rendered in a simulation, and with which options."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from airflow_provider_renderbus.api.states import TaskStatus

PRICE = Decimal("0.03")
"""The price of a frame."""
RETRIES = 5
"""Airflow's retries of a task."""
_POLL_INTERVAL = 20.0
_LAYERS = ("beauty", "shadow")
# Farm seconds that a frame takes at least and at most.
_FRAME_SECONDS = [15, 60]
_QUEUE_SECONDS = 20


@dataclass(frozen=True)
class Scenario:
    """A render.

    :param name: the name of its scene and its artist, by which it is found on the farm.
    :param has_store: whether Airflow has a state store for its task; else the farm keeps a marker.
    :param crashes: how often the render fails before its first frame.
    :param test_frames: whether it pauses after its first and last frame.
    """

    name: str
    frames: int
    layered: bool
    has_store: bool
    failing_frames: str
    failures: int
    crashes: int
    test_frames: bool
    options: dict[str, Any]

    def option(self, name: str, default: Any = None) -> Any:
        """Return an option of the operator."""
        return self.options.get(name, default)

    def succeeds(self, status: TaskStatus) -> bool:
        """Return whether a status that the render does not leave by itself is a success."""
        successes = {TaskStatus.FINISHED}
        if self.option("on_failed_frames") == "accept":
            successes.add(TaskStatus.FINISHED_HAS_FAILED)
        if self.option("on_test_frames_done") == "succeed":
            successes.add(TaskStatus.FINISHED_TEST)
        return status in successes

    def scene(self, shot: int) -> str:
        """Return the scene of a shot: another one is asked for if the list of shots changes."""
        return f"/mnt/{self.name}-{shot}.{'ma' if self.layered else 'blend'}"

    def task_json(self, shot: int) -> dict[str, Any]:
        """Return its task.json."""
        common = {"frames": f"1-{self.frames}[1]", "width": "64", "height": "36", "renderer": "mayaSoftware"}
        layer = {"renderable": "1", "is_default_camera": "1", "option": "", "common": common}
        software, cg_id, version = ("Maya", "2000", "2024") if self.layered else ("Blender", "2007", "4.2")
        test_frames = {"pre_frames": "101", "stop_after_test": "1"} if self.test_frames else {}
        return {
            "software_config": {"cg_name": software, "cg_version": version, "plugins": {}},
            "task_info": {"cg_id": cg_id, "input_cg_file": self.scene(shot), **test_frames},
            "scene_info_render": dict.fromkeys(_LAYERS, layer) if self.layered else {"common": common},
        }

    def behavior(self) -> dict[str, Any]:
        """Return how it behaves on the farm."""
        behavior = {
            "scene": f"{self.name}-*",
            "seconds": _FRAME_SECONDS,
            "cost": str(PRICE),
            "crashes": self.crashes,
        }
        if self.failing_frames:
            behavior |= {"fail_frames": self.failing_frames, "fail_times": self.failures}
        return behavior


def random_scenario(name: str, rng: Random, *, low_balance: bool) -> Scenario:
    """Return a random scenario; with a low balance the account may run out of money."""
    test_frames = rng.random() < 0.15
    layered = rng.random() < 0.3
    frames = rng.randint(2, 12)
    failing_frames = rng.choice(["", "", "", "1", "1-2[1]"])
    options: dict[str, Any] = {
        "deferrable": rng.random() < 0.6,
        "poll_interval": _POLL_INTERVAL,
        "retries": RETRIES,
        "on_failed_frames": rng.choice(["fail", "accept", "recommit", "recommit", "recommit"]),
        "max_recommits": rng.randint(1, 2),
    }
    if test_frames:
        options["on_test_frames_done"] = rng.choice(["wait", "succeed", "full_speed"])
    if low_balance:
        options["on_insufficient_funds"] = rng.choice(["fail", "wait", "wait"])
    if rng.random() < 0.1:
        options["max_cost"] = str(PRICE * rng.randint(1, 2 * frames))
    if rng.random() < 0.1:
        options["min_funds"] = "1"
    if rng.random() < 0.3:
        options["on_job_change"] = rng.choice(["rerender", "rerender", "reattach"])
    if rng.random() < 0.05:
        options["timeout"] = float(rng.randint(40, 400))
    if rng.random() < 0.1:
        options["max_duration"] = float(rng.randint(40, 400))
    return Scenario(
        name,
        frames,
        layered,
        has_store=rng.random() < 0.75,
        failing_frames=failing_frames,
        failures=rng.choice([1, 1, 2, 1000]),
        crashes=rng.choice([0] * 15 + [1]),
        test_frames=test_frames,
        options=options,
    )


def farm_scenario(scenarios: list[Scenario], rng: Random, *, low_balance: bool) -> dict[str, Any]:
    """Return how the farm of a simulation behaves that renders these scenarios."""
    full_price = PRICE * sum(
        scenario.frames * (len(_LAYERS) if scenario.layered else 1) for scenario in scenarios
    )
    balance = full_price * rng.randint(2, 9) / 10 if low_balance else 10 * full_price
    return {
        "pictures": False,
        "queue_seconds": _QUEUE_SECONDS,
        "account": {"coupon": "0", "balance": str(round(balance, 2))},
        "renders": [scenario.behavior() for scenario in scenarios],
    }
