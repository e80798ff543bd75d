"""How a task lives: machines take up its frames, frames end and are paid, the task goes on to its end.

Nothing here reads a clock. :meth:`Life.run` is told how far time has come and makes every move that is due
by then, in order and each at its own moment; so the same job has the same life on a running clock and on one
driven by hand. A task is due when a machine becomes ready, when the time of a frame is over, or when its own
is. A frame whose picture is not there by then keeps its machine until it is.
"""

from __future__ import annotations

import heapq
import json
import logging
import math
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.pictures.task_json import parse_task_json
from airflow_provider_renderbus.farm.simulation.chunks import MAIN_STAGE, FrameType
from airflow_provider_renderbus.farm.simulation.scenario import seeded_randint
from airflow_provider_renderbus.farm.simulation.task_store import TaskStore
from airflow_provider_renderbus.farm.simulation.tasks import (
    FAILED_FRAMES,
    OPEN_FRAMES,
    WORKING,
    Frame,
    FrameState,
    RunningFrame,
    Task,
    TaskEvent,
    TaskState,
    TaskType,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from airflow_provider_renderbus.farm.pictures.task_json import Job


MERGED_TYPES = {FrameType.PRIORITY_MERGED, FrameType.MAIN_MERGED}

log = logging.getLogger(__name__)


class Simulation(TaskStore):
    """All tasks of the farm, and what happens to them.

    Hold ``changed`` around every use: pictures come in from other threads, and notify it.
    """

    def advance_to(self, until: float, max_steps: float = math.inf) -> float | None:
        """Make every move that is due, or as many as are wanted at once.

        :param until: how far time has come, farm seconds.
        :param max_steps: how many tasks to look at.
        :return: the moment at which the next move is due, None where none is.
        """
        while self._event_queue and self._event_queue[0][0] <= until:
            if max_steps <= 0:
                return self._event_queue[0][0]
            max_steps -= 1
            due, number = heapq.heappop(self._event_queue)
            self.now = max(self.now, due)
            task = self.tasks[number]
            if (
                task.next_event_at is not None and task.next_event_at <= self.now
            ):  # else the look was overtaken by an order
                self._step(task)
        self.now = max(self.now, until)
        return self._event_queue[0][0] if self._event_queue else None

    def submit(self, task: Task, jobs: tuple[Job, ...], producer: str | None) -> None:
        """Begin the life of a new task: from here on it costs money."""
        passes = self.scenario.behavior_for(jobs[0]).passes
        task.producer, task.submitted_at, task.job = producer, self.now_epoch_ms(), jobs[0]
        if len(jobs) == 1 and not passes:
            self.assign_job(task, jobs[0])
            self.enqueue(task)
        else:
            start_layered(self, task, jobs, passes)
        self.mark_dirty(task)

    def enqueue(self, task: Task) -> None:
        """Have a task wait for machines."""
        task.on_hold = False
        self.schedule(task, self.now + self.scenario.queue_seconds)

    def terminate(self, task: Task, event: TaskEvent) -> bool:
        """End a task before its time: its frames that are not done are aborted and cost nothing.

        :return: whether the event means anything to the task's state.
        """
        if not task.transition(event):
            return False
        task.next_event_at = task.working_since = None
        task.completed_at = self.now_epoch_ms() if task.submitted_at else None
        for frame in self.frames(task):
            if frame.state in OPEN_FRAMES:
                self.abort(task, frame)
        self.mark_dirty(task)
        on_leaf_finished(self, task)
        return True

    def abort(self, task: Task, frame: Frame) -> None:
        """Take a frame that waits or is rendered out of the work."""
        for run in [run for run in task.running_frames if run.frame is frame]:
            task.running_frames.remove(run)
            frame.seconds -= round(run.finishes_at - self.now)
            frame.ended_at, frame.finishes_at = self.now_epoch_ms(), None
            run.pictures.cancel()
            run.pictures.add_done_callback(self.frame_renderer.discard)
        self.set_frame_state(task, frame, FrameState.ABORTED)
        if task.state not in WORKING or task.running_frames:
            return
        self.schedule(task, self.now)

    def _step(self, task: Task) -> None:
        if task.type is TaskType.PARENT:
            start_main_pass(self, task)
            return
        if task.state is TaskState.WAITING:
            self._start_task(task)
        if task.state in WORKING:
            self.frames(task)
        while run := next(
            (run for run in task.running_frames if run.finishes_at <= self.now and run.pictures.done()), None
        ):
            task.running_frames.remove(run)
            self._finish_frame(task, run)
        if task.deadline is not None and task.deadline <= self.now:
            self.terminate(task, TaskEvent.TIME_LIMIT_REACHED)
        if task.state in WORKING:
            self._assign_machines(task)
        self._schedule_next(task)
        self.mark_dirty(task)

    def _schedule_next(self, task: Task) -> None:
        """Note when a working task moves next. A picture that is late has it looked at when it comes."""
        if task.state not in WORKING:
            return
        pending = [run.finishes_at for run in task.running_frames]
        if task.deadline is not None:
            pending.append(task.deadline)
        ahead = [moment for moment in pending if moment > self.now]
        if ahead:
            self.schedule(task, min(ahead))
        task.next_event_at = min(pending)

    def _start_task(self, task: Task) -> None:
        if self.funds.exhausted:
            self.terminate(task, TaskEvent.FUNDS_EXHAUSTED)
        elif task.crashes < self.scenario.behavior_for(task.job).crashes:
            task.crashes += 1
            self.terminate(task, TaskEvent.CRASHED)
        elif task.transition(
            TaskEvent.PREPROCESS_MACHINES_READY
            if task.type is TaskType.PREPROCESS
            else TaskEvent.MACHINES_READY
        ):
            task.started_at = task.started_at or self.now_epoch_ms()
            task.working_since = self.now

    def _assign_machines(self, task: Task) -> None:
        """Give machines to the frames that wait, stage by stage, and end the task where nothing is left."""
        while task.waiting_frames and len(task.running_frames) < (
            task.max_machines or self.scenario.machines
        ):
            stage, position = task.waiting_frames[0]
            frame = self.frames(task)[position]
            if frame.state is not FrameState.WAITING:
                heapq.heappop(task.waiting_frames)
                continue
            if any(run.frame.chunk.stage < stage for run in task.running_frames):
                return
            if stage >= MAIN_STAGE and task.job.pause_after_priority_frames and not task.full_speed:
                if not task.running_frames and task.transition(TaskEvent.TEST_FRAMES_DONE):
                    task.next_event_at = task.working_since = None
                    on_leaf_finished(self, task)
                return
            if self.funds.exhausted:
                self.terminate(task, TaskEvent.FUNDS_EXHAUSTED)
                return
            heapq.heappop(task.waiting_frames)
            self._start_frame(task, frame, position)
        if not task.running_frames:
            self._finish_task(task)

    def _finish_task(self, task: Task) -> None:
        event = TaskEvent.ALL_FRAMES_DONE
        if any(task.frame_counts[state] for state in FAILED_FRAMES):
            event = TaskEvent.SOME_FRAMES_FAILED
        elif task.frame_counts[FrameState.ABORTED]:
            event = TaskEvent.SOME_FRAMES_STOPPED
        if task.transition(event):
            task.completed_at = self.now_epoch_ms()
            task.next_event_at = task.working_since = None
            on_leaf_finished(self, task)

    def _start_frame(self, task: Task, frame: Frame, position: int) -> None:
        self.set_frame_state(task, frame, FrameState.STARTED)
        frame.started_at, frame.ended_at = self.now_epoch_ms(), None
        frame.seconds = self.scenario.seconds(task.job, frame.chunk)
        if 0 < task.job.frame_timeout < frame.seconds:
            frame.seconds = task.job.frame_timeout
        frame.finishes_at = self.now + frame.seconds
        self.render(task, frame, position)

    def render(self, task: Task, frame: Frame, position: int) -> None:
        """Put a machine to work on a frame that has begun."""
        fine = self._frame_outcome(task, frame, position) is FrameState.DONE
        piece = frame.chunk
        pictures = self.frame_renderer.submit(
            task.job, piece.frames if fine and piece.has_files else (), piece.tile
        )
        over = frame.finishes_at or self.now
        task.running_frames.append(RunningFrame(frame, over, pictures))
        if not pictures.done():
            pictures.add_done_callback(partial(self._on_rendered, task, over))

    def _on_rendered(self, task: Task, over: float, _: Future[list[Path]]) -> None:
        with self.lock:
            heapq.heappush(self._event_queue, (over, task.id))
            self.lock.notify_all()

    def _frame_outcome(self, task: Task, frame: Frame, position: int) -> FrameState:
        """Return how a frame is to end, as far as job and scenario tell."""
        if 0 < task.job.frame_timeout < self.scenario.seconds(task.job, frame.chunk):
            return FrameState.TIMEOUT
        tiles = (
            self.frames(task)[position - task.job.tiles : position]
            if frame.chunk.type in MERGED_TYPES
            else ()
        )
        if any(tile.state is not FrameState.DONE for tile in tiles):
            return FrameState.ERROR
        fails = self.scenario.fails(task.job, frame.chunk, frame.failures)
        return FrameState.ERROR if fails else FrameState.DONE

    def _finish_frame(self, task: Task, run: RunningFrame) -> None:
        """Publish a frame and take the money for it. One that has failed costs nothing."""
        frame = run.frame
        outcome = self._frame_outcome(task, frame, frame.id - task.first_frame_id)
        frame.ended_at, frame.finishes_at = self.now_epoch_ms(), None
        failure = run.pictures.exception() or self._publish(task, run)
        if failure:
            log.warning("frame %s of task %s has failed: %r", frame.chunk.name, task.id, failure)
            outcome = FrameState.ERROR
        if outcome is not FrameState.DONE:
            frame.failures += 1
            self.set_frame_state(task, frame, outcome)
            return
        self.set_frame_state(task, frame, FrameState.DONE)
        self._charge(task, frame)

    def _publish(self, task: Task, run: RunningFrame) -> OSError | None:
        """Move a frame's pictures to where they are seen, and return why that cannot be done."""
        piece = run.frame.chunk
        try:
            for number, path in zip(piece.frames, run.pictures.result(), strict=False):
                name = task.job.file_name(number, piece.tile)
                self.storage.publish(path, task.output_folder, name, is_tile=bool(piece.tile))
        except OSError as error:
            return error
        return None

    def _charge(self, task: Task, frame: Frame) -> None:
        fixed = self.scenario.behavior_for(task.job).cost
        cost = self.funds.cost(frame.seconds) if fixed is None else fixed
        by_coupon, by_balance, arrears = self.funds.charge(cost)
        for payer in (frame, task):
            payer.paid_by_coupon += by_coupon
            payer.paid_by_balance += by_balance
            payer.unpaid += arrears
        task.seconds += frame.seconds
        if self.funds.exhausted:
            for other in self.tasks.values():
                if other.state in WORKING and any(other.frame_counts[state] for state in OPEN_FRAMES):
                    self.terminate(other, TaskEvent.FUNDS_EXHAUSTED)


MAIN_AFTER_PHOTON = (4, 11)
"""Farm seconds from the end of the photon pass to the main pass, as in the documents' examples."""


def start_layered(life: Simulation, task: Task, jobs: Sequence[Job], passes: Sequence[str]) -> None:
    """Make a submitted task a parent, and open the leaves with which it begins."""
    task.type = TaskType.PARENT
    if "preprocess" in passes:
        _create_leaves(life, task, TaskType.PREPROCESS, jobs[:1])
    _create_leaves(life, task, TaskType.PHOTON if "photon" in passes else TaskType.MAIN, jobs)


def on_leaf_finished(life: Simulation, leaf: Task) -> None:
    """Let others go on that have waited for a leaf, which need not have one."""
    if leaf.parent_id:
        advance_parent(life, life.tasks[leaf.parent_id])


def advance_parent(life: Simulation, parent: Task) -> None:
    """Do what is next for a parent after one of its leaves has ended or was started."""
    before = [leaf for leaf in parent.leaves if leaf.type is TaskType.PREPROCESS]
    for leaf in parent.leaves:
        if leaf.on_hold and leaf.state is TaskState.WAITING and leaf not in before:
            if all(first.state is TaskState.FINISHED for first in before):
                life.enqueue(leaf)
                life.mark_dirty(leaf)
            elif any(first.state is TaskState.FAILED for first in before):
                life.terminate(leaf, TaskEvent.CRASHED)
    rest = [leaf for leaf in parent.leaves if leaf not in before]
    photons_done = all(leaf.type is TaskType.PHOTON and leaf.state is TaskState.FINISHED for leaf in rest)
    if photons_done and parent.next_event_at is None:
        pause = seeded_randint("main pass", parent.id, life.scenario.seed, MAIN_AFTER_PHOTON)
        life.schedule(parent, life.now + pause)
        life.mark_dirty(parent)


def start_main_pass(life: Simulation, parent: Task) -> None:
    """Open the main leaves of a parent whose photon pass has ended."""
    parent.next_event_at = None
    task_json = json.loads(life.database.load_file(parent.id, "task.json") or "{}")
    _create_leaves(life, parent, TaskType.MAIN, parse_task_json(task_json))
    life.mark_dirty(parent)


def _create_leaves(life: Simulation, parent: Task, kind: TaskType, jobs: Iterable[Job]) -> None:
    waits = any(
        leaf.type is TaskType.PREPROCESS and leaf.state is not TaskState.FINISHED for leaf in parent.leaves
    )
    for job in jobs:
        leaf = life.create(parent.platform, kind, parent)
        life.assign_job(leaf, job)
        leaf.on_hold = waits
        if not waits:
            life.enqueue(leaf)
