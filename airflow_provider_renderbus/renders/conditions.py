"""What can be waited for besides a task's state: frames, files, money.

A condition is a small value that can be stored with a trigger. It asks the farm a question, a sequence of
calls that a worker's client and a triggerer's drive alike, and judges by the answer how far it has come. Many
conditions may share an answer.
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
    """What one look has shown.

    :param news: a line about how far it has come; the same line again is no news.
    :param end: how the waiting has ended, or None while it goes on.
    """

    message: str
    result: WaitResult | None = None


class Condition(Protocol):
    """Something to wait for."""

    kind: ClassVar[str]

    @property
    @abstractmethod
    def query_key(self) -> str:
        """What it asks, in words: the same for all conditions that ask the same."""

    @abstractmethod
    def fetch(self) -> Flow[Any]:
        """Ask the farm."""

    @abstractmethod
    def evaluate(self, answer: Any) -> Evaluation:
        """Return what an answer shows."""

    def check(self) -> Flow[Evaluation]:
        """Look once."""
        return self.evaluate((yield from self.fetch()))


@dataclass(frozen=True, slots=True)
class FramesSnapshot:
    """A task, and the names of its frames where they were asked for.

    :param task: the task.
    :param finished: the frames that are done in every leaf that has them.
    :param there: all frames.
    """

    task: TaskInfo
    done_names: frozenset[str] = _NO_NAMES
    all_names: frozenset[str] = _NO_NAMES


@dataclass(frozen=True)
class FramesDone(Condition):
    """Frames of a task are done: chosen ones, or a share of all.

    :param number: the task's number.
    :param frames: names of frames, which must all be done; None where a share counts.
    :param share: how many of all frames must be done, from 0 to 1.
    """

    kind: ClassVar[str] = "frames"
    task_id: int
    frames: tuple[str, ...] | None = None
    share: float = 1.0

    @property
    def query_key(self) -> str:
        """What it asks."""
        return f"the frames of {self.task_id}" if self.frames else f"task {self.task_id}"

    def fetch(self) -> Flow[FramesSnapshot]:
        """Ask for the task, and for its frames where some are chosen."""
        return (yield from self.fetch_frames((yield from flows.get_task(self.task_id))))

    def fetch_frames(self, task: TaskInfo) -> Flow[FramesSnapshot]:
        """Ask for a task's frames where some are chosen."""
        if self.frames is None:
            return FramesSnapshot(task)
        return FramesSnapshot(task, *(yield from _frame_names(_frame_leaves(task))))

    def evaluate(self, answer: FramesSnapshot) -> Evaluation:
        """Return what an answer shows."""
        task = answer.task
        missing: frozenset[str] = _NO_NAMES
        if self.frames is None:
            leaves = _frame_leaves(task)
            done = sum(leaf.progress.done for leaf in leaves)
            total = sum(leaf.progress.total for leaf in leaves)
            required = math.ceil(self.share * total)
            reached = total > 0 and done >= required
            of = total
        else:
            chosen = frozenset(self.frames)
            done, required, missing = len(answer.done_names & chosen), len(chosen), chosen - answer.all_names
            reached = done == required
            of, total = required, len(answer.all_names)
        news = f"task {self.task_id}: {done} of {of} frames done"
        result = {"render_task_id": self.task_id, "done": done, "required": required, "total": total}
        if missing and task.status.phase is Phase.SUCCEEDED:
            names = ", ".join(map(repr, sorted(missing)))
            return Evaluation(
                news,
                WaitResult(
                    Outcome.FAILED_PERMANENTLY, f"task {self.task_id} has finished and has no frame {names}"
                ),
            )
        return Evaluation(news, WaitResult(Outcome.SUCCEEDED, news, result) if reached else _failure_of(task))


