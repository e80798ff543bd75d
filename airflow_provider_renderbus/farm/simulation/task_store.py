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

from airflow_provider_renderbus.farm.simulation.account import Funds
from airflow_provider_renderbus.farm.simulation.chunks import Chunk, FrameType, main_chunks, single_chunk
from airflow_provider_renderbus.farm.simulation.tasks import (
    ACTIVE,
    Frame,
    FrameState,
    Task,
    TaskType,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_renderbus.farm.pictures.frame_renderer import FrameRenderer
    from airflow_provider_renderbus.farm.pictures.task_json import Job
    from airflow_provider_renderbus.farm.simulation.database import Database
    from airflow_provider_renderbus.farm.simulation.scenario import Scenario
    from airflow_provider_renderbus.farm.storage.storage import Storage

FIRST_TASK_ID = 35_000_001
FIRST_FRAME_ID = 1_000_001
SINGLE_CHUNK_TYPES = {TaskType.PREPROCESS: FrameType.PREPROCESS, TaskType.PHOTON: FrameType.PHOTON}


class TaskStore(ABC):
    """All tasks of the farm, as they stand in the books and in memory.

    :param books: where they outlive the process.
    :param storage: where done frames go.
    :param studio: makes the pictures.
    :param scenario: how renders go.
    :param date: moment to date, as answers give it.
    """

    def __init__(
        self,
        books: Database,
        storage: Storage,
        studio: FrameRenderer,
        scenario: Scenario,
        date: Callable[[float], int],
    ) -> None:
        self.database, self.storage, self.frame_renderer, self.scenario = books, storage, studio, scenario
        self.lock = Condition()
        self.now: float = books.get_value("now", 0.0)
        self.funds = _load_funds(books.get_value("funds", {}), scenario.funds)
        self._to_epoch_ms = date
        self._next_task_id: int = books.get_value(
            "next_task_id", max(FIRST_TASK_ID, storage.last_task_id() + 1)
        )
        self._next_frame_id: int = books.get_value("next_frame_id", FIRST_FRAME_ID)
        self._event_queue: list[tuple[float, int]] = []
        self._dirty: dict[int, Task] = {}
        self._dirty_frames: dict[int, Frame] = {}
        self._loaded: list[Task] = []
        self._by_first_frame_id: list[tuple[int, int]] = []
        self.tasks: dict[int, Task] = {task.id: task for task in books.tasks()}
        for task in self.tasks.values():
            self._index(task)

    def now_epoch_ms(self) -> int:
        """Return the date of now."""
        return self._to_epoch_ms(self.now)

    def create(self, platform: int, kind: TaskType = TaskType.MAIN, parent: Task | None = None) -> Task:
        """Make a new task, or a leaf of a task."""
        task = Task(self._next_task_id, platform, type=kind)
        self._next_task_id += 1
        if parent:
            task.parent_id = parent.id
            task.labels, task.artist, task.producer = list(parent.labels), parent.artist, parent.producer
            task.submitted_at, task.max_machines, task.time_limit = (
                self.now_epoch_ms(),
                parent.max_machines,
                parent.time_limit,
            )
            task.full_speed, task.hardware_ids = parent.full_speed, parent.hardware_ids
        self.tasks[task.id] = task
        self._index(task)
        self.mark_dirty(task)
        return task

    def assign_job(self, task: Task, job: Job) -> None:
        """Give a task its job, and numbers for its frames."""
        task.frames = None  # it may have been asked for its frames before it had any
        task.job, task.time_limit, task.first_frame_id = (
            job,
            task.time_limit or job.task_timeout,
            self._next_frame_id,
        )
        count = len(self._chunks(task))
        self._next_frame_id += count
        task.frame_counts = Counter({FrameState.WAITING.value: count})
        insort(self._by_first_frame_id, (task.first_frame_id, task.id))

    def schedule(self, task: Task, moment: float) -> None:
        """Have a task looked at when time comes to a moment, or at once where it has come."""
        task.next_event_at = moment
        self.mark_dirty(task)
        heapq.heappush(self._event_queue, (moment, task.id))
        self.lock.notify_all()

    def frames(self, task: Task) -> list[Frame]:
        """Return a task's frames, which are read from the books where they are not at hand.

        Those of a task that rests are at hand until everything is written.
        """
        if task.frames is None:
            self._loaded.append(task)
            pieces = self._chunks(task)
            task.frames = frames = [Frame(task.first_frame_id + at, piece) for at, piece in enumerate(pieces)]
            for row in self.database.frames(task.first_frame_id, len(frames)):
                frame = frames[row["id"] - task.first_frame_id]
                for name, value in row.items():
                    setattr(frame, name, value)
            for at, frame in enumerate(frames):
                if frame.state is FrameState.WAITING:
                    task.waiting_frames.append((frame.chunk.stage, at))
                elif frame.state is FrameState.STARTED:
                    self.render(task, frame, at)
            heapq.heapify(task.waiting_frames)
        return task.frames

    @abstractmethod
    def render(self, task: Task, frame: Frame, position: int) -> None:
        """Put a machine to work on a frame that has begun."""

    def find_frame(self, number: int) -> tuple[Task, Frame] | None:
        """Return a frame by its id, with its task."""
        at = bisect_right(self._by_first_frame_id, (number, 1 << 62)) - 1
        if at >= 0:
            first, owner = self._by_first_frame_id[at]
            task = self.tasks[owner]
            if number - first < task.total_frames:
                return task, self.frames(task)[number - first]
        return None

    def leaves(self, task: Task) -> list[Task]:
        """Return the tasks that have a task's frames: its leaves, or itself."""
        return list(task.leaves) if task.type is TaskType.PARENT else [task]

    def with_leaves(self, task: Task) -> list[Task]:
        """Return a task and its leaves."""
        return [task, *task.leaves]

    def set_frame_state(self, task: Task, frame: Frame, state: FrameState) -> None:
        """Change the state of one of a task's frames, and the counts with it."""
        task.frame_counts[frame.state.value] -= 1
        task.frame_counts[state.value] += 1
        frame.state = state
        if state is FrameState.WAITING:
            heapq.heappush(task.waiting_frames, (frame.chunk.stage, frame.id - task.first_frame_id))
        self._dirty_frames[frame.id] = frame
        self.mark_dirty(task)

    def mark_dirty(self, task: Task) -> None:
        """Note that a task has changed."""
        task.cached_json = None
        self._dirty[task.id] = task
        if task.parent_id:
            self.tasks[task.parent_id].cached_json = None

    def top_up(self, amount: Decimal) -> None:
        """Pay money in. What is owed is paid first, the oldest frames before the others."""
        owed = self.funds.unpaid
        self.funds.balance += amount
        self._flush()
        paid = owed - self.funds.unpaid
        for number in self.database.unpaid_frames():
            if paid <= 0 or not (found := self.find_frame(number)):
                break
            task, frame = found
            part = min(paid, frame.unpaid)
            paid -= part
            frame.unpaid -= part
            task.unpaid -= part
            self.set_frame_state(task, frame, frame.state)

    def write(self) -> None:
        """Write everything that has changed to the books, as one transaction."""
        self._flush()
        self.database.set_value("funds", {name: str(value) for name, value in asdict(self.funds).items()})
        self.database.set_value("now", self.now)
        self.database.commit()

    def _flush(self) -> None:
        """Write changed tasks and frames, and let go of those of tasks that rest."""
        tasks, frames = self._dirty, self._dirty_frames
        if tasks or frames:
            self.database.write(tasks.values(), frames.values())
            self.database.set_value("next_task_id", self._next_task_id)
            self.database.set_value("next_frame_id", self._next_frame_id)
            self._dirty, self._dirty_frames = {}, {}
        self.evict(tasks.values())

    def evict(self, changed: Iterable[Task] = ()) -> None:
        """Keep the frames of tasks that rest only in the books; all of them must stand there.

        :param changed: tasks that may have come to rest, next to those whose frames were fetched.
        """
        for task in (*changed, *self._loaded):
            if task.state not in ACTIVE and not task.running_frames:
                task.frames, task.waiting_frames = None, []
        self._loaded.clear()

    def _index(self, task: Task) -> None:
        if task.parent_id:
            self.tasks[task.parent_id].leaves.append(task)
        if task.total_frames:
            insort(self._by_first_frame_id, (task.first_frame_id, task.id))
        if task.next_event_at is not None:
            heapq.heappush(self._event_queue, (task.next_event_at, task.id))

    def _chunks(self, task: Task) -> tuple[Chunk, ...]:
        if task.submitted_at is None or task.type is TaskType.PARENT:
            return ()
        return (
            single_chunk(SINGLE_CHUNK_TYPES[task.type])
            if task.type in SINGLE_CHUNK_TYPES
            else main_chunks(task.job)
        )


def _load_funds(noted: dict[str, str], opening: Funds) -> Funds:
    values = {part.name: getattr(opening, part.name) for part in fields(Funds)}
    return Funds(**values | {name: Decimal(value) for name, value in noted.items()})
