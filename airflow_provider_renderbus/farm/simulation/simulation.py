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
from airflow_provider_renderbus.farm.simulation.scenario import drawn
from airflow_provider_renderbus.farm.simulation.task_store import Register
from airflow_provider_renderbus.farm.simulation.tasks import (
    FAILED_FRAMES,
    OPEN_FRAMES,
    WORKING,
    Event,
    Frame,
    FrameState,
    Kind,
    Run,
    Task,
    TaskState,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from airflow_provider_renderbus.farm.pictures.task_json import Job


MERGED = {FrameType.PRIORITY_MERGED, FrameType.MAIN_MERGED}

log = logging.getLogger(__name__)


class Life(Register):
    """All tasks of the farm, and what happens to them.

    Hold ``changed`` around every use: pictures come in from other threads, and notify it.
    """

    def run(self, until: float, most: float = math.inf) -> float | None:
        """Make every move that is due, or as many as are wanted at once.

        :param until: how far time has come, farm seconds.
        :param most: how many tasks to look at.
        :return: the moment at which the next move is due, None where none is.
        """
        while self._looks and self._looks[0][0] <= until:
            if most <= 0:
                return self._looks[0][0]
            most -= 1
            due, number = heapq.heappop(self._looks)
            self.moment = max(self.moment, due)
            task = self.tasks[number]
            if task.due is not None and task.due <= self.moment:  # else the look was overtaken by an order
                self._step(task)
        self.moment = max(self.moment, until)
        return self._looks[0][0] if self._looks else None

    def submit(self, task: Task, jobs: tuple[Job, ...], producer: str | None) -> None:
        """Begin the life of a new task: from here on it costs money."""
        passes = self.scenario.conduct(jobs[0]).passes
        task.producer, task.submitted, task.job = producer, self.date(), jobs[0]
        if len(jobs) == 1 and not passes:
            self.equip(task, jobs[0])
            self.queue(task)
        else:
            open_parent(self, task, jobs, passes)
        self.touch(task)

    def queue(self, task: Task) -> None:
        """Have a task wait for machines."""
        task.held = False
        self.look_at(task, self.moment + self.scenario.queue_seconds)

    def halt(self, task: Task, event: Event) -> bool:
        """End a task before its time: its frames that are not done are aborted and cost nothing.

        :return: whether the event means anything to the task's state.
        """
        if not task.move(event):
            return False
        task.due = task.begun = None
        task.completed = self.date() if task.submitted else None
        for frame in self.frames(task):
            if frame.state in OPEN_FRAMES:
                self.abort(task, frame)
        self.touch(task)
        leaf_ended(self, task)
        return True

    def abort(self, task: Task, frame: Frame) -> None:
        """Take a frame that waits or is rendered out of the work."""
        for run in [run for run in task.running if run.frame is frame]:
            task.running.remove(run)
            frame.seconds -= round(run.over - self.moment)
            frame.ended, frame.over = self.date(), None
            run.pictures.cancel()
            run.pictures.add_done_callback(self.studio.discard)
        self.set(task, frame, FrameState.ABORTED)
        if task.state not in WORKING or task.running:
            return
        self.look_at(task, self.moment)

    def _step(self, task: Task) -> None:
        if task.kind is Kind.PARENT:
            go_on(self, task)
            return
        if task.state is TaskState.WAITING:
            self._begin(task)
        if task.state in WORKING:
            self.frames(task)
        while run := next(
            (run for run in task.running if run.over <= self.moment and run.pictures.done()), None
        ):
            task.running.remove(run)
            self._end(task, run)
        if task.deadline is not None and task.deadline <= self.moment:
            self.halt(task, Event.TIME_OVER)
        if task.state in WORKING:
            self._take_up(task)
        self._plan(task)
        self.touch(task)

    def _plan(self, task: Task) -> None:
        """Note when a working task moves next. A picture that is late has it looked at when it comes."""
        if task.state not in WORKING:
            return
        pending = [run.over for run in task.running]
        if task.deadline is not None:
            pending.append(task.deadline)
        ahead = [moment for moment in pending if moment > self.moment]
        if ahead:
            self.look_at(task, min(ahead))
        task.due = min(pending)

    def _begin(self, task: Task) -> None:
        if self.money.gone:
            self.halt(task, Event.MONEY_GONE)
        elif task.breaks < self.scenario.conduct(task.job).broken:
            task.breaks += 1
            self.halt(task, Event.BROKEN)
        elif task.move(Event.PREPROCESSING if task.kind is Kind.PREPROCESS else Event.MACHINES_READY):
            task.started = task.started or self.date()
            task.begun = self.moment

    def _take_up(self, task: Task) -> None:
        """Give machines to the frames that wait, stage by stage, and end the task where nothing is left."""
        while task.waiting and len(task.running) < (task.machines or self.scenario.machines):
            stage, position = task.waiting[0]
            frame = self.frames(task)[position]
            if frame.state is not FrameState.WAITING:
                heapq.heappop(task.waiting)
                continue
            if any(run.frame.piece.stage < stage for run in task.running):
                return
            if stage >= MAIN_STAGE and task.job.pause_after_priority_frames and not task.full_speed:
                if not task.running and task.move(Event.TEST_FRAMES_DONE):
                    task.due = task.begun = None
                    leaf_ended(self, task)
                return
            if self.money.gone:
                self.halt(task, Event.MONEY_GONE)
                return
            heapq.heappop(task.waiting)
            self._start(task, frame, position)
        if not task.running:
            self._close(task)

    def _close(self, task: Task) -> None:
        event = Event.ALL_FRAMES_DONE
        if any(task.counts[state] for state in FAILED_FRAMES):
            event = Event.SOME_FRAMES_FAILED
        elif task.counts[FrameState.ABORTED]:
            event = Event.SOME_FRAMES_STOPPED
        if task.move(event):
            task.completed = self.date()
            task.due = task.begun = None
            leaf_ended(self, task)

    def _start(self, task: Task, frame: Frame, position: int) -> None:
        self.set(task, frame, FrameState.STARTED)
        frame.started, frame.ended = self.date(), None
        frame.seconds = self.scenario.seconds(task.job, frame.piece)
        if 0 < task.job.frame_timeout < frame.seconds:
            frame.seconds = task.job.frame_timeout
        frame.over = self.moment + frame.seconds
        self.render(task, frame, position)

    def render(self, task: Task, frame: Frame, position: int) -> None:
        """Put a machine to work on a frame that has begun."""
        fine = self._outcome(task, frame, position) is FrameState.DONE
        piece = frame.piece
        pictures = self.studio.submit(task.job, piece.frames if fine and piece.files else (), piece.block)
        over = frame.over or self.moment
        task.running.append(Run(frame, over, pictures))
        if not pictures.done():
            pictures.add_done_callback(partial(self._pictures_came, task, over))

    def _pictures_came(self, task: Task, over: float, _: Future[list[Path]]) -> None:
        with self.changed:
            heapq.heappush(self._looks, (over, task.number))
            self.changed.notify_all()

    def _outcome(self, task: Task, frame: Frame, position: int) -> FrameState:
        """Return how a frame is to end, as far as job and scenario tell."""
        if 0 < task.job.frame_timeout < self.scenario.seconds(task.job, frame.piece):
            return FrameState.TIMEOUT
        tiles = self.frames(task)[position - task.job.tiles : position] if frame.piece.type in MERGED else ()
        if any(tile.state is not FrameState.DONE for tile in tiles):
            return FrameState.ERROR
        fails = self.scenario.fails(task.job, frame.piece, frame.failures)
        return FrameState.ERROR if fails else FrameState.DONE

    def _end(self, task: Task, run: Run) -> None:
        """Publish a frame and take the money for it. One that has failed costs nothing."""
        frame = run.frame
        outcome = self._outcome(task, frame, frame.id - task.first_id)
        frame.ended, frame.over = self.date(), None
        failure = run.pictures.exception() or self._publish(task, run)
        if failure:
            log.warning("frame %s of task %s has failed: %r", frame.piece.index, task.number, failure)
            outcome = FrameState.ERROR
        if outcome is not FrameState.DONE:
            frame.failures += 1
            self.set(task, frame, outcome)
            return
        self.set(task, frame, FrameState.DONE)
        self._charge(task, frame)

    def _publish(self, task: Task, run: Run) -> OSError | None:
        """Move a frame's pictures to where they are seen, and return why that cannot be done."""
        piece = run.frame.piece
        try:
            for number, path in zip(piece.frames, run.pictures.result(), strict=False):
                name = task.job.file_name(number, piece.block)
                self.storage.publish(path, task.output_name, name, is_tile=bool(piece.block))
        except OSError as error:
            return error
        return None

    def _charge(self, task: Task, frame: Frame) -> None:
        fixed = self.scenario.conduct(task.job).cost
        cost = self.money.cost(frame.seconds) if fixed is None else fixed
        by_coupon, by_balance, arrears = self.money.charge(cost)
        for payer in (frame, task):
            payer.by_coupon += by_coupon
            payer.by_balance += by_balance
            payer.arrears += arrears
        task.seconds += frame.seconds
        if self.money.gone:
            for other in self.tasks.values():
                if other.state in WORKING and any(other.counts[state] for state in OPEN_FRAMES):
                    self.halt(other, Event.MONEY_GONE)


MAIN_AFTER_PHOTON = (4, 11)
"""Farm seconds from the end of the photon pass to the main pass, as in the documents' examples."""


def open_parent(life: Life, task: Task, jobs: Sequence[Job], passes: Sequence[str]) -> None:
    """Make a submitted task a parent, and open the leaves with which it begins."""
    task.kind = Kind.PARENT
    if "preprocess" in passes:
        _open(life, task, Kind.PREPROCESS, jobs[:1])
    _open(life, task, Kind.PHOTON if "photon" in passes else Kind.MAIN, jobs)


def leaf_ended(life: Life, leaf: Task) -> None:
    """Let others go on that have waited for a leaf, which need not have one."""
    if leaf.parent:
        follow(life, life.tasks[leaf.parent])


def follow(life: Life, parent: Task) -> None:
    """Do what is next for a parent after one of its leaves has ended or was started."""
    before = [leaf for leaf in parent.leaves if leaf.kind is Kind.PREPROCESS]
    for leaf in parent.leaves:
        if leaf.held and leaf.state is TaskState.WAITING and leaf not in before:
            if all(first.state is TaskState.FINISHED for first in before):
                life.queue(leaf)
                life.touch(leaf)
            elif any(first.state is TaskState.FAILED for first in before):
                life.halt(leaf, Event.BROKEN)
    rest = [leaf for leaf in parent.leaves if leaf not in before]
    photons_done = all(leaf.kind is Kind.PHOTON and leaf.state is TaskState.FINISHED for leaf in rest)
    if photons_done and parent.due is None:
        pause = drawn("main pass", parent.number, life.scenario.seed, MAIN_AFTER_PHOTON)
        life.look_at(parent, life.moment + pause)
        life.touch(parent)


def go_on(life: Life, parent: Task) -> None:
    """Open the main leaves of a parent whose photon pass has ended."""
    parent.due = None
    task_json = json.loads(life.books.file(parent.number, "task.json") or "{}")
    _open(life, parent, Kind.MAIN, parse_task_json(task_json))
    life.touch(parent)


def _open(life: Life, parent: Task, kind: Kind, jobs: Iterable[Job]) -> None:
    waits = any(
        leaf.kind is Kind.PREPROCESS and leaf.state is not TaskState.FINISHED for leaf in parent.leaves
    )
    for job in jobs:
        leaf = life.create(parent.platform, kind, parent)
        life.equip(leaf, job)
        leaf.held = waits
        if not waits:
            life.queue(leaf)
