"""Invariants of every render: nothing paid twice, nothing running unnoticed, nothing reported wrong."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from airflow_provider_renderbus.api.states import FrameStatus, TaskStatus
from dev.reliability.chaos.airflow import AirflowTask
from dev.reliability.chaos.farm_database import FarmDatabase, Render
from dev.reliability.chaos.scenarios import PRICE, Scenario

# Seconds in which a render can end by itself after its task has failed.
_SECONDS_TO_END = 60.0
# Seconds in which a task that fails at the pause collects its report, and does not see a user resume it.
_SECONDS_TO_REPORT = 10.0


class Invariants:
    """Compares Airflow's tasks, found by the names of their renders, with the farm's database."""

    def __init__(self, database: FarmDatabase, task_of: Callable[[str], AirflowTask]) -> None:
        self._database, self._task_of = database, task_of

    def before_request(self, call: str, body: Mapping[str, Any]) -> None:
        """Check a request that is about to be executed."""
        match call:
            case "submit_task":
                self._check_submit(int(body["taskId"]))
            case "recommit_frames":
                self._check_recommit([int(frame) for frame in body["ids"]])
            case "start_task":
                for task_id in body["taskIds"]:
                    self._check_start(int(task_id))

    def _owner(self, task_id: int) -> AirflowTask:
        return self._task_of(self._database.artist_of(task_id) or "")

    def _check_submit(self, task_id: int) -> None:
        task = self._owner(task_id)
        if self._database.render(task_id):
            task.record_violation(f"paid twice: {task_id} is submitted again")
        for earlier in self._database.renders(task.scenario.name):
            is_cleared = any(cleared_at > earlier.submitted_at for cleared_at in task.clears)
            is_other = self._database.scene(earlier.id) != task.scenario.scene(task.shot_of_try)
            can_rerender = is_cleared or task.scenario.option("on_job_change") == "rerender"
            is_over = (
                (task.scenario.succeeds(earlier.status) and is_cleared)
                or (is_other and can_rerender and not earlier.is_active)
                or (task.run_after.timestamp() > earlier.submitted_at and not earlier.is_active)
            )
            if earlier.id != task_id and not is_over:
                text = f"{task_id} is submitted beside {earlier.id}, {earlier.status.name}"
                task.record_violation(f"paid twice: {text}")

    def _check_recommit(self, ids: list[int]) -> None:
        task = self._owner(self._database.leaf_of(ids[0]))
        renders = self._database.renders(task.scenario.name)
        frames = {frame.id: frame for render in renders for frame in render.frames}
        for frame in ids:
            if not frames[frame].has_failed:
                text = f"frame {frame} is recommitted and is {frames[frame].status.name}"
                task.record_violation(f"paid twice: {text}")

    def _check_start(self, task_id: int) -> None:
        task = self._owner(task_id)
        if task.stops and not any(cleared_at > task.stops[-1] for cleared_at in task.clears):
            task.record_violation(f"reported wrong: {task_id} is restarted after a user has stopped it")

    def after_task(self, task: AirflowTask) -> None:
        """Check an Airflow task that has just ended by itself."""
        if task.state == "success":
            renders = self._database.renders(task.scenario.name)
            render = renders[-1] if renders else None
            for line in _wrong_success(task, render):
                task.record_violation(f"reported wrong: {line}")
            if render and task.scenario.option("on_job_change") != "reattach":
                asked, rendered = task.scenario.scene(task.shot_of_try), self._database.scene(render.id)
                if asked != rendered:
                    task.record_violation(f"reported wrong: {rendered} returned, {asked} asked for")
            if render:
                task.returned.setdefault(render.id, time.time())
            return
        render = self._database.render(self._database.newest_id(task.scenario.name))
        asked = task.scenario.scene(task.shot_of_try)
        renders = self._database.renders(task.scenario.name)
        has_other_job = any(self._database.scene(each.id) != asked for each in renders)
        if has_other_job and "for another job" in str(task.error):
            return
        if "stays paused" in str(task.error) and time.time() < task.resumed_at + _SECONDS_TO_REPORT:
            task.resumed_while_failing = True
        elif not _has_cause(task, render):
            text = f"{render.id} is {render.status.name}" if render else "nothing was submitted"
            task.record_violation(f"reported wrong: failed, and {text}: {task.error!r}")

    def after_settling(self, task: AirflowTask) -> None:
        """Check an Airflow task that ended a moment ago, when nothing of it may run any more."""
        for render in self._database.renders(task.scenario.name):
            # The farm's clock had jumped: the price of not stopping a newer try's render (ADR 4).
            is_documented = task.resumed_while_failing or task.is_unsure_of_time
            if render.is_active and not is_documented:
                task.record_violation(f"running unnoticed: {render.id} is {render.status.name}")
            for line in _wrong_charges(task.scenario, render):
                task.record_violation(f"paid twice: {line}")


def _wrong_success(task: AirflowTask, render: Render | None) -> Iterator[str]:
    if render is None:
        yield "success, and nothing was submitted"
        return
    if not task.scenario.succeeds(render.status):
        yield f"success, and {render.id} is {render.status.name}"
    correct = render.summary()
    result = task.result
    if isinstance(result, dict):
        result = {name: result.get(name) for name in correct}
        if Decimal(result["cost"]) == Decimal(correct["cost"]):
            result["cost"] = correct["cost"]
    if result != correct:
        yield f"the result is {result}, the database holds {correct}"
    # Without a store, only the first try after a clear can know that there was one.
    sees_clears = task.try_found_row or task.is_first_try_after_clear
    returned_at = task.returned.get(render.id, math.inf)
    is_cleared = any(cleared_at > returned_at for cleared_at in task.clears)
    if task.scenario.succeeds(render.status) and sees_clears and is_cleared:
        yield f"cleared after {render.id} was returned, and not rendered again"


def _has_cause(task: AirflowTask, render: Render | None) -> bool:  # noqa: PLR0911 - a table of states
    """Return whether a failure has a cause in the database, the scenario or an action of a user."""
    scenario = task.scenario
    error = str(task.error)
    lacks_funds = "code 507" in error and scenario.option("on_insufficient_funds") != "wait"
    if lacks_funds or ("min_funds" in scenario.options and "below min_funds" in error):
        return True  # create or submit was refused, or not tried; an earlier render can be in any state
    if "Clear this task again" in error and task.is_first_try_after_clear:
        return not task.try_found_row  # a retry would not know of the clear
    if render is None:
        return False
    is_past_limit = _is_over_budget(scenario, render) or _is_late(task, render)
    match render.status:
        case TaskStatus.FAILED | TaskStatus.ABANDON:
            return True
        case TaskStatus.FINISHED_HAS_FAILED:
            return is_past_limit or _is_beyond_recommits(scenario, render)
        case TaskStatus.FINISHED_TEST:
            # All frames cost the same, so the forecast is exact.
            max_cost, forecast = scenario.option("max_cost"), PRICE * render.counts.total()
            return is_past_limit or (max_cost is not None and forecast > Decimal(max_cost))
        case TaskStatus.ARREARAGE_STOP:
            return is_past_limit or scenario.option("on_insufficient_funds") != "wait"
        case TaskStatus.STOP:
            return is_past_limit or bool(task.stops)
        case TaskStatus.FINISHED:
            return is_past_limit and (render.completed_at or 0.0) > time.time() - _SECONDS_TO_END
    return is_past_limit


def _is_over_budget(scenario: Scenario, render: Render) -> bool:
    max_cost = scenario.option("max_cost")
    return max_cost is not None and render.cost > Decimal(max_cost)


def _is_late(task: AirflowTask, render: Render) -> bool:
    timeout, max_duration = task.scenario.option("timeout"), task.scenario.option("max_duration")
    deadlines = [task.try_started_at + timeout] if timeout else []
    deadlines += [render.submitted_at + max_duration] if max_duration else []
    return time.time() >= min(deadlines, default=math.inf)


def _is_beyond_recommits(scenario: Scenario, render: Render) -> bool:
    if scenario.option("on_failed_frames") != "recommit":
        return bool(scenario.option("on_failed_frames") == "fail")
    maximum = scenario.option("max_recommits")
    return all(bool(frame.recommits >= maximum) for frame in render.frames if frame.has_failed)


def _wrong_charges(scenario: Scenario, render: Render) -> Iterator[str]:
    recommits = scenario.option("on_failed_frames") == "recommit"
    maximum = scenario.option("max_recommits", 1) if recommits else 0
    for frame in render.frames:
        price = PRICE if frame.status is FrameStatus.DONE else Decimal(0)
        if frame.cost != price:
            yield f"frame {frame.id} is {frame.status.name} and has cost {frame.cost}"
        if frame.recommits > min(maximum, frame.failures):
            yield f"frame {frame.id} failed {frame.failures} times, was recommitted {frame.recommits} times"
