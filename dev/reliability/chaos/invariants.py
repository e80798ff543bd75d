"""What must hold of every render: nothing paid twice, nothing running unnoticed, nothing reported wrong."""

from __future__ import annotations

import math
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.states import FrameStatus, TaskStatus
from dev.reliability.chaos.scenarios import PRICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dev.reliability.chaos.airflow import Task
    from dev.reliability.chaos.farm_database import Books, Render
    from dev.reliability.chaos.scenarios import Plan

# A later try undoes a stop in its first minute, which begins after up to half a minute of settling.
_FORGIVEN_FOR = 150.0
# Seconds in which a render can go on to an end after it was given up.
_MEANWHILE = 60.0


class Judge:
    """Holds Airflow's tasks against the farm's books.

    :param books: the farm's.
    :param task_of: the Airflow task by the name of its render.
    """

    def __init__(self, books: Books, task_of: Callable[[str], Task]) -> None:
        self._books, self._task_of = books, task_of

    def arriving(self, call: str, body: Mapping[str, Any]) -> None:
        """Look at a request that is about to be carried out."""
        match call:
            case "submit_task":
                self._look_at_submit(int(body["taskId"]))
            case "recommit_frames":
                self._look_at_recommit([int(frame) for frame in body["ids"]])
            case "start_task":
                for number in body["taskIds"]:
                    self._look_at_start(int(number))

    def _owner(self, number: int) -> Task:
        return self._task_of(self._books.name_of(number) or "")

    def _look_at_submit(self, number: int) -> None:
        task = self._owner(number)
        if self._books.render(number):
            task.blame(f"paid twice: {number} is submitted again")
        for earlier in self._books.renders(task.plan.name):
            is_over = task.plan.succeeds(earlier.state) and any(
                moment > earlier.submitted for moment in task.clears
            )
            if earlier.number != number and not is_over:
                task.blame(f"paid twice: {number} is submitted beside {earlier.number}, {earlier.state.name}")

    def _look_at_recommit(self, ids: list[int]) -> None:
        number = self._books.owner_of_frame(ids[0])
        task = self._owner(number)
        frames = {
            frame.id: frame for render in self._books.renders(task.plan.name) for frame in render.frames
        }
        for frame in ids:
            if not frames[frame].has_failed:
                task.blame(f"paid twice: frame {frame} is recommitted and is {frames[frame].state.name}")

    def _look_at_start(self, number: int) -> None:
        task = self._owner(number)
        stopped = max(task.stops, default=0.0)
        is_persons = task.try_number == 1 or stopped > task.began + _FORGIVEN_FOR
        if stopped > task.began and is_persons:
            task.blame(f"reported wrong: {number} is started again after a person has stopped it")

    def at_the_end(self, task: Task) -> None:
        """Look at an Airflow task that has just ended by itself."""
        render = self._books.render(self._books.newest(task.plan.name))
        if task.state == "success":
            renders = self._books.renders(task.plan.name)
            render = renders[-1] if renders else None
            for line in _wrong_success(task, render):
                task.blame(f"reported wrong: {line}")
            if render:
                task.returned.setdefault(render.number, time.time())
        elif task.state == "failed" and not _has_cause(task, render):
            told = f"{render.number} is {render.state.name}" if render else "nothing was submitted"
            task.blame(f"reported wrong: failed, and {told}: {task.problem!r}")

    def later(self, task: Task) -> None:
        """Look at an Airflow task that ended a moment ago, when nothing of it may run any more."""
        for render in self._books.renders(task.plan.name):
            if render.is_active:
                task.blame(f"running unnoticed: {render.number} is {render.state.name}")
            for line in _wrong_charges(task.plan, render):
                task.blame(f"paid twice: {line}")


def _wrong_success(task: Task, render: Render | None) -> Iterator[str]:
    if render is None:
        yield "success, and nothing was submitted"
        return
    if not task.plan.succeeds(render.state):
        yield f"success, and {render.number} is {render.state.name}"
    right = render.summary()
    told = {name: task.result.get(name) for name in right} if isinstance(task.result, dict) else task.result
    if isinstance(told, dict) and Decimal(told["cost"]) == Decimal(right["cost"]):
        told["cost"] = right["cost"]
    if told != right:
        yield f"the result is {told}, the books hold {right}"
    # Without a store, only the first try after a clear can tell that there was one.
    is_told = task.plan.has_store or task.is_first_since_clear
    returned = task.returned.get(render.number, math.inf)
    if task.plan.succeeds(render.state) and is_told and any(moment > returned for moment in task.clears):
        yield f"cleared after {render.number} was returned, and not rendered anew"


def _has_cause(task: Task, render: Render | None) -> bool:  # noqa: PLR0911 - a table of states
    """Tell whether a failure is one that the books, the plan or a person account for."""
    plan = task.plan
    if render is None:
        return "min_funds" in plan.options and "min_funds" in str(task.problem)
    is_given_up = _is_dear(plan, render) or _is_late(task, render)
    match render.state:
        case TaskStatus.FAILED | TaskStatus.ABANDON:
            return True
        case TaskStatus.FINISHED_HAS_FAILED:
            return is_given_up or _are_beyond_healing(plan, render)
        case TaskStatus.ARREARAGE_STOP:
            return is_given_up or plan.option("on_insufficient_funds") != "wait"
        case TaskStatus.STOP:
            return is_given_up or bool(task.stops)
        case TaskStatus.FINISHED:
            return is_given_up and (render.completed or 0.0) > time.time() - _MEANWHILE
    return is_given_up


def _is_dear(plan: Plan, render: Render) -> bool:
    most = plan.option("max_cost")
    return most is not None and render.cost > Decimal(most)


def _is_late(task: Task, render: Render) -> bool:
    timeout, max_duration = task.plan.option("timeout"), task.plan.option("max_duration")
    ends = [task.began + timeout] if timeout else []
    ends += [render.submitted + max_duration] if max_duration else []
    return time.time() >= min(ends, default=math.inf)


def _are_beyond_healing(plan: Plan, render: Render) -> bool:
    if plan.option("on_failed_frames") != "recommit":
        return bool(plan.option("on_failed_frames") == "fail")
    attempts = plan.option("max_recommits")
    return all(bool(frame.recommits >= attempts) for frame in render.frames if frame.has_failed)


def _wrong_charges(plan: Plan, render: Render) -> Iterator[str]:
    attempts = plan.option("max_recommits", 1) if plan.option("on_failed_frames") == "recommit" else 0
    for frame in render.frames:
        due = PRICE if frame.state is FrameStatus.DONE else Decimal(0)
        if frame.cost != due:
            yield f"frame {frame.id} is {frame.state.name} and has cost {frame.cost}"
        if frame.recommits > min(attempts, frame.failures):
            yield f"frame {frame.id} failed {frame.failures} times, was ordered again {frame.recommits} times"
