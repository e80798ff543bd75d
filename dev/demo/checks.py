"""Whether Airflow shows what it must: the connection form, the states of the run, what its tasks returned."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.hooks.connection_fields import EXTRA_FIELDS, UI_FIELD_BEHAVIOUR
from dev.demo.nightly_expectations import CREATE, DAG_ID, FRAMES, INSTANCES, MAPPED, SHOTS, WAIT
from dev.demo.run_monitor import shot_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from dev.demo.run_monitor import Instance, Result
    from dev.harness.airflow_instance import AirflowInstance
_ALL_DONE = {"total": FRAMES, "done": FRAMES, "failed": 0, "running": 0, "aborted": 0}


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be."""

    subject: str
    expected: str
    found: str
    look_at: Path

    def __str__(self) -> str:
        return "\n".join(
            (
                self.subject,
                f"  expected  {self.expected}",
                f"  found     {self.found}",
                f"  look at   {self.look_at}",
            )
        )


def check_run(
    result: Result,
    airflow: AirflowInstance,
    dag_id: str = DAG_ID,
    instances: AbstractSet[Instance] = INSTANCES,
) -> Iterator[Finding]:
    """Check that the run and all its task instances succeeded, and that it is the only run.

    :param result: of the run.
    :param airflow: where it ran.
    :param dag_id: the DAG.
    :param instances: all task instances that there must be.
    """
    scheduler = airflow.log("scheduler")
    if result.state != "success":
        yield Finding(f"the run of {dag_id}", "success", result.state, scheduler)
    if result.others:
        yield Finding(f"runs of {dag_id}", "one", f"also {', '.join(result.others)}", scheduler)
    if result.instances.keys() != instances:
        yield Finding("task instances", _listed(instances), _listed(result.instances.keys()), scheduler)
    for (task_id, index), instance in sorted(result.instances.items()):
        if instance["state"] != "success":
            log = airflow.task_log(instance)
            found = f"{instance['state']}{_error(log)}"
            yield Finding(f"{task_id}[{index}]", "success", found, log if log.exists() else scheduler)


def check_returned(result: Result, log: Path) -> Iterator[Finding]:
    """Check what the tasks returned against what was ordered and what the farm itself tells.

    :param result: of a run that succeeded.
    :param log: where to look where something is wrong.
    """
    numbers = [result.returned.get((CREATE, index)) for index in MAPPED]
    if len(set(numbers)) != len(SHOTS):
        yield Finding("task numbers", f"{len(SHOTS)} different ones", str(numbers), log)
    for index, (shot, number) in enumerate(zip(SHOTS, numbers, strict=True)):
        task = result.tasks.get(number) if isinstance(number, int) else None
        if task is None or shot_name(task) != shot:
            rendered = shot_name(task) if task else "none that the farm knows"
            yield Finding(f"task {number}", f"of {shot}", rendered, log)
            continue
        end = result.returned.get((WAIT, index)) or {}
        expected = {
            "render_task_id": number,
            "state": "FINISHED",
            "frames": _ALL_DONE,
            "cost": str(task.cost),
        }
        found = {name: end.get(name) for name in expected}
        if found != expected:
            yield Finding(f"the end of {shot}", str(expected), str(found), log)
        if task.cost <= 0:
            yield Finding(f"the cost of {shot}", "more than 0", str(task.cost), log)
        if not end.get("duration_seconds") or len(end.get("output_folders", ())) != 1:
            yield Finding(f"the end of {shot}", "seconds, and one output folder", str(end), log)


def check_connection_form(form: Mapping[str, Any], log: Path) -> Iterator[Finding]:
    """Check that Airflow's connection form has the fields of a farm's connection.

    :param form: what the connection page gets.
    :param log: where to look where something is wrong.
    """
    extras = {name: field["schema"]["title"] for name, field in (form.get("extra_fields") or {}).items()}
    wanted = {name: extra.label for name, extra in EXTRA_FIELDS.items()}
    if extras != wanted:
        yield Finding("fields of extra in the connection form", str(wanted), str(extras), log)
    standard = form.get("standard_fields") or {}
    labels = {name: (standard.get(name) or {}).get("title") for name in UI_FIELD_BEHAVIOUR["relabeling"]}
    if labels != UI_FIELD_BEHAVIOUR["relabeling"]:
        yield Finding(
            "labels in the connection form", str(UI_FIELD_BEHAVIOUR["relabeling"]), str(labels), log
        )


def _error(log: Path) -> str:
    """Return the last exception in a task's log, which holds a JSON object a line."""
    lines = log.read_text("utf-8").splitlines() if log.exists() else ()
    for line in reversed(lines):
        for detail in json.loads(line).get("error_detail", ()):
            return f", {detail['exc_type']}: {detail['exc_value']}"
    return ""


def _listed(instances: Iterable[Instance]) -> str:
    return ", ".join(f"{task_id}[{index}]" for task_id, index in sorted(instances))
