"""Reads the renders of a DAG run from Airflow's database. All that depends on Airflow's tables is here."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.models.connection import Connection
from airflow.models.dagrun import DagRun
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from airflow.utils.state import State
from sqlalchemy import select

from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.api.validation import MAX_INT
from airflow_provider_renderbus.hooks.connection import load_settings, parse_extra
from airflow_provider_renderbus.links import MAX_RENDERS, RENDER_TASK_IDS_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_renderbus.clients.settings import Settings

MAX_TASKS = 2_000
"""Task instances of a DAG run that its page shows."""
_CONN_TYPE = "renderbus"
_FIELDS = ("renderbus_conn_id", "max_cost")
_MAX_TEXT_CHARS = 250


class TaskKey(NamedTuple):
    """A task of a DAG run."""

    task_id: str
    map_index: int


@dataclass(frozen=True, slots=True)
class RenderTask:
    """An Airflow task that has renders.

    :param label: what Airflow shows instead of the map index, "" for none.
    :param state: its state in Airflow, "" for none.
    :param is_finished: whether the state is a final one.
    :param changed_at: when it last began or ended, in seconds since 1970; 0 if it has not.
    :param render_task_ids: ids of its renders; empty if its XCom holds no such list.
    :param conn_id: the connection of the farm, None if it is not known.
    :param max_cost: its budget, None for none.
    """

    key: TaskKey
    label: str
    state: str
    is_finished: bool
    changed_at: float
    render_task_ids: tuple[int, ...]
    conn_id: str | None
    max_cost: str | None


# What rendered fields do not change in: key of the task instance and time of its XCom.
_fields: OrderedDict[tuple[Any, ...], tuple[str | None, str | None]] = OrderedDict()
_MAX_CACHED_FIELDS = 5_000


def read_render_tasks(dag_id: str, run_id: str, task: TaskKey | None = None) -> list[RenderTask] | None:
    """Return the tasks of a DAG run that have pushed ids of renders; None if there is no such run or task.

    :param task: only this one.
    """
    with create_session() as session:
        exists: Any = select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        query = (
            select(XComModel.value, XComModel.timestamp, TaskInstance)
            .join(
                TaskInstance,
                (XComModel.dag_id == TaskInstance.dag_id)
                & (XComModel.run_id == TaskInstance.run_id)
                & (XComModel.task_id == TaskInstance.task_id)
                & (XComModel.map_index == TaskInstance.map_index),
            )
            .where(
                XComModel.dag_id == dag_id,
                XComModel.run_id == run_id,
                XComModel.key == RENDER_TASK_IDS_KEY,
            )
            .order_by(TaskInstance.start_date, TaskInstance.task_id, TaskInstance.map_index)
            .limit(MAX_TASKS)
        )
        if task is not None:
            exists = select(TaskInstance.id).where(
                TaskInstance.dag_id == dag_id,
                TaskInstance.run_id == run_id,
                TaskInstance.task_id == task.task_id,
                TaskInstance.map_index == task.map_index,
            )
            query = query.where(XComModel.task_id == task.task_id, XComModel.map_index == task.map_index)
        if session.scalar(exists) is None:
            return None
        rows = session.execute(query).all()
        fields = _read_fields(
            session,
            dag_id,
            run_id,
            {TaskKey(ti.task_id, ti.map_index): timestamp for _, timestamp, ti in rows},
        )
        return [
            RenderTask(
                TaskKey(ti.task_id, ti.map_index),
                printable(str(ti.rendered_map_index or ""), _MAX_TEXT_CHARS) if ti.map_index >= 0 else "",
                str(ti.state or ""),
                ti.state in State.finished,
                max(at.timestamp() if at else 0.0 for at in (ti.start_date, ti.end_date)),
                _parse_ids(value),
                *fields[TaskKey(ti.task_id, ti.map_index)],
            )
            for value, _, ti in rows
        ]


def read_settings(conn_id: str) -> Settings:
    """Return the settings of a client from a connection.

    :raises ValueError: it does not exist, is of another type, or fields of it are invalid.
    """
    try:
        connection = Connection.get_connection_from_secrets(conn_id)
    except Exception as error:  # noqa: BLE001 - backends of secrets have exceptions of their own
        raise ValueError(f"connection {conn_id!r} cannot be read ({type(error).__name__})") from None
    if connection.conn_type != _CONN_TYPE:
        raise ValueError(f"connection {conn_id!r}: must be of type {_CONN_TYPE}")
    return load_settings(connection, parse_extra(connection))


def _parse_ids(value: Any) -> tuple[int, ...]:
    """Return the ids in an XCom, which a user can have edited."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return ()
    if not isinstance(value, list):
        return ()
    ids = (each for each in value[:MAX_RENDERS] if type(each) is int and 0 < each <= MAX_INT)
    return tuple(dict.fromkeys(ids))


def _read_fields(
    session: Any, dag_id: str, run_id: str, tasks: Mapping[TaskKey, Any]
) -> dict[TaskKey, tuple[str | None, str | None]]:
    """Return connection and budget of tasks: as they were rendered, else as the serialized DAG has them."""
    keys = {task: (dag_id, run_id, *task, timestamp) for task, timestamp in tasks.items()}
    found = {task: _fields[key] for task, key in keys.items() if key in _fields}
    missing = tasks.keys() - found.keys()
    if missing:
        table = RenderedTaskInstanceFields
        rows = session.execute(
            select(table.task_id, table.map_index, table.rendered_fields).where(
                table.dag_id == dag_id,
                table.run_id == run_id,
                table.task_id.in_({task.task_id for task in missing}),
            )
        )
        for task_id, map_index, rendered in rows:
            task = TaskKey(task_id, map_index)
            if task in missing and isinstance(rendered, dict):
                found[task] = _select_fields(rendered)
                _fields[keys[task]] = found[task]
        while len(_fields) > _MAX_CACHED_FIELDS:
            _fields.popitem(last=False)
    if missing := tasks.keys() - found.keys():
        serialized = _serialized_fields(session, dag_id)
        found |= {task: serialized.get(task.task_id, (None, None)) for task in missing}
    return found


def _serialized_fields(session: Any, dag_id: str) -> dict[str, tuple[str | None, str | None]]:
    """Return connection and budget by task id, from the serialized DAG."""
    row = SerializedDagModel.get(dag_id, session=session)
    data: Any = row.data if row else None
    tasks = data["dag"]["tasks"] if data else []
    variables = {task["__var"]["task_id"]: task["__var"] for task in tasks}
    return {
        task_id: _select_fields({**values, **values.get("partial_kwargs", {})})
        for task_id, values in variables.items()
    }


def _select_fields(fields: Mapping[str, Any]) -> tuple[str | None, str | None]:
    conn_id, max_cost = (fields.get(name) for name in _FIELDS)
    return _plain(conn_id), _plain(max_cost)


def _plain(value: Any) -> str | None:
    """Return a field as text; None for a template that was not rendered, and for what is neither."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        text = str(value)
        return text if text and "{{" not in text and len(text) <= _MAX_TEXT_CHARS else None
    return None
