"""Renders as the DAG run's ``conf`` describes them: a mapped task each, in one DAG."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_renderbus.compat import dag, task
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator


@task
def renders(dag_run: Any = None) -> list[dict[str, Any]]:
    """Return the arguments of the renders of this run."""
    arguments: list[dict[str, Any]] = dag_run.conf["renders"]
    return arguments


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), max_active_tasks=1000)
def crash() -> None:
    """Render, and be killed meanwhile."""
    RenderbusRenderOperator.partial(
        task_id="render", retries=5, retry_delay=timedelta(0), timeout=timedelta(minutes=10)
    ).expand_kwargs(renders())


crash()
