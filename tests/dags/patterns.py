"""A night of shots by ``@task.renderbus``, and a budget in each pattern: one operator, steps, decorated.

Each render of the DAG `budgets` has a scene named PATTERN.MODE, and would cost far more than its budget.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow_provider_renderbus.compat import dag, task
from airflow_provider_renderbus.operators import (
    RenderbusCreateTaskOperator,
    RenderbusRenderOperator,
    RenderbusSubmitTaskOperator,
    RenderbusUploadTaskJsonOperator,
)
from airflow_provider_renderbus.sensors import RenderbusTaskSensor
from airflow_provider_renderbus.task_json import build_task_json

SHOTS = ["sh010", "sh020", "sh030", "sh040", "sh050"]
FRAMES = 200
RETRIES = 2
MAX_COST = "0.02"
# Nobody renders a template in what the function returns.
NOT_RENDERED = "{{ run_id }}"
MODES = {"waiting": False, "deferrable": True}
START = datetime(2026, 1, 1, tzinfo=UTC)


def task_json_of(name: str, frames: str) -> dict:
    return build_task_json(
        software="Houdini",
        version="20.0.547",
        scene=f"/mnt/{name}.hip",
        rop_nodes=["/out/karma1"],
        frames=frames,
        width=64,
        height=36,
    )


@dag(schedule=None, start_date=START)
def decorated_night():
    @task.renderbus(
        labels=["{{ task.op_kwargs['name'] }}"],
        artist="{{ task.op_kwargs['name'] }}",
        max_cost="{{ 5 }}",
        deferrable=True,
        # Under load, Airflow on SQLite sometimes loses a try; the next one reattaches.
        retries=RETRIES,
        retry_delay=timedelta(seconds=1),
    )
    def shot(name, prefix, dag_run=None) -> dict:
        assert dag_run is not None
        return task_json_of(f"{prefix}_{name}{NOT_RENDERED}", "1-2")

    shot.partial(prefix="{{ 'night' }}").expand(name=SHOTS)


@dag(schedule=None, start_date=START)
def budgets():
    for mode, deferrable in MODES.items():
        frames = f"1-{FRAMES}"
        RenderbusRenderOperator(
            task_id=f"one_operator.{mode}",
            task_json=task_json_of(f"one_operator.{mode}", frames),
            max_cost=MAX_COST,
            deferrable=deferrable,
            retries=RETRIES,
        )

        @task.renderbus(
            task_id=f"decorated.{mode}", max_cost=MAX_COST, deferrable=deferrable, retries=RETRIES
        )
        def decorated(name):
            return task_json_of(name, f"1-{FRAMES}")

        decorated(f"decorated.{mode}")

        create = RenderbusCreateTaskOperator(task_id=f"create.{mode}")
        upload = RenderbusUploadTaskJsonOperator(
            task_id=f"upload.{mode}",
            render_task_id=create.output,
            task_json=task_json_of(f"steps.{mode}", frames),
        )
        submit = RenderbusSubmitTaskOperator(task_id=f"submit.{mode}", render_task_id=create.output)
        wait = RenderbusTaskSensor(
            task_id=f"steps.{mode}",
            render_task_id=submit.output,
            max_cost=MAX_COST,
            cancel_on_kill=True,
            deferrable=deferrable,
            retries=RETRIES,
        )
        upload >> submit >> wait


decorated_night()
budgets()
