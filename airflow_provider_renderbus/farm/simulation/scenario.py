"""How a farm is to behave: a JSON file that a person writes, documented in docs/farm.md key by key."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.pictures.ranges import parse_frames
from airflow_provider_renderbus.farm.simulation.account import Funds
from airflow_provider_renderbus.farm.simulation.config_values import (
    MAX_SEED,
    boolean,
    float_in,
    int_in,
    int_range,
    money_amount,
    parse_object,
    state_map,
    string,
    strings,
)
from airflow_provider_renderbus.farm.simulation.faults import Fault, read_fault
from airflow_provider_renderbus.farm.simulation.tasks import TaskState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal
    from pathlib import Path

    from airflow_provider_renderbus.farm.pictures.task_json import Job
    from airflow_provider_renderbus.farm.simulation.chunks import Chunk
    from airflow_provider_renderbus.farm.simulation.config_values import Parser


UNLIMITED = 1_000_000_000
PASSES = ("preprocess", "photon")
REPORTED_AS = {TaskState.FINISHED_HAS_STOPPED: TaskState.FINISHED_HAS_FAILED}
"""States that are shown as another one, because the vendor's client does not know them."""


@dataclass(frozen=True, slots=True)
class RenderBehavior:
    """How the renders of some scenes go.

    :param scene: pattern of the scene's name, with or without its ending.
    :param layer: pattern of the layer's name.
    :param seconds: farm seconds that a frame takes at least and at most.
    :param cost: what a frame costs instead of its time at the account's price, RMB.
    :param fail_frames: the frames that fail.
    :param fail_share: the share of the frames that fail, chosen by the seed.
    :param fail_times: how often each of them fails before it is rendered.
    :param passes: passes before the main one.
    :param shown: states that are shown as another.
    :param broken: how often it fails before its first frame.
    """

    scene: str = "*"
    layer: str = "*"
    seconds: tuple[int, int] | None = None
    cost: Decimal | None = None
    fail_frames: frozenset[int] = frozenset()
    failure_rate: float = 0.0
    fail_times: int = UNLIMITED
    passes: tuple[str, ...] = ()
    reported_as: Mapping[int, int] = field(default_factory=dict, hash=False)
    crashes: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a code of an analysis means.

    :param type: 0 a warning, 1 an error.
    :param enforced: whether an error refuses the task.
    """

    type: int = 1
    blocking: bool = True
    text: str = ""
    solution: str = ""


FINDINGS = {
    "15000": Finding(1, True, "启动3ds max卡住或者失败", "检查对应版本的3ds max是否有特殊弹窗"),
    "35001": Finding(0, True, "贴图缺失", "检查贴图路径"),
    "50001": Finding(1, True, "场景文件损坏", "重新保存场景文件"),
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """How a farm is to behave.

    :param seed: changes all that chance decides.
    :param machines: machines a task has at a time where its customer sets no limit.
    :param queue_seconds: farm seconds from submit or start until machines are ready.
    :param frame_seconds: farm seconds that a frame takes at least and at most.
    :param pictures: whether frames are painted; otherwise their files are tiny.
    :param money: what a new account begins with.
    :param renders: how the renders of chosen scenes go; the first that fits counts.
    :param faults: what goes wrong with calls, from the start.
    :param findings: codes of analyses and their meaning.
    """

    seed: int = 0
    machines: int = 4
    queue_seconds: int = 60
    frame_seconds: tuple[int, int] = (90, 150)
    pictures: bool = True
    funds: Funds = field(default_factory=Funds, hash=False)
    renders: tuple[RenderBehavior, ...] = ()
    faults: tuple[Fault, ...] = field(default=(), hash=False)
    findings: Mapping[str, Finding] = field(default_factory=lambda: dict(FINDINGS), hash=False)

    def behavior_for(self, job: Job) -> RenderBehavior:
        """Return how a job's renders go."""
        return _find_behavior(self.renders, job.scene, job.stem, job.layer)

    def seconds(self, job: Job, piece: Chunk) -> int:
        """Return the farm seconds that a piece of a job takes."""
        bounds = self.behavior_for(job).seconds or self.frame_seconds
        name = job.stem + job.layer
        whole_time = sum(seeded_randint(name, frame, self.seed, bounds) for frame in piece.frames)
        return max(round(whole_time * piece.time_fraction), 1)

    def fails(self, job: Job, piece: Chunk, failures: int) -> bool:
        """Return whether a piece that has failed so often fails again."""
        conduct = self.behavior_for(job)
        if failures >= conduct.fail_times:
            return False
        if not conduct.fail_frames.isdisjoint(piece.frames):
            return True
        draw = seeded_randint(f"fail {job.stem}{job.layer}", piece.frames[0], self.seed, (0, UNLIMITED - 1))
        return draw < conduct.failure_rate * UNLIMITED

    def reported_status(self, job: Job, state: TaskState) -> int:
        """Return the code as which a state is shown."""
        return self.behavior_for(job).reported_as.get(state, REPORTED_AS.get(state, state))


