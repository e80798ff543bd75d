"""Renders of a list of shots that changes between the tries of a DAG run."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from airflow_provider_renderbus.operators import RenderbusRenderOperator
from airflow_provider_renderbus.task_json import build_task_json

try:
    from airflow.sdk import dag, task
except ImportError:
    from airflow.decorators import dag, task

SHOTS = Path(__file__).with_name("shots.txt")
START = datetime(2026, 1, 1)  # noqa: DTZ001 - Airflow gives it its own time zone
OPTIONS = {"poll_interval": 1, "retries": 0}
MODES = {"waiting": {"deferrable": False}, "deferrable": {"deferrable": True}}


@task
def jobs():
    return [
        build_task_json(
            software="Blender", version="4.2", scene=f"/mnt/{shot}.blend", frames="1-4", width=64, height=36
        )
        for shot in SHOTS.read_text().split()
    ]


@task
def first_job(listed):
    return listed[0]


@dag(schedule=None, start_date=START, catchup=False)
def shots():
    listed = jobs()
    first = first_job(listed)
    for mode, options in MODES.items():
        RenderbusRenderOperator.partial(task_id=f"mapped_{mode}", **OPTIONS, **options).expand(
            task_json=listed
        )
        RenderbusRenderOperator(task_id=f"plain_{mode}", task_json=first, **OPTIONS, **options)


@dag(schedule=None, start_date=START, catchup=False)
def single():
    RenderbusRenderOperator(task_id="render", task_json=first_job(jobs()), **OPTIONS, deferrable=True)


shots()
single()
