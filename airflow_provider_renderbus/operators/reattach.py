"""Reads off Airflow's context where the render of an earlier try is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.cancel_on_kill import is_first_try_after_clear
from airflow_provider_renderbus.renders.reattach import RenderMarker, RenderStore

if TYPE_CHECKING:
    from airflow_provider_renderbus.compat import Context
    from airflow_provider_renderbus.renders.client import RenderClient

# The time zone of the farm's list is not documented: the search starts early, and compares no times.
_SEARCH_MARGIN = timedelta(days=2)
NEVER_EXPIRE = timedelta.max
"""That of Airflow 3.3, which recognizes this object."""


def render_store(context: Context, client: RenderClient) -> RenderStore:
    """Return where this version of Airflow stores the render of a task."""
    ti = context["ti"]
    dag_run = context["dag_run"]
    # Neither moves if the run is cleared. Airflow 2 has no run_after.
    run_after = getattr(dag_run, "run_after", None) or context["logical_date"]
    # A run that starts ahead of its date, or is cleared, has another start.
    started = getattr(dag_run, "start_date", None) or datetime.fromtimestamp(client.clock.now(), UTC)
    marker = RenderMarker(
        (ti.dag_id, ti.run_id, run_after.isoformat()), (ti.task_id, str(ti.map_index)), ti.max_tries
    )
    store: Any = context.get("task_state_store")
    return RenderStore(
        client,
        marker,
        min(run_after, started) - _SEARCH_MARGIN,
        None if store is None else _LastingStore(store),
        ti.max_tries,
        is_first_try_after_clear=is_first_try_after_clear(context),
    )


def upload_memory_key(ti: Any) -> str:
    """Return the key of the uploads of an Airflow task: its retries continue, other tasks and clears do not.

    Another worker may have sent another version of a file meanwhile, which this one cannot know.
    """
    return "\0".join(map(str, (ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.max_tries)))


class _LastingStore:
    """Airflow's task state store. What is stored outlives ``[state_store] default_retention_days``."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def get(self, key: str) -> Any:
        return self._store.get(key)

    def set(self, key: str, value: Any) -> None:
        self._store.set(key, value, retention=NEVER_EXPIRE)