@lru_cache(maxsize=4096)
def _find_behavior(renders: tuple[RenderBehavior, ...], scene: str, stem: str, layer: str) -> RenderBehavior:
    for conduct in renders:
        if fnmatchcase(layer, conduct.layer) and (
            fnmatchcase(scene, conduct.scene) or fnmatchcase(stem, conduct.scene)
        ):
            return conduct
    return RenderBehavior()


def _frames(value: Any) -> frozenset[int]:
    try:
        return frozenset(parse_frames(value))
    except (TypeError, AttributeError, ValueError):
        raise ValueError("frames such as 1-10[2],15") from None


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("a list")
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("a JSON object")
    return value


SCENARIO_KEYS: dict[str, Parser] = {
    "seed": int_in(0, MAX_SEED),
    "machines": int_in(1, 1000),
    "queue_seconds": int_in(0),
    "frame_seconds": int_range,
    "pictures": boolean,
    "account": _object,
    "renders": _list,
    "faults": _list,
    "findings": _object,
}
ACCOUNT_KEYS: dict[str, Parser] = dict.fromkeys(("price", "coupon", "balance", "credit"), money_amount)
RENDER_KEYS: dict[str, Parser] = {
    "scene": string,
    "layer": string,
    "seconds": int_range,
    "cost": money_amount,
    "fail_frames": _frames,
    "failure_rate": float_in(0, 1),
    "fail_times": int_in(1),
    "passes": strings(*PASSES),
    "reported_as": state_map,
    "crashes": int_in(0),
}
FINDING_KEYS: dict[str, Parser] = {
    "type": int_in(0, 1),
    "blocking": boolean,
    "text": string,
    "solution": string,
}


def read_scenario(given: Mapping[str, Any]) -> Scenario:
    """Read a scenario.

    :raises ValueError: it has an unknown key or a wrong value; the message says where and what is expected.
    """
    values = parse_object("scenario", given, SCENARIO_KEYS)
    money = replace(Funds(), **parse_object("account", values.pop("account", {}), ACCOUNT_KEYS))
    findings = {
        code: Finding(**parse_object(f"findings {code}", entry, FINDING_KEYS))
        for code, entry in values.pop("findings", {}).items()
    }
    renders = [
        RenderBehavior(**parse_object(f"renders[{place}]", entry, RENDER_KEYS))
        for place, entry in enumerate(values.pop("renders", []))
    ]
    faults = [read_fault(f"faults[{place}]", entry) for place, entry in enumerate(values.pop("faults", []))]
    return Scenario(
        **values, funds=money, renders=tuple(renders), faults=tuple(faults), findings=FINDINGS | findings
    )


def open_scenario(path: Path) -> Scenario:
    """Read a scenario file.

    :raises OSError: it cannot be read.
    :raises ValueError: it is not a scenario.
    """
    try:
        return read_scenario(json.loads(path.read_text("utf-8")))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None


def seeded_randint(what: str, number: int, seed: int, bounds: tuple[int, int]) -> int:
    """Draw a whole number.

    :param what: what it is drawn for.
    :param number: which of those.
    :param seed: that of the scenario.
    :param bounds: the least and the greatest number that can be drawn.
    """
    least, most = bounds
    salt = f"{seed}:" if seed else ""
    digest = blake2b(f"{salt}{what}:{number}".encode(errors="replace"), digest_size=4).digest()
    return least + int.from_bytes(digest) % (most - least + 1)
