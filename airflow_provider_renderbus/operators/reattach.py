"""What an operator reads off Airflow's context to find the render of an earlier try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.renders.reattach import ArtistMarkerStore, TaskStateStore

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_renderbus.renders.client import RenderClient
    from airflow_provider_renderbus.renders.reattach import RenderStore


def render_store(context: Context, client: RenderClient) -> RenderStore:
    """Return the store that this version of Airflow has for the render of a task."""
    ti = context["ti"]
    store: Any = context.get("task_state_store")
    if store is not None:
        return TaskStateStore(store, ti.max_tries)
    return ArtistMarkerStore(
        client,
        (ti.dag_id, ti.run_id, ti.task_id, str(ti.map_index)),
        ti.max_tries,
        # Airflow 2 has no run_after; the logical date of a run is never after its start.
        getattr(context["dag_run"], "run_after", None) or context["logical_date"],
        is_first_try_after_clear=is_first_try_after_clear(context),
    )


def is_first_try_after_clear(context: Context) -> bool:
    """Return whether a try is no retry: the first of all, or the first after a clear by a user.

    A clear sets ``max_tries`` to the number of tries so far plus the task's retries.
    """
    ti = context["ti"]
    return bool(ti.try_number == ti.max_tries - (context["task"].retries or 0) + 1)
