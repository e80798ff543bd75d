"""How a task lives: machines take up its frames, frames end and are paid, the task goes on to its end.

Nothing here reads a clock. :meth:`Life.run` is told how far time has come and makes every move that is due
by then, in order and each at its own moment; so the same job has the same life on a running clock and on one
driven by hand. Each started frame is due when its time is over; a frame whose picture is not there by then
keeps its machine until it is.
"""

from __future__ import annotations

import heapq
import logging
from collections import deque
from functools import partial
from threading import Condition
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.tasks import Event, Frame, FrameState, Run, Task, frame_seconds

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from airflow_provider_renderbus.farm.account import Account
    from airflow_provider_renderbus.farm.storage import Storage
    from airflow_provider_renderbus.farm.studio import Studio
    from airflow_provider_renderbus.farm.task_json import Job

QUEUE_SECONDS = 60
"""Farm seconds from submit until machines are ready."""
MACHINES = 4
"""Machines that render a task at the same time."""
FIRST_NUMBER = 35_000_001
FIRST_FRAME_ID = 1_000_001

log = logging.getLogger(__name__)


class Life:
    """All tasks of the farm.

    :param account: pays for the frames.
    :param storage: where done frames go.
    :param studio: makes the pictures.

    Hold ``changed`` around every use: pictures come in from other threads, and notify it.
    """

    def __init__(self, account: Account, storage: Storage, studio: Studio) -> None:
        self.tasks: dict[int, Task] = {}
        self.changed = Condition()
        self._account = account
        self._storage = storage
        self._studio = studio
        self._next_number = max(FIRST_NUMBER, storage.last_number() + 1)
        self._next_frame_id = FIRST_FRAME_ID
        self._moment = 0.0
        self._due: list[tuple[float, int]] = []

    def create(self, platform: int, labels: tuple[str, ...], artist: str | None) -> Task:
        """Make a new task, which waits to be submitted."""
        task = Task(self._next_number, platform, labels, artist)
        self._next_number += 1
        self.tasks[task.number] = task
        return task

    def submit(self, task: Task, job: Job, producer: str | None) -> None:
        """Begin the life of a new task: from here on it costs money."""
        task.job, task.producer, task.submitted = job, producer, self._moment
        first = self._next_frame_id
        self._next_frame_id += len(job.frames)
        task.frames = [
            Frame(first + index, number, frame_seconds(job.stem, number))
            for index, number in enumerate(job.frames)
        ]
        task.waiting = deque(task.frames)
        task.counts[FrameState.WAITING] = len(task.frames)
        self._look_at(task, self._moment + QUEUE_SECONDS)

    def stop(self, task: Task) -> None:
        """Stop a task: its frames that are not done are aborted and cost nothing. An ended task stays."""
        if not task.move(Event.STOPPED):
            return
        task.completed = self._moment
        for run in task.running:
            run.frame.ended = self._moment
            run.picture.cancel()
            run.picture.add_done_callback(self._studio.discard)
        for frame in [*(run.frame for run in task.running), *task.waiting]:
            task.set(frame, FrameState.ABORTED)
        task.running.clear()
        task.waiting.clear()

    def run(self, until: float) -> float | None:
        """Make every move that is due.

        :param until: how far time has come, farm seconds.
        :return: the moment at which the next move is due, None where none is.
        """
        while self._due and self._due[0][0] <= until:
            due, number = heapq.heappop(self._due)
            self._moment = max(self._moment, due)
            self._step(self.tasks[number])
        self._moment = max(self._moment, until)
        return self._due[0][0] if self._due else None

    def _look_at(self, task: Task, moment: float) -> None:
        """Have a task looked at when time comes to a moment, or at once where it has come."""
        heapq.heappush(self._due, (moment, task.number))
        self.changed.notify_all()

    def _step(self, task: Task) -> None:
        if task.move(Event.MACHINES_READY):
            task.started = self._moment
        for run in [run for run in task.running if run.over <= self._moment and run.picture.done()]:
            task.running.remove(run)
            self._end(task, run)
        while task.waiting and len(task.running) < MACHINES:
            self._start(task, task.waiting.popleft())
        if not task.running:
            failed = task.counts[FrameState.ERROR]
            if task.move(Event.SOME_FRAMES_FAILED if failed else Event.ALL_FRAMES_DONE):
                task.completed = self._moment

    def _start(self, task: Task, frame: Frame) -> None:
        task.set(frame, FrameState.STARTED)
        frame.started = self._moment
        run = Run(frame, self._moment + frame.seconds, self._studio.order(task.job, frame.number))
        task.running.append(run)
        self._look_at(task, run.over)
        run.picture.add_done_callback(partial(self._picture_came, task, run.over))

    def _picture_came(self, task: Task, over: float, _: Future[Path]) -> None:
        with self.changed:
            self._look_at(task, over)

    def _end(self, task: Task, run: Run) -> None:
        """Publish a frame and take the money for it. A picture that cannot be had costs nothing."""
        frame = run.frame
        frame.ended = self._moment
        failure = run.picture.exception()
        if failure is None:
            name = f"{task.job.stem}_{frame.number:04d}.png"
            try:
                self._storage.publish(run.picture.result(), task.output_name, name)
            except OSError as error:
                failure = error
        if failure:
            log.warning("frame %s of task %s has failed: %r", frame.number, task.number, failure)
            task.set(frame, FrameState.ERROR)
            return
        task.set(frame, FrameState.DONE)
        frame.by_coupon, frame.by_balance = self._account.charge(self._account.cost(frame.seconds))
        task.by_coupon += frame.by_coupon
        task.by_balance += frame.by_balance
        task.seconds += frame.seconds
