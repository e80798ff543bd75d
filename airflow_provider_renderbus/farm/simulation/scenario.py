"""The scenario: a JSON file that configures how the farm behaves. docs/farm.md documents every key."""

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
from airflow_provider_renderbus.farm.software import SOFTWARE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal
    from pathlib import Path

    from airflow_provider_renderbus.farm.pictures.task_json import Job
    from airflow_provider_renderbus.farm.simulation.chunks import Chunk
    from airflow_provider_renderbus.farm.simulation.config_values import Parser
    from airflow_provider_renderbus.farm.software import FarmSoftware


UNLIMITED = 1_000_000_000
"""A number of failures that no frame reaches, and the resolution of ``failure_rate``."""
PASSES = ("preprocess", "photon")
REPORTED_AS = {TaskState.FINISHED_HAS_STOPPED: TaskState.FINISHED_HAS_FAILED}
"""States that are reported as another one because the vendor's client does not know them."""


@dataclass(frozen=True, slots=True)
class RenderBehavior:
    """How the renders of matching scenes behave.

    :param scene: pattern of the scene's name, with or without its extension.
    :param layer: pattern of the layer's name.
    :param seconds: minimum and maximum farm seconds per frame; the scenario's if None.
    :param growth: how many times as long the last frame takes as the first, with the others in between.
    :param cost: cost of a frame in RMB; its time at the account's price if None.
    :param fail_frames: frame numbers that fail.
    :param failure_rate: fraction of the frames that fail, chosen by the seed.
    :param fail_times: how often each of these fails before it succeeds.
    :param missing_files: frame numbers that are done and leave no file.
    :param empty_files: frame numbers that are done and leave an empty file.
    :param spoiled_times: how often each of these does so before it leaves a whole file.
    :param passes: passes before the main pass.
    :param reported_as: state codes that are reported as another code.
    :param crashes: how often the task fails before its first frame.
    :param cameras: cameras that the scene has; if None, all that a task names.
    :param layers: layers, nodes or jobs that the scene has; if None, all that a task names.
    """

    scene: str = "*"
    layer: str = "*"
    seconds: tuple[int, int] | None = None
    growth: float = 1.0
    cost: Decimal | None = None
    fail_frames: frozenset[int] = frozenset()
    failure_rate: float = 0.0
    fail_times: int = UNLIMITED
    missing_files: frozenset[int] = frozenset()
    empty_files: frozenset[int] = frozenset()
    spoiled_times: int = UNLIMITED
    passes: tuple[str, ...] = ()
    reported_as: Mapping[int, int] = field(default_factory=dict, hash=False)
    crashes: int = 0
    cameras: tuple[str, ...] | None = None
    layers: tuple[str, ...] | None = None

    def slowness(self, job: Job, frame: int) -> float:
        """Return how many times as long a frame takes as the first, by its place among the frames."""
        first, last = job.frames[0], job.frames[-1]
        return 1 + (self.growth - 1) * (frame - first) / (last - first) if last != first else 1.0

    def missing_from_scene(self, job: Job) -> str:
        """Return which camera or layer of a job its scene does not have, "" if it has all."""
        for kind, names, existing in (
            ("layer", [job.layer_in_scene], self.layers),
            ("camera", job.camera.split(", "), self.cameras),
        ):
            for name in names:
                if existing is not None and name and name not in existing:
                    return f"the scene has no {kind} {name!r}; it has {', '.join(existing) or 'none'}"
        return ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Meaning of a code in the analysis of a scene (tips.json).

    :param type: 0 a warning, 1 an error.
    :param blocking: whether the farm refuses a task with this error.
    :param text: what is wrong.
    :param solution: what to do.
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
    """How the farm behaves.

    :param seed: changes everything that is random.
    :param machines: machines of a task whose customer has set no limit.
    :param queue_seconds: farm seconds from submit or start until machines are ready.
    :param frame_seconds: minimum and maximum farm seconds per frame.
    :param pictures: whether frames are rendered; if false, their files are placeholders.
    :param funds: the money of a new account.
    :param renders: behavior of renders; the first entry that matches a scene applies.
    :param faults: faults that are active from the start.
    :param findings: analysis codes and their meaning.
    :param software: the software that it renders with, by id.
    :param lenient: whether it renders also what the live farm cannot.
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
    software: Mapping[int, FarmSoftware] = field(default_factory=lambda: dict(SOFTWARE), hash=False)
    lenient: bool = False

    @property
    def checked_software(self) -> Mapping[int, FarmSoftware] | None:
        """The software that jobs are checked against, None for a lenient farm."""
        return None if self.lenient else self.software

    def behavior_for(self, job: Job) -> RenderBehavior:
        """Return the behavior that applies to a job."""
        return _find_behavior(self.renders, job.scene, job.stem, job.layer)

    def seconds(self, job: Job, chunk: Chunk) -> int:
        """Return the farm seconds that a chunk of a job takes."""
        behavior = self.behavior_for(job)
        limits = behavior.seconds or self.frame_seconds
        name = job.stem + job.layer
        total = sum(
            seeded_randint(name, frame, self.seed, limits) * behavior.slowness(job, frame)
            for frame in chunk.frames
        )
        return max(round(total * chunk.time_fraction), 1)

    def fails(self, job: Job, chunk: Chunk, failures: int) -> bool:
        """Return whether a chunk that has failed this often fails again."""
        behavior = self.behavior_for(job)
        if failures >= behavior.fail_times:
            return False
        if not behavior.fail_frames.isdisjoint(chunk.frames):
            return True
        draw = seeded_randint(f"fail {job.stem}{job.layer}", chunk.frames[0], self.seed, (0, UNLIMITED - 1))
        return draw < behavior.failure_rate * UNLIMITED

    def reported_state(self, job: Job, state: TaskState) -> int:
        """Return the code that a state is reported as."""
        return self.behavior_for(job).reported_as.get(state, REPORTED_AS.get(state, state))


@lru_cache(maxsize=4096)
def _find_behavior(renders: tuple[RenderBehavior, ...], scene: str, stem: str, layer: str) -> RenderBehavior:
    for behavior in renders:
        if fnmatchcase(layer, behavior.layer) and (
            fnmatchcase(scene, behavior.scene) or fnmatchcase(stem, behavior.scene)
        ):
            return behavior
    return RenderBehavior()


def _frame_set(value: Any) -> frozenset[int]:
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


def _plugins(value: Any) -> dict[str, tuple[str, ...]]:
    try:
        return {name: strings()(versions) for name, versions in _object(value).items()}
    except ValueError:
        raise ValueError('an object of names to versions such as {"mtoa": ["5.3.4"]}') from None


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
    "software": _object,
    "lenient": boolean,
}
ACCOUNT_KEYS: dict[str, Parser] = dict.fromkeys(("price", "coupon", "balance", "credit"), money_amount)
RENDER_KEYS: dict[str, Parser] = {
    "scene": string,
    "layer": string,
    "seconds": int_range,
    "growth": float_in(0.01, 100),
    "cost": money_amount,
    "fail_frames": _frame_set,
    "failure_rate": float_in(0, 1),
    "fail_times": int_in(1),
    "missing_files": _frame_set,
    "empty_files": _frame_set,
    "spoiled_times": int_in(1),
    "passes": strings(*PASSES),
    "reported_as": state_map,
    "crashes": int_in(0),
    "cameras": strings(),
    "layers": strings(),
}
SOFTWARE_KEYS: dict[str, Parser] = {"versions": strings(), "plugins": _plugins}
FINDING_KEYS: dict[str, Parser] = {
    "type": int_in(0, 1),
    "blocking": boolean,
    "text": string,
    "solution": string,
}


def read_scenario(value: Mapping[str, Any]) -> Scenario:
    """Read a scenario.

    :raises ValueError: a key is unknown or a value is invalid; the message says which and what it must be.
    """
    values = parse_object("scenario", value, SCENARIO_KEYS)
    funds = replace(Funds(), **parse_object("account", values.pop("account", {}), ACCOUNT_KEYS))
    findings = {
        code: Finding(**parse_object(f"findings.{code}", entry, FINDING_KEYS))
        for code, entry in values.pop("findings", {}).items()
    }
    extensions = values.pop("software", {})
    renders = [
        RenderBehavior(**parse_object(f"renders[{index}]", entry, RENDER_KEYS))
        for index, entry in enumerate(values.pop("renders", []))
    ]
    faults = [read_fault(f"faults[{index}]", entry) for index, entry in enumerate(values.pop("faults", []))]
    return Scenario(
        **values,
        funds=funds,
        renders=tuple(renders),
        faults=tuple(faults),
        findings=FINDINGS | findings,
        software=_extended_software(extensions),
    )


def _extended_software(extensions: Mapping[str, Any]) -> dict[int, FarmSoftware]:
    software = dict(SOFTWARE)
    ids = {each.name: cg_id for cg_id, each in software.items()}
    for name, entry in extensions.items():
        if name not in ids:
            raise ValueError(f"software: keys must be among {', '.join(ids)}, got {name[:80]!r}")
        own = parse_object(f"software.{name}", entry, SOFTWARE_KEYS)
        software[ids[name]] = software[ids[name]].extended(**own)
    return software


def open_scenario(path: Path) -> Scenario:
    """Read a scenario file.

    :raises OSError: it cannot be read.
    :raises ValueError: it is not a scenario.
    """
    try:
        return read_scenario(json.loads(path.read_text("utf-8")))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None


def seeded_randint(purpose: str, index: int, seed: int, limits: tuple[int, int]) -> int:
    """Return a repeatable random integer.

    :param purpose: what it is used for: each purpose has a sequence of its own.
    :param index: index in that sequence.
    :param seed: seed of the scenario.
    :param limits: minimum and maximum.
    """
    minimum, maximum = limits
    salt = f"{seed}:" if seed else ""
    digest = blake2b(f"{salt}{purpose}:{index}".encode(errors="replace"), digest_size=4).digest()
    return minimum + int.from_bytes(digest) % (maximum - minimum + 1)
