"""Simulates tasks as time advances: machines render frames, frames end and are charged, tasks end.

Nothing here reads a clock. :meth:`Simulation.advance_to` executes every step that is due by a farm time, in
order and each at its own time: the same job takes the same course with a running clock and with a manual one.
A step of a task is due when machines are ready, when the time of a frame ends, or at its time limit. A frame
whose picture does not exist by then keeps its machine until it does.
"""

from __future__ import annotations

import heapq
import json
import logging
import math
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.pictures.task_json import parse_task_json
from airflow_provider_renderbus.farm.simulation.chunks import MAIN_STAGE, MERGED_TYPES
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
from airflow_provider_renderbus.farm.storage.storage import input_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from airflow_provider_renderbus.farm.pictures.task_json import Job

ERROR_SECONDS = 30
"""Farm seconds after which a frame fails that no machine can render."""

log = logging.getLogger(__name__)


class Simulation(TaskStore):
    """All tasks of the farm, and what happens to them.

    Every use must hold ``lock``: pictures are finished in other threads.
    """

    def advance_to(self, until: float, max_steps: float = math.inf) -> float | None:
        """Execute the steps that are due.

        :param until: current farm time.
        :param max_steps: maximum number of steps.
        :return: farm time of the next step, None if there is none.
        """
        while self._event_queue and self._event_queue[0][0] <= until:
            if max_steps <= 0:
                return self._event_queue[0][0]
            max_steps -= 1
            farm_time, task_id = heapq.heappop(self._event_queue)
            self.now = max(self.now, farm_time)
            task = self.tasks[task_id]
            # A call may have replaced this event since it was queued.
            if task.next_event_at is not None and task.next_event_at <= self.now:
                self._step(task)
        self.now = max(self.now, until)
        return self._event_queue[0][0] if self._event_queue else None

    def submit(self, task: Task, jobs: tuple[Job, ...], producer: str | None) -> None:
        """Submit a new task: from now on it costs money."""
        passes = self.scenario.behavior_for(jobs[0]).passes
        task.producer, task.submitted_at, task.job = producer, self.now_epoch_ms(), jobs[0]
        if len(jobs) == 1 and not passes:
            self.assign_job(task, jobs[0])
            self.enqueue(task)
        else:
            start_layered(self, task, jobs, passes)
        self.mark_dirty(task)

    def enqueue(self, task: Task) -> None:
        """Let a task wait for machines."""
        task.on_hold = False
        self.schedule(task, self.now + self.scenario.queue_seconds)

    def terminate(self, task: Task, event: TaskEvent) -> bool:
        """End a task early: its open frames are aborted and cost nothing.

        :return: whether the task's state allows the event.
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
        """Abort a frame that is waiting or running."""
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

    def render(self, task: Task, frame: Frame, index: int) -> None:
        """See :meth:`TaskStore.render`."""
        chunk = frame.chunk
        is_rendered = chunk.has_files and self._frame_outcome(task, frame, index) is FrameState.DONE
        pictures = self.frame_renderer.submit(task.job, chunk.frames if is_rendered else (), chunk.tile)
        finishes_at = frame.finishes_at or self.now
        task.running_frames.append(RunningFrame(frame, finishes_at, pictures))
        if not pictures.done():
            pictures.add_done_callback(partial(self._on_rendered, task, finishes_at))

    def _on_rendered(self, task: Task, finishes_at: float, _: Future[list[Path]]) -> None:
        with self.lock:
            heapq.heappush(self._event_queue, (finishes_at, task.id))
            self.lock.notify_all()

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
        """Schedule the next step of a working task. A late picture queues one itself."""
        if task.state not in WORKING:
            return
        pending = [run.finishes_at for run in task.running_frames]
        if task.deadline is not None:
            pending.append(task.deadline)
        future = [farm_time for farm_time in pending if farm_time > self.now]
        if future:
            self.schedule(task, min(future))
        task.next_event_at = min(pending)

    def _start_task(self, task: Task) -> None:
        is_preprocess = task.type is TaskType.PREPROCESS
        if self.funds.exhausted:
            self.terminate(task, TaskEvent.FUNDS_EXHAUSTED)
        elif task.crashes < self.scenario.behavior_for(task.job).crashes:
            task.crashes += 1
            self.terminate(task, TaskEvent.CRASHED)
        elif task.transition(
            TaskEvent.PREPROCESS_MACHINES_READY if is_preprocess else TaskEvent.MACHINES_READY
        ):
            task.started_at = task.started_at or self.now_epoch_ms()
            task.working_since = self.now

    def _assign_machines(self, task: Task) -> None:
        """Start waiting frames on free machines, stage by stage, and end the task if none is left."""
        max_machines = task.max_machines or self.scenario.machines
        while task.waiting_frames and len(task.running_frames) < max_machines:
            stage, index = task.waiting_frames[0]
            frame = self.frames(task)[index]
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
            self._start_frame(task, frame, index)
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

    def _start_frame(self, task: Task, frame: Frame, index: int) -> None:
        self.set_frame_state(task, frame, FrameState.STARTED)
        frame.started_at, frame.ended_at = self.now_epoch_ms(), None
        frame.error = self._find_error(task.job)
        frame.seconds = ERROR_SECONDS if frame.error else self.scenario.seconds(task.job, frame.chunk)
        if 0 < task.job.frame_timeout < frame.seconds:
            frame.seconds = task.job.frame_timeout
        frame.finishes_at = self.now + frame.seconds
        self.render(task, frame, index)

    def _find_error(self, job: Job) -> str:
        """Return why no machine can render a job now, "" if nothing prevents it."""
        if self.scenario.lenient:
            return ""
        if job.problems:
            return job.problems
        if self.storage.has_input(job.scene_path):
            return self.scenario.behavior_for(job).missing_from_scene(job)
        return (
            f"the scene {job.scene_path[:200]!r} is not in the input storage: upload it to "
            f"{input_path(job.scene_path)[:200]!r}"
        )

    def _frame_outcome(self, task: Task, frame: Frame, index: int) -> FrameState:
        """Return the state that a frame ends in, as far as job and scenario determine it."""
        if frame.error:
            return FrameState.ERROR
        if 0 < task.job.frame_timeout < self.scenario.seconds(task.job, frame.chunk):
            return FrameState.TIMEOUT
        is_merged = frame.chunk.type in MERGED_TYPES
        tiles = self.frames(task)[index - task.job.tiles : index] if is_merged else ()
        if any(tile.state is not FrameState.DONE for tile in tiles):
            return FrameState.ERROR
        fails = self.scenario.fails(task.job, frame.chunk, frame.failures)
        return FrameState.ERROR if fails else FrameState.DONE

    def _finish_frame(self, task: Task, run: RunningFrame) -> None:
        """Publish a frame and charge its cost. A failed frame costs nothing."""
        frame = run.frame
        outcome = self._frame_outcome(task, frame, frame.id - task.first_frame_id)
        frame.ended_at, frame.finishes_at = self.now_epoch_ms(), None
        error = run.pictures.exception() or self._publish(task, run)
        if error:
            log.warning(
                "Task %s (%s): frame %s failed, not charged: %r",
                task.id,
                task.job.scene,
                frame.chunk.name,
                error,
            )
            outcome = FrameState.ERROR
        if outcome is not FrameState.DONE:
            frame.failures += 1
            self.set_frame_state(task, frame, outcome)
            return
        self.set_frame_state(task, frame, FrameState.DONE)
        self._charge(task, frame)

    def _publish(self, task: Task, run: RunningFrame) -> OSError | None:
        """Move the files of a frame to the output storage, and return the error if that fails."""
        chunk, behavior = run.frame.chunk, self.scenario.behavior_for(task.job)
        is_spoiled = run.frame.recommits < behavior.spoiled_times
        try:
            for frame_number, path in zip(chunk.frames, run.pictures.result(), strict=False):
                name = task.job.file_name(frame_number, chunk.tile)
                if is_spoiled and frame_number in behavior.missing_files:
                    path.unlink()
                    continue
                if is_spoiled and frame_number in behavior.empty_files:
                    path.write_bytes(b"")
                self.storage.publish(path, task.output_folder, name, is_tile=bool(chunk.tile))
        except OSError as error:
            return error
        return None

    def _charge(self, task: Task, frame: Frame) -> None:
        fixed_cost = self.scenario.behavior_for(task.job).cost
        cost = self.funds.cost(frame.seconds) if fixed_cost is None else fixed_cost
        paid_by_coupon, paid_by_balance, unpaid = self.funds.charge(cost)
        for item in (frame, task):
            item.paid_by_coupon += paid_by_coupon
            item.paid_by_balance += paid_by_balance
            item.unpaid += unpaid
        task.seconds += frame.seconds
        if self.funds.exhausted:
            for other in self.tasks.values():
                if other.state in WORKING and any(other.frame_counts[state] for state in OPEN_FRAMES):
                    self.terminate(other, TaskEvent.FUNDS_EXHAUSTED)


MAIN_AFTER_PHOTON = (4, 11)
"""Farm seconds from the end of the photon pass to the main pass, as in the documents' examples."""


