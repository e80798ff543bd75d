"""Conditions that can be waited for besides a task's state: frames, files, funds.

A condition is a small value that is stored with a trigger. It fetches from the farm with a flow of calls,
which the blocking and the asynchronous client run alike, and evaluates what was fetched. Conditions with the
same query key can share what was fetched.
"""

from __future__ import annotations

import fnmatch
import math
from abc import abstractmethod
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.frame_names import describe_frames
from airflow_provider_renderbus.api.states import FrameStatus, Phase
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.renders.layers import Layer, list_layers
from airflow_provider_renderbus.renders.results import Outcome, VersionMismatch, WaitResult, evaluate_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_renderbus.api.models.account import UserProfile
    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.clients.flows import Flow

_NO_NAMES: frozenset[str] = frozenset()
_MAX_FRAMES_CHARS = 4_000


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The progress of a condition in words, and the result of the wait, or None while it is pending."""

    message: str
    result: WaitResult | None = None


class Condition(Protocol):
    """Something to wait for."""

    kind: ClassVar[str]

    @property
    @abstractmethod
    def query_key(self) -> str:
        """What is fetched, in words: the same for all conditions that fetch the same."""

    @abstractmethod
    def fetch(self) -> Flow[Any]:
        """Fetch what the condition is evaluated on."""

    @abstractmethod
    def evaluate(self, fetched: Any) -> Evaluation:
        """Evaluate what was fetched."""

    def check(self) -> Flow[Evaluation]:
        """Fetch and evaluate."""
        return self.evaluate((yield from self.fetch()))


class LayerFrames(NamedTuple):
    """Names of the frames of a layer that are done, and of all that the farm lists."""

    done: frozenset[str]
    all: frozenset[str]


@dataclass(frozen=True, slots=True)
class FramesSnapshot:
    """A task, and, if they were fetched, the frames of its layers."""

    task: TaskInfo
    layers: tuple[LayerFrames, ...] | None = None

    @property
    def all_names(self) -> frozenset[str]:
        """The names of all frames, over all layers."""
        return _NO_NAMES.union(*(layer.all for layer in self.layers or ()))

    @property
    def complete_names(self) -> frozenset[str]:
        """The names of the frames that are done in every layer that has them.

        A layer that lists no frames yet counts as having all of them.
        """
        layers = self.layers or ()
        if not all(layer.all for layer in layers):
            return _NO_NAMES
        return self.all_names - _NO_NAMES.union(*(layer.all - layer.done for layer in layers))


@dataclass(frozen=True)
class FramesDone(Condition):
    """Frames of a task are done in every layer that has them: frames by name, or a fraction of all.

    :param layers: names of the layers that count; all of them if None.
    """

    kind: ClassVar[str] = "frames"
    task_id: int
    frames: tuple[str, ...] | None = None
    min_fraction: float = 1.0
    layers: tuple[str, ...] | None = None

    @property
    def query_key(self) -> str:
        """The frames, and which of them are fetched."""
        which = "all" if self.frames else f"{self.min_fraction:g}"
        return f"the frames of {self.task_id}, layers {self.layers or 'all'}, {which}"

    def fetch(self) -> Flow[FramesSnapshot]:
        """Fetch the task, and its frames if they can be what is waited for."""
        return (yield from self.fetch_frames((yield from flows.get_task(self.task_id))))

    def fetch_frames(self, task: TaskInfo) -> Flow[FramesSnapshot]:
        """Fetch the frames of a task if they can be what is waited for."""
        if not self.needs_frames(task):
            return FramesSnapshot(task)
        layers = []
        for layer in self._selected(task):
            frames = yield from flows.list_frames(layer.leaf.id)
            pending = frozenset(frame.name for frame in frames if frame.status is not FrameStatus.DONE)
            names = frozenset(frame.name for frame in frames)
            layers.append(LayerFrames(names - pending, names))
        return FramesSnapshot(task, tuple(layers))

    def needs_frames(self, task: TaskInfo) -> bool:
        """Return whether the counters of a task leave open whether the condition is met.

        Each frame that a layer still renders is one that is not complete.
        """
        if self.frames is not None:
            return True
        progress = [layer.leaf.progress for layer in self._selected(task)]
        total = sum(each.total for each in progress)
        return total > 0 and all(
            each.total - each.done <= total - math.ceil(self.min_fraction * total) for each in progress
        )

    def evaluate(self, fetched: FramesSnapshot) -> Evaluation:
        """Evaluate a snapshot; a named frame or layer that a finished task lacks fails without retries."""
        task = fetched.task
        layers = list_layers(task)
        complete = fetched.complete_names
        if fetched.layers is None:
            progress = [layer.leaf.progress for layer in self._selected(task)]
            done, total = sum(each.done for each in progress), sum(each.total for each in progress)
            required, is_met = math.ceil(self.min_fraction * total), False
        else:
            names = fetched.all_names
            if self.frames is not None:
                complete &= frozenset(self.frames)
            total, done = len(names), len(complete)
            required = math.ceil(self.min_fraction * total) if self.frames is None else len(set(self.frames))
            is_met = total > 0 and done >= required
        message = f"Render {self.task_id}: {done} of {required} required frames done"
        absent = self._absent(fetched, layers)
        if absent and task.status.phase is Phase.SUCCEEDED:
            failure = f"Render {self.task_id}: finished, and has no {absent}"
            return Evaluation(message, WaitResult(Outcome.FAILED_PERMANENTLY, failure))
        if absent:
            message += f"; there is no {absent}"
        if not is_met or absent:
            return Evaluation(message, _failure_of(task))
        result = {
            "render_task_id": self.task_id,
            "done": done,
            "required": required,
            "total": total,
            "frames": describe_frames(complete, _MAX_FRAMES_CHARS),
        }
        return Evaluation(message, WaitResult(Outcome.SUCCEEDED, message, result))

    def _selected(self, task: TaskInfo) -> list[Layer]:
        """Return the layers that count. Passes before the main pass have no frames."""
        return [
            layer
            for layer in list_layers(task)
            if layer.has_frames and (self.layers is None or layer.name in self.layers)
        ]

    def _absent(self, fetched: FramesSnapshot, layers: Sequence[Layer]) -> str:
        """Return the names that no layer or no frame has, in words, and what there is."""
        has_frames = [layer.name for layer in layers if layer.has_frames]
        if unknown := sorted(set(self.layers or ()) - set(has_frames)):
            return f"layer {', '.join(map(repr, unknown))}, there are: {', '.join(has_frames) or 'none yet'}"
        names = fetched.all_names
        unknown = sorted(set(self.frames or ()) - names)
        # Layers that list no frames yet may have them.
        is_listed = fetched.layers and all(layer.all for layer in fetched.layers)
        if not unknown or not (is_listed or fetched.task.status.phase is Phase.SUCCEEDED):
            return ""
        return f"frame {', '.join(map(repr, unknown))}, there are: {describe_frames(names) or 'none yet'}"


@dataclass(frozen=True)
class RenderAdvanced(Condition):
    """More frames of a task are done than before, or it has ended.

    :param done: how many were done.
    :param burst: how many more must be; 0 to wait for the end of the task.
    """

    kind: ClassVar[str] = "advanced"
    task_id: int
    done: int
    burst: int

    @property
    def query_key(self) -> str:
        """The task."""
        return f"the progress of {self.task_id}"

    def fetch(self) -> Flow[TaskInfo]:
        """Fetch the task."""
        return (yield from flows.get_task(self.task_id))

    def evaluate(self, fetched: TaskInfo) -> Evaluation:
        """Compare the counters. A task that pauses has no more frames for now, however few there are."""
        progress = fetched.progress
        more = progress.done - self.done
        enough = self.burst if fetched.status.phase is Phase.ACTIVE else 1
        is_met = fetched.is_terminal or (self.burst > 0 and more >= enough)
        message = f"Render {self.task_id}: {progress.done} of {progress.total} frames done"
        result = {"render_task_id": self.task_id, "done": progress.done}
        return Evaluation(message, WaitResult(Outcome.SUCCEEDED, message, result) if is_met else None)


@dataclass(frozen=True)
class FilesPresent(Condition):
    """Files of a task whose paths match a pattern are in the output storage."""

    kind: ClassVar[str] = "files"
    task_id: int
    pattern: str = "*"
    min_files: int = 1

    @property
    def query_key(self) -> str:
        """The files."""
        return f"the files of {self.task_id}"

    def fetch(self) -> Flow[tuple[TaskInfo, list[str]]]:
        """Fetch the task and the paths of its files."""
        task = yield from flows.get_task(self.task_id)
        files = yield from flows.list_leaf_files(leaf.id for leaf in task.leaves())
        return task, [file.path for file in files]

    def evaluate(self, fetched: tuple[TaskInfo, list[str]]) -> Evaluation:
        """Count the files."""
        task, paths = fetched
        files = sum(fnmatch.fnmatchcase(path, self.pattern) for path in paths)
        message = f"Render {self.task_id}: {files} of {self.min_files} files present"
        result = {"render_task_id": self.task_id, "files": files}
        is_met = files >= self.min_files
        return Evaluation(
            message, WaitResult(Outcome.SUCCEEDED, message, result) if is_met else _failure_of(task)
        )


@dataclass(frozen=True)
class SufficientFunds(Condition):
    """The account can spend an amount: balance, coupons and credit together, if they are visible."""

    kind: ClassVar[str] = "funds"
    min_funds: str

    @property
    def query_key(self) -> str:
        """The account."""
        return "the account"

    def fetch(self) -> Flow[UserProfile]:
        """Fetch the account's profile."""
        profile: UserProfile
        (profile,) = yield [calls.query_user_profile()]
        return profile

    def evaluate(self, fetched: UserProfile) -> Evaluation:
        """Compare the available funds; hidden funds count as sufficient."""
        funds, currency = fetched.available_funds, fetched.currency
        message = f"The account shows {funds} {currency}, waiting for {self.min_funds} {currency}"
        if not fetched.funds_visible:
            message += f"; {fetched.FUNDS_HIDDEN_NOTE}"
        if fetched.has_less_than(Decimal(self.min_funds)):
            return Evaluation(message)
        result = {"available_funds": str(funds), "currency": currency}
        return Evaluation(message, WaitResult(Outcome.SUCCEEDED, message, result))


CONDITIONS: dict[str, type[Any]] = {
    kind.kind: kind for kind in (FramesDone, RenderAdvanced, FilesPresent, SufficientFunds)
}


def condition_to_dict(condition: Any) -> dict[str, Any]:
    """Return a condition as the JSON that is stored with a trigger."""
    return {"kind": condition.kind, **asdict(condition)}


def condition_from_dict(stored: dict[str, Any]) -> Condition:
    """Return a condition from what was stored with a trigger, or raise VersionMismatch."""
    name = stored.get("kind", "")
    fields = {
        field: tuple(value) if isinstance(value, list) else value
        for field, value in stored.items()
        if field != "kind"
    }
    try:
        condition: Condition = CONDITIONS[name](**fields)
    except (KeyError, TypeError) as error:
        raise VersionMismatch(
            f"the trigger was stored with the condition {name!r}, which this version does not know"
        ) from error
    return condition


def _failure_of(task: TaskInfo) -> WaitResult | None:
    """Return the failure of a task that has failed; a finished one may still deliver."""
    result = evaluate_task(task)
    return None if result is None or result.outcome is Outcome.SUCCEEDED else result
