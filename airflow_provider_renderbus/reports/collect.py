"""Collects the results of the renders of a run, also of those whose Airflow task has failed or never ran.

Airflow passes on only what tasks return, and a failed task returns nothing. So the operators and sensors keep
a record of each render (:mod:`airflow_provider_renderbus.render_record`). Here the records of all tasks of a
shot become one result. What a killed task could not record is asked of the farm.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.api.validation import excerpt
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.compat import get_current_context
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.base import RenderbusOperator
from airflow_provider_renderbus.polling.task_instance_state import states_of_run
from airflow_provider_renderbus.render_record import RECORD_KEY
from airflow_provider_renderbus.renders.results import summary
from airflow_provider_renderbus.sensors.base import RenderbusSensor

log = logging.getLogger(__name__)

_FAILED = {"failed", "upstream_failed", "skipped", "removed"}
_FRESH_FIELDS = ("scene", "state", "frames", "cost", "duration_seconds")


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """How an instance of an Airflow task has ended.

    :param task_id: of the task.
    :param map_index: -1 if it is not mapped.
    :param state: Airflow's state.
    :param record: what it has recorded, None if it has recorded nothing.
    :param upstream: ids of the tasks before it, not only of those directly before it.
    """

    task_id: str
    map_index: int
    state: str | None
    record: Mapping[str, Any] | None = None
    upstream: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The task with its map index."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"

    def follows(self, other: TaskEnd) -> bool:
        """Return whether it comes after another instance of the same map index."""
        return self.map_index == other.map_index and other.task_id in self.upstream


@dataclass(slots=True)
class _Shot:
    """A render, or what was to become one, with the instances that worked on it."""

    result: dict[str, Any]
    ends: list[TaskEnd] = field(default_factory=list)


def collect_results(
    task_ids: Collection[str] | None = None,
    *,
    renderbus_conn_id: str | None = RenderbusHook.default_conn_name,
    context: Any = None,
) -> list[dict[str, Any]]:
    """Return the results of the renders of this run, for :func:`~airflow_provider_renderbus.reports.report`.

    Call it in a task with ``trigger_rule="all_done"`` after the renders. A render whose end is not recorded,
    or was no success, is looked up on the farm, all of them in one request per hundred.

    :param task_ids: ids of the tasks to report; if omitted, the tasks of this provider that are upstream of
        the calling task, also indirectly.
    :param renderbus_conn_id: id of the connection that all these tasks use, for the states and the currency;
        None asks no farm.
    :param context: of the Airflow task; the current one if omitted.
    :return: a mapping per render: ``name``, ``render_task_id``, ``scene``, ``state``, ``frames``, ``cost``,
        ``forecast``, ``duration_seconds``, ``console_url``, ``output_folders`` and ``currency``, as far as
        they are known; ``error`` and ``reason`` if it has failed; ``failed``, the failed frames in words;
        ``task``, the last Airflow task that worked on it.
    :raises ValueError: the DAG has no task of such an id, or no task to report.
    """
    context = context or get_current_context()
    tasks = _select_tasks(context["task"], task_ids)
    ti = context["ti"]
    states = states_of_run(ti, [task.task_id for task in tasks])
    records: dict[tuple[str, int], Mapping[str, Any]] = {}
    for record in ti.xcom_pull(task_ids=[task.task_id for task in tasks], key=RECORD_KEY) or ():
        if isinstance(record, Mapping):
            records[str(record.get("task_id")), int(record.get("map_index", -1))] = record
    names = {task.task_id for task in tasks}
    ends: list[TaskEnd] = []
    for task in tasks:
        upstream = frozenset(names & task.get_flat_relative_ids(upstream=True))
        indexes = sorted(index for task_id, index in {*states, *records} if task_id == task.task_id)
        keys = [(task.task_id, index) for index in indexes]
        ends += [TaskEnd(*key, states.get(key), records.get(key), upstream) for key in keys]
    results = combine_ends(ends)
    return results if renderbus_conn_id is None else _ask_farm(results, renderbus_conn_id)


def combine_ends(ends: Iterable[TaskEnd]) -> list[dict[str, Any]]:
    """Return a result per render, from what the instances of all tasks have left, in the order of the DAG."""
    shots: list[_Shot] = []
    by_render: dict[int, _Shot] = {}
    by_index: defaultdict[int, list[_Shot]] = defaultdict(list)

    def new_shot() -> _Shot:
        shots.append(_Shot({}))
        return shots[-1]

    for end in ends:
        renders = [each for each in (end.record or {}).get("renders") or () if each.get("render_task_id")]
        for render in renders:
            render_task_id = render["render_task_id"]
            if render_task_id not in by_render:
                by_render[render_task_id] = new_shot()
            _add(by_render[render_task_id], end, render)
            by_index[end.map_index].append(by_render[render_task_id])
        if renders:
            continue
        # Of a shot that has no render yet, or of one whose task did not come so far.
        shot = next((shot for shot in by_index[end.map_index] if any(map(end.follows, shot.ends))), None)
        if shot is None and end.record is None and end.state not in _FAILED:
            continue
        if shot is None or (end.record is not None and shot.result.get("render_task_id")):
            shot = new_shot()
        _add(shot, end, {})
        by_index[end.map_index].append(shot)
    return [shot.result for shot in shots]


def _add(shot: _Shot, end: TaskEnd, render: Mapping[str, Any]) -> None:
    """Add what an instance has left to the result of its shot."""
    record = end.record or {}
    result = shot.result
    if record.get("outcome") == "succeeded" and all(each.task_id in end.upstream for each in shot.ends):
        # A later task has brought the render to an end after an earlier one had failed.
        result.pop("error", None)
        result.pop("reason", None)
    shot.ends.append(end)
    result.update({name: value for name, value in render.items() if value is not None})
    result["name"] = result.get("name") or record.get("name") or ("" if render else end.name)
    has_run = end.record is not None or end.state not in {"upstream_failed", "skipped", "removed"}
    if has_run or "task" not in result:
        result["task"] = end.name
    if record.get("error"):
        result["error"], result["reason"] = record["error"], record.get("reason", "")
    elif record.get("outcome") in {None, "started"} and end.state == "failed":
        result["error"] = f"The Airflow task {end.name} has ended without a result: see its log"
        result["reason"] = "killed"
    elif not has_run and not result.get("render_task_id") and "error" not in result:
        is_skipped = end.state in {"skipped", "removed"}
        result["reason"] = "skipped" if is_skipped else "not_submitted"
        result["error"] = "" if is_skipped else "A task before it has failed"
    if record.get("outcome") == "skipped":
        result["reason"] = "skipped"


def _select_tasks(task: Any, task_ids: Collection[str] | None) -> list[Any]:
    """Return the tasks to report, in the order of the DAG."""
    dag = task.dag
    if isinstance(task_ids, str):
        task_ids = [task_ids]
    if task_ids is not None:
        unknown = [each for each in task_ids if each not in dag.task_ids]
        if unknown:
            raise ValueError(f"task_ids: must be tasks of {dag.dag_id}, got {excerpt(unknown)}")
        selected_ids = set(task_ids)
    else:
        selected_ids = {each.task_id for each in task.get_flat_relatives(upstream=True) if _is_ours(each)}
    if not selected_ids:
        raise ValueError(
            "task_ids: must name the tasks to report, since no task of this provider is upstream of "
            f"{task.task_id}; or set the renders upstream of it"
        )
    selected = [dag.get_task(task_id) for task_id in sorted(selected_ids)]
    # A task has more tasks upstream than each of these has.
    return sorted(selected, key=lambda each: len(each.get_flat_relative_ids(upstream=True)))


def _is_ours(task: Any) -> bool:
    """Return whether a task, mapped or not, is of this provider."""
    operator_class = getattr(task, "operator_class", type(task))
    return isinstance(operator_class, type) and issubclass(
        operator_class, (RenderbusOperator, RenderbusSensor)
    )


def _ask_farm(results: Sequence[dict[str, Any]], conn_id: str) -> list[dict[str, Any]]:
    """Return results with the currency, and with what the farm shows of renders that have not succeeded.

    If it does not respond, the report has what the tasks have recorded.
    """
    ids = [
        result["render_task_id"]
        for result in results
        if result.get("render_task_id") and result.get("state") != TaskStatus.FINISHED.name
    ]
    hook = RenderbusHook(conn_id)
    try:
        currency = hook.send(calls.query_user_profile()).currency
        tasks = hook.run(flows.get_tasks(ids)) if ids else {}
    except Exception as error:  # noqa: BLE001 - a report is not to fail for what it can do without
        log.warning("The report has no amounts of the farm, which could not be asked: %s", error)
        return list(results)
    fresh = []
    for result in results:
        task = tasks.get(result.get("render_task_id", 0))
        values = {} if task is None else summary(task)
        known = {name: values[name] for name in _FRESH_FIELDS if values.get(name) is not None}
        if task is not None and not task.is_submitted:
            known = {"reason": result.get("reason") or "not_submitted"}
        if "console_url" not in result and result.get("render_task_id"):
            known["console_url"] = hook.console_url(result["render_task_id"])
        fresh.append({**result, **known, "currency": currency})
    return fresh
