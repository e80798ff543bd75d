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
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import FrameStatus, Phase
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.renders.results import Outcome, VersionMismatch, WaitResult, evaluate_task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.api.models.account import UserProfile
    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.clients.flows import Flow

_NO_NAMES: frozenset[str] = frozenset()


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


@dataclass(frozen=True, slots=True)
class FramesSnapshot:
    """A task, and, if they were fetched, the names of its frames that are done in every leaf, and of all."""

    task: TaskInfo
    done_names: frozenset[str] = _NO_NAMES
    all_names: frozenset[str] = _NO_NAMES


@dataclass(frozen=True)
class FramesDone(Condition):
    """Frames of a task are done: frames by name, which must all be done, or a fraction of all."""

    kind: ClassVar[str] = "frames"
    task_id: int
    frames: tuple[str, ...] | None = None
    min_fraction: float = 1.0

    @property
    def query_key(self) -> str:
        """The task, or its frames."""
        return f"the frames of {self.task_id}" if self.frames else f"task {self.task_id}"

    def fetch(self) -> Flow[FramesSnapshot]:
        """Fetch the task, and its frames if they are needed by name."""
        return (yield from self.fetch_frames((yield from flows.get_task(self.task_id))))

    def fetch_frames(self, task: TaskInfo) -> Flow[FramesSnapshot]:
        """Fetch the frames of a task if they are needed by name."""
        if self.frames is None:
            return FramesSnapshot(task)
        return FramesSnapshot(task, *(yield from _frame_names(_frame_leaves(task))))

    def evaluate(self, fetched: FramesSnapshot) -> Evaluation:
        """Evaluate a snapshot; a named frame that a finished task lacks fails without retries."""
        task = fetched.task
        missing: frozenset[str] = _NO_NAMES
        if self.frames is None:
            leaves = _frame_leaves(task)
            done = sum(leaf.progress.done for leaf in leaves)
            total = sum(leaf.progress.total for leaf in leaves)
            required = math.ceil(self.min_fraction * total)
            is_met = total > 0 and done >= required
        else:
            names = frozenset(self.frames)
            done, required, total = len(fetched.done_names & names), len(names), len(fetched.all_names)
            missing = names - fetched.all_names
            is_met = done == required
        message = f"Render {self.task_id}: {done} of {required} required frames done"
        if missing and task.status.phase is Phase.SUCCEEDED:
            absent = ", ".join(map(repr, sorted(missing)))
            failure = f"Render {self.task_id}: finished, and has no frame {absent}"
            return Evaluation(message, WaitResult(Outcome.FAILED_PERMANENTLY, failure))
        result = {"render_task_id": self.task_id, "done": done, "required": required, "total": total}
        return Evaluation(
            message, WaitResult(Outcome.SUCCEEDED, message, result) if is_met else _failure_of(task)
        )


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
        return f"task {self.task_id}"

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


def _frame_leaves(task: TaskInfo) -> list[TaskInfo]:
    return [leaf for leaf in task.leaves() if not leaf.is_photon_pass]


def _frame_names(leaves: Iterable[TaskInfo]) -> Flow[tuple[frozenset[str], frozenset[str]]]:
    """Return the names of the frames that are done in every leaf that has them, and of all frames."""
    done: set[str] = set()
    pending: set[str] = set()
    for leaf in leaves:
        for frame in (yield from flows.list_frames(leaf.id)):
            (done if frame.status is FrameStatus.DONE else pending).add(frame.name)
    return frozenset(done - pending), frozenset(done | pending)


def _failure_of(task: TaskInfo) -> WaitResult | None:
    """Return the failure of a task that has failed; a finished one may still deliver."""
    result = evaluate_task(task)
    return None if result is None or result.outcome is Outcome.SUCCEEDED else result