def start_layered(simulation: Simulation, task: Task, jobs: Sequence[Job], passes: Sequence[str]) -> None:
    """Make a submitted task a parent, and create its first leaves."""
    task.type = TaskType.PARENT
    if "preprocess" in passes:
        _create_leaves(simulation, task, TaskType.PREPROCESS, jobs[:1])
    _create_leaves(simulation, task, TaskType.PHOTON if "photon" in passes else TaskType.MAIN, jobs)


def on_leaf_finished(simulation: Simulation, task: Task) -> None:
    """Advance the parent of a task that has ended, if it has one."""
    if task.parent_id:
        advance_parent(simulation, simulation.tasks[task.parent_id])


def advance_parent(simulation: Simulation, parent: Task) -> None:
    """Start what is next for a parent after one of its leaves has ended or was started."""
    preprocess = [leaf for leaf in parent.leaves if leaf.type is TaskType.PREPROCESS]
    others = [leaf for leaf in parent.leaves if leaf not in preprocess]
    for leaf in others:
        if leaf.on_hold and leaf.state is TaskState.WAITING:
            if all(first.state is TaskState.FINISHED for first in preprocess):
                simulation.enqueue(leaf)
                simulation.mark_dirty(leaf)
            elif any(first.state is TaskState.FAILED for first in preprocess):
                simulation.terminate(leaf, TaskEvent.CRASHED)
    photons_done = all(leaf.type is TaskType.PHOTON and leaf.state is TaskState.FINISHED for leaf in others)
    if photons_done and parent.next_event_at is None:
        pause = seeded_randint("main pass", parent.id, simulation.scenario.seed, MAIN_AFTER_PHOTON)
        simulation.schedule(parent, simulation.now + pause)
        simulation.mark_dirty(parent)


def start_main_pass(simulation: Simulation, parent: Task) -> None:
    """Create the main leaves of a parent whose photon pass has ended."""
    parent.next_event_at = None
    task_json = json.loads(simulation.database.load_file(parent.id, "task.json") or "{}")
    jobs = parse_task_json(task_json, simulation.scenario.checked_software)
    _create_leaves(simulation, parent, TaskType.MAIN, jobs)
    simulation.mark_dirty(parent)


def _create_leaves(simulation: Simulation, parent: Task, task_type: TaskType, jobs: Iterable[Job]) -> None:
    on_hold = any(
        leaf.type is TaskType.PREPROCESS and leaf.state is not TaskState.FINISHED for leaf in parent.leaves
    )
    for job in jobs:
        leaf = simulation.create(parent.platform, task_type, parent)
        simulation.assign_job(leaf, job)
        leaf.on_hold = on_hold
        if not on_hold:
            simulation.enqueue(leaf)