@dataclass(frozen=True)
class FilesPresent(Condition):
    """Files of a task are in the output storage.

    :param number: the task's number.
    :param pattern: which files count, matched against their paths.
    :param count: how many there must be.
    """

    kind: ClassVar[str] = "files"
    task_id: int
    pattern: str = "*"
    count: int = 1

    @property
    def query_key(self) -> str:
        """What it asks."""
        return f"the files of {self.task_id}"

    def fetch(self) -> Flow[tuple[TaskInfo, list[str]]]:
        """Ask for the task and list its files."""
        task = yield from flows.get_task(self.task_id)
        files = yield from flows.list_leaf_files(leaf.id for leaf in task.leaves())
        return task, [file.path for file in files]

    def evaluate(self, answer: tuple[TaskInfo, list[str]]) -> Evaluation:
        """Return what an answer shows."""
        task, paths = answer
        files = sum(fnmatch.fnmatchcase(path, self.pattern) for path in paths)
        news = f"task {self.task_id}: {files} of {self.count} files are there"
        result = {"render_task_id": self.task_id, "files": files}
        return Evaluation(
            news, WaitResult(Outcome.SUCCEEDED, news, result) if files >= self.count else _failure_of(task)
        )


@dataclass(frozen=True)
class SufficientFunds(Condition):
    """The account can spend enough, as far as it shows: balance, coupons and credit together.

    :param least: how much, in the account's currency, as text.
    """

    kind: ClassVar[str] = "funds"
    min_funds: str

    @property
    def query_key(self) -> str:
        """What it asks."""
        return "the account"

    def fetch(self) -> Flow[UserProfile]:
        """Ask for the account's profile."""
        (profile,) = yield [calls.query_user_profile()]
        found: UserProfile = profile
        return found

    def evaluate(self, answer: UserProfile) -> Evaluation:
        """Return what an answer shows."""
        news = f"the account has {answer.available_funds} {answer.currency}, {self.min_funds} are wanted"
        if not answer.funds_visible:
            news += f"; {answer.FUNDS_HIDDEN_NOTE}"
        result = {"available_funds": str(answer.available_funds), "currency": answer.currency}
        return Evaluation(
            news,
            None
            if answer.has_less_than(Decimal(self.min_funds))
            else WaitResult(Outcome.SUCCEEDED, news, result),
        )


CONDITIONS: dict[str, type[Any]] = {kind.kind: kind for kind in (FramesDone, FilesPresent, SufficientFunds)}


def stored(condition: Any) -> dict[str, Any]:
    """Return a condition as the JSON that is stored with a trigger."""
    return {"kind": condition.kind, **asdict(condition)}


def restored(stored_condition: dict[str, Any]) -> Condition:
    """Return a condition from what was stored with a trigger.

    :raises OtherVersion: it is none.
    """
    fields = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in stored_condition.items()
        if name != "kind"
    }
    kind = CONDITIONS.get(stored_condition.get("kind", ""))
    try:
        if kind is not None:
            condition: Condition = kind(**fields)
            return condition
    except TypeError:
        pass
    raise VersionMismatch(
        f"the trigger was stored with a condition, {stored_condition.get('kind')}, which this version of the "
        f"provider does not know"
    )


def _frame_leaves(task: TaskInfo) -> list[TaskInfo]:
    return [leaf for leaf in task.leaves() if not leaf.is_photon_pass]


def _frame_names(leaves: Iterable[TaskInfo]) -> Flow[tuple[frozenset[str], frozenset[str]]]:
    """Return the names of the frames that are done in every leaf that has them, and of all frames."""
    done: set[str] = set()
    open_: set[str] = set()
    for leaf in leaves:
        for frame in (yield from flows.list_frames(leaf.id)):
            (done if frame.status is FrameStatus.DONE else open_).add(frame.name)
    return frozenset(done - open_), frozenset(done | open_)


def _failure_of(task: TaskInfo) -> WaitResult | None:
    """Return the end of waiting where the task has failed; one that has finished may still deliver."""
    end = evaluate_task(task)
    return None if end is None or end.outcome is Outcome.SUCCEEDED else end
