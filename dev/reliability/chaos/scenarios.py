"""What is rendered in a world, and with which options: drawn at random, and told to operator and farm."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.states import TaskStatus

if TYPE_CHECKING:
    from random import Random

PRICE = Decimal("0.03")
"""What a frame costs."""
RETRIES = 5
"""Airflow's retries of a task."""
POLL_INTERVAL = 20.0
"""Seconds between two looks at a render."""
_LAYERS = ("beauty", "shadow")
# Farm seconds that a frame takes at least and at most.
_SECONDS = [15, 60]
_QUEUE_SECONDS = 20


@dataclass(frozen=True)
class Plan:
    """A render.

    :param name: of its scene and its artist, by which it is found on the farm.
    :param frames: how many frames each layer has.
    :param layered: whether it has two layers.
    :param has_store: whether Airflow keeps a state for its task; else the farm keeps a marker.
    :param fails: the frames that fail.
    :param fail_times: how often each of them does.
    :param broken: how often it fails before its first frame.
    :param tests: whether it pauses after its first and last frame.
    :param options: of the operator.
    """

    name: str
    frames: int
    layered: bool
    has_store: bool
    fails: str
    fail_times: int
    broken: int
    tests: bool
    options: dict[str, Any]

    @property
    def layers(self) -> int:
        """How many layers it has."""
        return len(_LAYERS) if self.layered else 1

    def option(self, name: str, default: Any = None) -> Any:
        """Return an option of the operator."""
        return self.options.get(name, default)

    def succeeds(self, state: TaskStatus) -> bool:
        """Return whether a state in which the render has come to rest is what was wanted."""
        wanted = {TaskStatus.FINISHED}
        if self.option("on_failed_frames") == "accept":
            wanted.add(TaskStatus.FINISHED_HAS_FAILED)
        if self.option("on_test_frames_done") == "succeed":
            wanted.add(TaskStatus.FINISHED_TEST)
        return state in wanted

    def task_json(self) -> dict[str, Any]:
        """Return its description for the farm."""
        common = {"frames": f"1-{self.frames}[1]", "width": "64", "height": "36"}
        layer = {"renderable": "1", "is_default_camera": "1", "option": "", "common": common}
        software, cg_id = ("Maya", "2000") if self.layered else ("Blender", "2007")
        tests = {"pre_frames": "101", "stop_after_test": "1"} if self.tests else {}
        return {
            "software_config": {"cg_name": software, "cg_version": "4.2", "plugins": {}},
            "task_info": {"cg_id": cg_id, "input_cg_file": f"/mnt/{self.name}.scene", **tests},
            "scene_info_render": dict.fromkeys(_LAYERS, layer) if self.layered else {"common": common},
        }

    def conduct(self) -> dict[str, Any]:
        """Return how it goes on the farm, for a scenario."""
        fails = {"fail_frames": self.fails, "fail_times": self.fail_times} if self.fails else {}
        return {
            "scene": self.name,
            "seconds": _SECONDS,
            "cost": str(PRICE),
            "crashes": self.broken,
            **fails,
        }


def draw(name: str, chance: Random, *, poor: bool) -> Plan:
    """Draw a render.

    :param name: its name.
    :param chance: what decides.
    :param poor: whether the account may run out of money.
    """
    tests = chance.random() < 0.15  # noqa: PLR2004 - a share
    layered = chance.random() < 0.3  # noqa: PLR2004 - a share
    frames = chance.randint(2, 12)
    fails = chance.choice(["", "", "", "1", "1-2[1]"])
    options: dict[str, Any] = {
        "deferrable": chance.random() < 0.6,  # noqa: PLR2004 - a share
        "poll_interval": POLL_INTERVAL,
        "retries": RETRIES,
        "on_failed_frames": chance.choice(["fail", "accept", "recommit", "recommit", "recommit"]),
        "max_recommits": chance.randint(1, 2),
    }
    if tests:
        options["on_test_frames_done"] = chance.choice(["wait", "succeed", "full_speed"])
    if poor:
        options["on_insufficient_funds"] = chance.choice(["fail", "wait", "wait"])
    if chance.random() < 0.1:  # noqa: PLR2004 - a share
        options["max_cost"] = str(PRICE * chance.randint(1, 2 * frames))
    if chance.random() < 0.1:  # noqa: PLR2004 - a share
        options["min_funds"] = "1"
    if chance.random() < 0.05:  # noqa: PLR2004 - a share
        options["timeout"] = float(chance.randint(40, 400))
    if chance.random() < 0.1:  # noqa: PLR2004 - a share
        options["max_duration"] = float(chance.randint(40, 400))
    return Plan(
        name,
        frames,
        layered,
        has_store=chance.random() < 0.75,  # noqa: PLR2004 - a share
        fails=fails,
        fail_times=chance.choice([1, 1, 2, 1000]),
        broken=chance.choice([0] * 15 + [1]),
        tests=tests,
        options=options,
    )


def scenario(plans: list[Plan], chance: Random, *, poor: bool) -> dict[str, Any]:
    """Return how the farm of a world is to behave.

    :param plans: what is rendered there.
    :param chance: what decides.
    :param poor: whether the account may run out of money.
    """
    full = PRICE * sum(plan.frames * plan.layers for plan in plans)
    balance = full * chance.randint(2, 9) / 10 if poor else 10 * full
    return {
        "pictures": False,
        "queue_seconds": _QUEUE_SECONDS,
        "account": {"coupon": "0", "balance": str(round(balance, 2))},
        "renders": [plan.conduct() for plan in plans],
    }
