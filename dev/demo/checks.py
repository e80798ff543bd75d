"""Checks what Airflow shows: the states of the run, and what its tasks returned."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Set as AbstractSet
from pathlib import Path

from dev.demo.nightly_expectations import FRAMES, MAPPED, RENDER, SHOTS
from dev.demo.run_monitor import InstanceKey, RunResult, shot_name
from dev.harness.airflow_instance import AirflowInstance
from dev.harness.event_log import CheckFailure

_ALL_DONE = {"total": FRAMES, "done": FRAMES, "failed": 0, "running": 0, "aborted": 0}


def check_run(
    result: RunResult, airflow: AirflowInstance, dag_id: str, instances: AbstractSet[InstanceKey]
) -> Iterator[CheckFailure]:
    """Check that the run and all its task instances succeeded, and that it is the only run."""
    scheduler = airflow.log("scheduler")
    if result.state != "success":
        yield CheckFailure(f"the run of {dag_id}", "success", result.state, scheduler)
    if result.other_runs:
        yield CheckFailure(f"runs of {dag_id}", "one", f"also {', '.join(result.other_runs)}", scheduler)
    if result.instances.keys() != instances:
        yield CheckFailure("task instances", _names(instances), _names(result.instances.keys()), scheduler)
    for (task_id, index), instance in sorted(result.instances.items()):
        if instance["state"] != "success":
            log = airflow.task_log(instance)
            actual = f"{instance['state']}{_last_error(log)}"
            yield CheckFailure(f"{task_id}[{index}]", "success", actual, log if log.exists() else scheduler)


def check_return_values(result: RunResult, log: Path) -> Iterator[CheckFailure]:
    """Check what the tasks of a nightly run that succeeded returned against the example DAG and the farm."""
    renders = [result.return_values.get((RENDER, index)) or {} for index in MAPPED]
    ids = [render.get("render_task_id") for render in renders]
    if len(set(ids)) != len(SHOTS):
        yield CheckFailure("render task ids", f"{len(SHOTS)} different ones", str(ids), log)
    for index, (shot, render_task_id) in enumerate(zip(SHOTS, ids, strict=True)):
        task = result.tasks.get(render_task_id) if isinstance(render_task_id, int) else None
        if task is None or shot_name(task) != shot:
            actual = shot_name(task) if task else "no task of the farm"
            yield CheckFailure(f"render {render_task_id}", f"of {shot}", actual, log)
            continue
        render = renders[index]
        expected = {
            "render_task_id": render_task_id,
            "state": "FINISHED",
            "frames": _ALL_DONE,
            "cost": str(task.cost),
        }
        returned = {name: render.get(name) for name in expected}
        if returned != expected:
            yield CheckFailure(f"the result of {shot}", str(expected), str(returned), log)
        if task.cost <= 0:
            yield CheckFailure(f"the cost of {shot}", "more than 0", str(task.cost), log)
        if not render.get("duration_seconds") or len(render.get("output_folders", ())) != 1:
            expected_text = "a duration, and one output folder"
            yield CheckFailure(f"the result of {shot}", expected_text, str(render), log)


def check_report(page: Path) -> Iterator[CheckFailure]:
    """Check that the report of the night has each shot as done, with a picture."""
    text = page.read_text("utf-8") if page.exists() else ""
    missing = [shot for shot in SHOTS if f">{shot}</a>" not in text]
    done, pictures = text.count(">done</b>"), text.count("<img ")
    if missing or done != len(SHOTS) or pictures != len(SHOTS):
        actual = f"{done} done, {pictures} pictures, without {', '.join(missing) or 'none'}"
        yield CheckFailure("the report of the night", "each shot, done, with a picture", actual, page)


def _last_error(log: Path) -> str:
    """Return the last exception in a task's log, which holds one JSON object per line."""
    lines = log.read_text("utf-8").splitlines() if log.exists() else ()
    for line in reversed(lines):
        for detail in json.loads(line).get("error_detail", ()):
            return f", {detail['exc_type']}: {detail['exc_value']}"
    return ""


def _names(instances: Iterable[InstanceKey]) -> str:
    return ", ".join(f"{task_id}[{index}]" for task_id, index in sorted(instances))
