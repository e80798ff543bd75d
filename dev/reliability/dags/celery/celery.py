"""Deferrable renders with uploads and downloads, as the run's ``conf`` describes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_renderbus.compat import dag, task
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator


@task(retries=10, retry_delay=timedelta(seconds=5))
def renders(dag_run: Any = None) -> list[dict[str, Any]]:
    """Return the arguments of the renders of this run."""
    arguments: list[dict[str, Any]] = dag_run.conf["renders"]
    return arguments


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), max_active_tasks=1000)
def celery() -> None:
    """Render while servers and machines come and go."""
    RenderbusRenderOperator.partial(
        task_id="render",
        deferrable=True,
        poll_interval=5,
        retries=10,
        retry_delay=timedelta(seconds=5),
        timeout=timedelta(hours=1),
    ).expand_kwargs(renders())


celery()
