"""All tasks of the farm, in memory and in the database: by id, by frame and by parent."""

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
    """All tasks of the farm.

    Frames are in memory only while their task is active, or until the next :meth:`write`.

    :param database: stores tasks, frames and money.
    :param storage: folder of finished frames.
    :param frame_renderer: renders the pictures.
    :param scenario: behavior of renders.
    :param to_epoch_ms: converts farm time to milliseconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        storage: Storage,
        frame_renderer: FrameRenderer,
        scenario: Scenario,
        to_epoch_ms: Callable[[float], int],
    ) -> None:
        self.database, self.storage = database, storage
        self.frame_renderer, self.scenario = frame_renderer, scenario
        self.lock = Condition()
        """Held during every use; notified when a step may be due earlier."""
        self.now: float = database.get_value("now", 0.0)
        """Farm time up to which the simulation has advanced."""
        self.funds = _load_funds(database.get_value("funds", {}), scenario.funds)
        self._to_epoch_ms = to_epoch_ms
        first_id = max(FIRST_TASK_ID, storage.last_task_id() + 1)
        self._next_task_id: int = database.get_value("next_task_id", first_id)
        self._next_frame_id: int = database.get_value("next_frame_id", FIRST_FRAME_ID)
        self._event_queue: list[tuple[float, int]] = []
        self._dirty: dict[int, Task] = {}
        self._dirty_frames: dict[int, Frame] = {}
        self._loaded: list[Task] = []
        self._by_first_frame_id: list[tuple[int, int]] = []
        self.tasks: dict[int, Task] = {task.id: task for task in database.tasks()}
        for task in self.tasks.values():
            self._index(task)

    def now_epoch_ms(self) -> int:
        """Return the current date, milliseconds since 1970."""
        return self._to_epoch_ms(self.now)

    def create(self, platform: int, task_type: TaskType = TaskType.MAIN, parent: Task | None = None) -> Task:
        """Create a task, or a leaf of a task."""
        task = Task(self._next_task_id, platform, type=task_type)
        self._next_task_id += 1
        if parent:
            task.parent_id, task.submitted_at = parent.id, self.now_epoch_ms()
            task.labels, task.artist, task.producer = list(parent.labels), parent.artist, parent.producer
            task.max_machines, task.time_limit = parent.max_machines, parent.time_limit
            task.full_speed, task.hardware_ids = parent.full_speed, parent.hardware_ids
        self.tasks[task.id] = task
        self._index(task)
        self.mark_dirty(task)
        return task

    def assign_job(self, task: Task, job: Job) -> None:
        """Set the job of a task, and assign ids to its frames."""
        task.frames = None  # a caller may have queried its frames before it had any
        task.job, task.time_limit = job, task.time_limit or job.task_timeout
        task.first_frame_id = self._next_frame_id
        count = len(self._chunks(task))
        self._next_frame_id += count
        task.frame_counts = Counter({FrameState.WAITING.value: count})
        insort(self._by_first_frame_id, (task.first_frame_id, task.id))

    def schedule(self, task: Task, farm_time: float) -> None:
        """Schedule the next step of a task, at once if the time has passed."""
        task.next_event_at = farm_time
        self.mark_dirty(task)
        heapq.heappush(self._event_queue, (farm_time, task.id))
        self.lock.notify_all()

    def frames(self, task: Task) -> list[Frame]:
        """Return a task's frames, loaded from the database if necessary."""
        if task.frames is None:
            self._loaded.append(task)
            task.frames = self._read_frames(task, self.frame_indexes(task))
            for index, frame in enumerate(task.frames):
                if frame.state is FrameState.WAITING:
                    task.waiting_frames.append((frame.chunk.stage, index))
                elif frame.state is FrameState.STARTED:
                    self.render(task, frame, index)
            heapq.heapify(task.waiting_frames)
        return task.frames

    def frame_indexes(self, task: Task) -> range:
        """Return the indexes of a task's frames."""
        return range(len(self._chunks(task)))

    def frames_at(self, task: Task, indexes: range) -> list[Frame]:
        """Return some of a task's frames, to be read only; of an idle task no others are loaded."""
        if task.frames is None:
            return self._read_frames(task, indexes)
        return task.frames[indexes.start : indexes.stop]

    def _read_frames(self, task: Task, indexes: range) -> list[Frame]:
        first_id, chunks = task.first_frame_id + indexes.start, self._chunks(task)
        frames = [Frame(task.first_frame_id + index, chunks[index]) for index in indexes]
        for row in self.database.frames(first_id, len(frames)):
            frame = frames[row["id"] - first_id]
            for name, value in row.items():
                setattr(frame, name, value)
        return frames

    @abstractmethod
    def render(self, task: Task, frame: Frame, index: int) -> None:
        """Render a frame that has started.

        :param index: its index among the task's frames.
        """

    def find_frame(self, frame_id: int) -> tuple[Task, Frame] | None:
        """Return a frame and its task, or None."""
        position = bisect_right(self._by_first_frame_id, (frame_id, 1 << 62)) - 1
        if position >= 0:
            first_id, task_id = self._by_first_frame_id[position]
            task = self.tasks[task_id]
            if frame_id - first_id < task.total_frames:
                return task, self.frames(task)[frame_id - first_id]
        return None

    def leaves(self, task: Task) -> list[Task]:
        """Return the tasks that have the frames of a task: its leaves, or itself."""
        return list(task.leaves) if task.type is TaskType.PARENT else [task]

    def with_leaves(self, task: Task) -> list[Task]:
        """Return a task and its leaves."""
        return [task, *task.leaves]

    def set_frame_state(self, task: Task, frame: Frame, state: FrameState) -> None:
        """Change the state of a frame, and the counts of its task."""
        task.frame_counts[frame.state.value] -= 1
        task.frame_counts[state.value] += 1
        frame.state = state
        if state is FrameState.WAITING:
            heapq.heappush(task.waiting_frames, (frame.chunk.stage, frame.id - task.first_frame_id))
        self._dirty_frames[frame.id] = frame
        self.mark_dirty(task)

    def mark_dirty(self, task: Task) -> None:
        """Mark a task as changed."""
        task.cached_json = None
        self._dirty[task.id] = task
        if task.parent_id:
            self.tasks[task.parent_id].cached_json = None

    def top_up(self, amount: Decimal) -> None:
        """Add an amount in RMB to the balance. It pays unpaid frames first, the oldest before the others."""
        unpaid_before = self.funds.unpaid
        self.funds.balance += amount
        self._flush()
        remaining = unpaid_before - self.funds.unpaid
        for frame_id in self.database.unpaid_frames():
            if remaining <= 0 or not (task_and_frame := self.find_frame(frame_id)):
                break
            task, frame = task_and_frame
            part = min(remaining, frame.unpaid)
            remaining -= part
            frame.unpaid -= part
            task.unpaid -= part
            self.set_frame_state(task, frame, frame.state)

    def write(self) -> None:
        """Write all changes to the database, in one transaction."""
        self._flush()
        self.database.set_value("funds", {name: str(value) for name, value in asdict(self.funds).items()})
        self.database.set_value("now", self.now)
        self.database.commit()

    def _flush(self) -> None:
        """Write changed tasks and frames, and evict the frames of idle tasks."""
        tasks, frames = self._dirty, self._dirty_frames
        if tasks or frames:
            self.database.write(tasks.values(), frames.values())
            self.database.set_value("next_task_id", self._next_task_id)
            self.database.set_value("next_frame_id", self._next_frame_id)
            self._dirty, self._dirty_frames = {}, {}
        self.evict(tasks.values())

    def evict(self, changed: Iterable[Task] = ()) -> None:
        """Drop the frames of idle tasks from memory. Their changes must have been written.

        :param changed: tasks that may be idle now, in addition to those whose frames were loaded.
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


def _load_funds(stored: dict[str, str], initial: Funds) -> Funds:
    values = {field.name: getattr(initial, field.name) for field in fields(Funds)}
    return Funds(**values | {name: Decimal(value) for name, value in stored.items()})
