"""Everything that waits for a render, in every mode, to be killed while it does.

``conf`` of the run holds the arguments of each task: a connection, a task.json, or the id of a render. Four
DAGs with the same tasks, because some types of kill are arguments of tasks and DAGs.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_renderbus.compat import DAG
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from airflow_provider_renderbus.operators.tasks import RenderbusSubmitTaskOperator
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor

MODES = {"waiting": False, "deferred": True}


def argument(task_id: str, field: str) -> str:
    """Return the template of a task's argument."""
    return f"{{{{ dag_run.conf['{task_id}'][[ti.map_index, 0] | max]['{field}'] }}}}"


def kills(dag_id: str, dag_options: dict[str, Any], task_options: dict[str, Any]) -> DAG:
    """Return a DAG with everything that waits."""
    with DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), **dag_options) as dag:
        for mode, deferrable in MODES.items():
            options = {"deferrable": deferrable, "retries": 0, **task_options}
            for name in (f"render.{mode}", f"render.{mode}.mapped"):
                render = {
                    "task_id": name,
                    "task_json": argument(name, "task_json"),
                    "poll_interval": 1,
                    **options,
                }
                conn_id = argument(name, "connection")
                if name.endswith("mapped"):
                    # Both items are this template, which each renders with its own index.
                    RenderbusRenderOperator.partial(**render).expand(renderbus_conn_id=[conn_id, conn_id])
                else:
                    RenderbusRenderOperator(renderbus_conn_id=conn_id, **render)
            submit = f"submit.{mode}"
            RenderbusSubmitTaskOperator(
                task_id=submit,
                render_task_id=argument(submit, "render_task_id"),
                renderbus_conn_id=argument(submit, "connection"),
                wait_for_completion=True,
                poll_interval=1,
                **options,
            )
            for name, cancel_on_kill in ((f"sensor.{mode}", True), (f"sensor_default.{mode}", False)):
                RenderbusTaskSensor(
                    task_id=name,
                    render_task_id=argument(name, "render_task_id"),
                    renderbus_conn_id=argument(name, "connection"),
                    poke_interval=1,
                    cancel_on_kill=cancel_on_kill,
                    **options,
                )
    return dag


PLAIN = kills("kills", {}, {})
EXECUTION_TIMEOUT = kills("kills_execution_timeout", {}, {"execution_timeout": timedelta(seconds=40)})
DAGRUN_TIMEOUT = kills("kills_dagrun_timeout", {"dagrun_timeout": timedelta(minutes=30)}, {})
RETRY = kills("kills_retry", {}, {"retries": 1, "retry_delay": timedelta(0)})
