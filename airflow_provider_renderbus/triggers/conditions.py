"""What can be waited for besides a task's state: frames, files, money.

A condition is a small value that can be stored with a trigger. One look at it is a sequence of calls, which
a worker's client and a triggerer's drive alike, and whose result says how far it has come.
"""

from __future__ import annotations

import fnmatch
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import FrameStatus, Phase
from airflow_provider_renderbus.clients import sequences
from airflow_provider_renderbus.triggers.events import End, Event, judge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.clients.sequences import Sequence


@dataclass(frozen=True, slots=True)
class Look:
    """What one look has shown.

    :param news: a line about how far it has come; the same line again is no news.
    :param end: how the waiting has ended, or None while it goes on.
    """

    news: str
    end: Event | None = None


class Condition(Protocol):
    """Something to wait for."""

    kind: ClassVar[str]

    def look(self) -> Sequence[Look]:
        """Look once."""


@dataclass(frozen=True, slots=True)
class FramesDone:
    """Frames of a task are done: chosen ones, or a share of all.

    :param number: the task's number.
    :param frames: names of frames, which must all be done; None where a share counts.
    :param share: how many of all frames must be done, from 0 to 1.
    """

    kind: ClassVar[str] = "frames"
    number: int
    frames: tuple[str, ...] | None = None
    share: float = 1.0

    def look(self) -> Sequence[Look]:
        """Ask for the task, and for its frames where some are chosen."""
        task = yield from sequences.task_info(self.number)
        leaves = [leaf for leaf in task.leaves() if not leaf.is_photon_pass]
        missing: set[str] = set()
        if self.frames is None:
            done = sum(leaf.progress.done for leaf in leaves)
            wanted = sum(leaf.progress.total for leaf in leaves)
            reached = wanted > 0 and done >= self.share * wanted
        else:
            chosen = set(self.frames)
            finished, there = yield from _frame_names(leaves)
            done, wanted, missing = len(finished & chosen), len(chosen), chosen - there
            reached = done == wanted
        news = f"task {self.number}: {done} of {wanted} frames done"
        result = {"number": self.number, "done": done, "wanted": wanted}
        if missing and task.status.phase is Phase.SUCCEEDED:
            names = ", ".join(map(repr, sorted(missing)))
            return Look(
                news, Event(End.FAILED_FOR_GOOD, f"task {self.number} has finished and has no frame {names}")
            )
        return Look(news, Event(End.REACHED, news, result) if reached else _lost(task))


@dataclass(frozen=True, slots=True)
class FilesThere:
    """Files of a task are in the output storage.

    :param number: the task's number.
    :param pattern: which files count, matched against their paths.
    :param count: how many there must be.
    """

    kind: ClassVar[str] = "files"
    number: int
    pattern: str = "*"
    count: int = 1

    def look(self) -> Sequence[Look]:
        """Ask for the task and list its files."""
        task = yield from sequences.task_info(self.number)
        files = yield from sequences.files_of(leaf.id for leaf in task.leaves())
        paths = [file.path for file in files if fnmatch.fnmatchcase(file.path, self.pattern)]
        news = f"task {self.number}: {len(paths)} of {self.count} files are there"
        result = {"number": self.number, "files": len(paths)}
        return Look(news, Event(End.REACHED, news, result) if len(paths) >= self.count else _lost(task))


@dataclass(frozen=True, slots=True)
class FundsEnough:
    """The account can spend enough: balance, coupons and credit together.

    :param least: how much, in the account's currency, as text.
    """

    kind: ClassVar[str] = "funds"
    least: str

    def look(self) -> Sequence[Look]:
        """Ask for the account's profile."""
        (profile,) = yield [calls.query_user_profile()]
        news = f"the account has {profile.means} {profile.currency}, {self.least} are wanted"
        if profile.use_main_balance or profile.hide_balance:
            news += "; it pays from its main account or hides its figures, so this is only advice"
        result = {"means": str(profile.means), "currency": profile.currency}
        enough = profile.means >= Decimal(self.least)
        return Look(news, Event(End.REACHED, news, result) if enough else None)


CONDITIONS: dict[str, type[Any]] = {kind.kind: kind for kind in (FramesDone, FilesThere, FundsEnough)}


def stored(condition: Any) -> dict[str, Any]:
    """Return a condition as the JSON that is stored with a trigger."""
    return {"kind": condition.kind, **asdict(condition)}


def restored(stored_condition: dict[str, Any]) -> Condition:
    """Return a condition from what was stored with a trigger.

    :raises ValueError: it is none, e.g. because it was stored by another version of this provider.
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
    raise ValueError(
        "the trigger was stored with a condition that this version of the provider does not know; run the "
        "same version of airflow-provider-renderbus on workers and triggerers"
    )


def _frame_names(leaves: Iterable[TaskInfo]) -> Sequence[tuple[set[str], set[str]]]:
    """Return the names of the frames that are done in every leaf that has them, and of all frames."""
    done: set[str] = set()
    open_: set[str] = set()
    for leaf in leaves:
        for frame in (yield from sequences.frames(leaf.id)):
            (done if frame.status is FrameStatus.DONE else open_).add(frame.index)
    return done - open_, done | open_


def _lost(task: TaskInfo) -> Event | None:
    """Return the end of waiting where the task has failed; one that has finished may still deliver."""
    end = judge(task)
    return None if end is None or end.end is End.REACHED else end
