"""Stop renders that nothing waits for any more, every hour.

A kill can miss a render, e.g. if a worker gets SIGKILL and has no retry left. This DAG finds the renders of
other DAGs that still run although their Airflow task has ended, and stops them. Set STOP to False to have
them only logged and returned.

It needs the connection `renderbus_default`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import dag

from airflow_provider_renderbus.operators import RenderbusStopLeftoversOperator

DAG_IDS = ["render_passes", "render_and_composite"]
STOP = True


@dag(
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["renderbus", "example"],
    doc_md=__doc__,
)
def stop_leftovers() -> None:
    """Stop what is left of the other DAGs."""
    RenderbusStopLeftoversOperator(task_id="stop", dag_ids=DAG_IDS, stop=STOP, retries=2)


stop_leftovers()
