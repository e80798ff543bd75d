"""All tasks of the farm: found by number, by frame and by leaf, and written to the books when they change."""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from bisect import bisect_right, insort
from collections import Counter
from dataclasses import asdict, fields
from decimal import Decimal
from threading import Condition
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.simulation.account import Money
from airflow_provider_renderbus.farm.simulation.chunks import FrameType, Piece, main_pieces, single_piece
from airflow_provider_renderbus.farm.simulation.tasks import (
    ACTIVE,
    Frame,
    FrameState,
    Kind,
    Task,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_renderbus.farm.pictures.frame_renderer import FrameRenderer
    from airflow_provider_renderbus.farm.pictures.task_json import Job
    from airflow_provider_renderbus.farm.simulation.database import Books
    from airflow_provider_renderbus.farm.simulation.scenario import Scenario
    from airflow_provider_renderbus.farm.storage.storage import Storage

FIRST_NUMBER = 35_000_001
FIRST_FRAME_ID = 1_000_001
SINGLE = {Kind.PREPROCESS: FrameType.PREPROCESS, Kind.PHOTON: FrameType.PHOTON}


class Register(ABC):
    """All tasks of the farm, as they stand in the books and in memory.

    :param books: where they outlive the process.
    :param storage: where done frames go.
    :param studio: makes the pictures.
    :param scenario: how renders go.
    :param date: moment to date, as answers give it.
    """

    def __init__(
        self,
        books: Books,
        storage: Storage,
        studio: FrameRenderer,
        scenario: Scenario,
        date: Callable[[float], int],
    ) -> None:
        self.books, self.storage, self.studio, self.scenario = books, storage, studio, scenario
        self.changed = Condition()
        self.moment: float = books.fact("moment", 0.0)
        self.money = _read_money(books.fact("money", {}), scenario.money)
        self._date = date
        self._next_number: int = books.fact("next_number", max(FIRST_NUMBER, storage.last_task_id() + 1))
        self._next_id: int = books.fact("next_id", FIRST_FRAME_ID)
        self._looks: list[tuple[float, int]] = []
        self._dirty: dict[int, Task] = {}
        self._dirty_frames: dict[int, Frame] = {}
        self._fetched: list[Task] = []
        self._by_first_id: list[tuple[int, int]] = []
        self.tasks: dict[int, Task] = {task.number: task for task in books.tasks()}
        for task in self.tasks.values():
            self._enter(task)

    def date(self) -> int:
        """Return the date of now."""
        return self._date(self.moment)

    def create(self, platform: int, kind: Kind = Kind.MAIN, parent: Task | None = None) -> Task:
        """Make a new task, or a leaf of a task."""
        task = Task(self._next_number, platform, kind=kind)
        self._next_number += 1
        if parent:
            task.parent = parent.number
            task.labels, task.artist, task.producer = list(parent.labels), parent.artist, parent.producer
            task.submitted, task.machines, task.time_limit = self.date(), parent.machines, parent.time_limit
            task.full_speed, task.hardware = parent.full_speed, parent.hardware
        self.tasks[task.number] = task
        self._enter(task)
        self.touch(task)
        return task

    def equip(self, task: Task, job: Job) -> None:
        """Give a task its job, and numbers for its frames."""
        task.frames = None  # it may have been asked for its frames before it had any
        task.job, task.time_limit, task.first_id = job, task.time_limit or job.task_timeout, self._next_id
        count = len(self._pieces(task))
        self._next_id += count
        task.counts = Counter({FrameState.WAITING.value: count})
        insort(self._by_first_id, (task.first_id, task.number))

    def look_at(self, task: Task, moment: float) -> None:
        """Have a task looked at when time comes to a moment, or at once where it has come."""
        task.due = moment
        self.touch(task)
        heapq.heappush(self._looks, (moment, task.number))
        self.changed.notify_all()

    def frames(self, task: Task) -> list[Frame]:
        """Return a task's frames, which are read from the books where they are not at hand.

        Those of a task that rests are at hand until everything is written.
        """
        if task.frames is None:
            self._fetched.append(task)
            pieces = self._pieces(task)
            task.frames = frames = [Frame(task.first_id + at, piece) for at, piece in enumerate(pieces)]
            for row in self.books.frames(task.first_id, len(frames)):
                frame = frames[row["id"] - task.first_id]
                for name, value in row.items():
                    setattr(frame, name, value)
            for at, frame in enumerate(frames):
                if frame.state is FrameState.WAITING:
                    task.waiting.append((frame.piece.stage, at))
                elif frame.state is FrameState.STARTED:
                    self.render(task, frame, at)
            heapq.heapify(task.waiting)
        return task.frames

    @abstractmethod
    def render(self, task: Task, frame: Frame, position: int) -> None:
        """Put a machine to work on a frame that has begun."""

    def frame(self, number: int) -> tuple[Task, Frame] | None:
        """Return a frame by its id, with its task."""
        at = bisect_right(self._by_first_id, (number, 1 << 62)) - 1
        if at >= 0:
            first, owner = self._by_first_id[at]
            task = self.tasks[owner]
            if number - first < task.total:
                return task, self.frames(task)[number - first]
        return None

    def leaves(self, task: Task) -> list[Task]:
        """Return the tasks that have a task's frames: its leaves, or itself."""
        return list(task.leaves) if task.kind is Kind.PARENT else [task]

    def family(self, task: Task) -> list[Task]:
        """Return a task and its leaves."""
        return [task, *task.leaves]

    def set(self, task: Task, frame: Frame, state: FrameState) -> None:
        """Change the state of one of a task's frames, and the counts with it."""
        task.counts[frame.state.value] -= 1
        task.counts[state.value] += 1
        frame.state = state
        if state is FrameState.WAITING:
            heapq.heappush(task.waiting, (frame.piece.stage, frame.id - task.first_id))
        self._dirty_frames[frame.id] = frame
        self.touch(task)

    def touch(self, task: Task) -> None:
        """Note that a task has changed."""
        task.told = None
        self._dirty[task.number] = task
        if task.parent:
            self.tasks[task.parent].told = None

    def top_up(self, amount: Decimal) -> None:
        """Pay money in. What is owed is paid first, the oldest frames before the others."""
        owed = self.money.arrears
        self.money.balance += amount
        self._flush()
        paid = owed - self.money.arrears
        for number in self.books.owing_frames():
            if paid <= 0 or not (found := self.frame(number)):
                break
            task, frame = found
            part = min(paid, frame.arrears)
            paid -= part
            frame.arrears -= part
            task.arrears -= part
            self.set(task, frame, frame.state)

    def write(self) -> None:
        """Write everything that has changed to the books, as one transaction."""
        self._flush()
        self.books.note("money", {name: str(value) for name, value in asdict(self.money).items()})
        self.books.note("moment", self.moment)
        self.books.commit()

    def _flush(self) -> None:
        """Write changed tasks and frames, and let go of those of tasks that rest."""
        tasks, frames = self._dirty, self._dirty_frames
        if tasks or frames:
            self.books.write(tasks.values(), frames.values())
            self.books.note("next_number", self._next_number)
            self.books.note("next_id", self._next_id)
            self._dirty, self._dirty_frames = {}, {}
        self.let_go(tasks.values())

    def let_go(self, changed: Iterable[Task] = ()) -> None:
        """Keep the frames of tasks that rest only in the books; all of them must stand there.

        :param changed: tasks that may have come to rest, next to those whose frames were fetched.
        """
        for task in (*changed, *self._fetched):
            if task.state not in ACTIVE and not task.running:
                task.frames, task.waiting = None, []
        self._fetched.clear()

    def _enter(self, task: Task) -> None:
        if task.parent:
            self.tasks[task.parent].leaves.append(task)
        if task.total:
            insort(self._by_first_id, (task.first_id, task.number))
        if task.due is not None:
            heapq.heappush(self._looks, (task.due, task.number))

    def _pieces(self, task: Task) -> tuple[Piece, ...]:
        if task.submitted is None or task.kind is Kind.PARENT:
            return ()
        return single_piece(SINGLE[task.kind]) if task.kind in SINGLE else main_pieces(task.job)


def _read_money(noted: dict[str, str], opening: Money) -> Money:
    values = {part.name: getattr(opening, part.name) for part in fields(Money)}
    return Money(**values | {name: Decimal(value) for name, value in noted.items()})
