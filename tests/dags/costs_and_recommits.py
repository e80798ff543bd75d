"""Budgets, insufficient funds, recommits and test frames: plain and layered, waiting and deferrable.

Each task is named CASE.JOB.MODE, and so is its scene, by which the farm's scenario selects the behavior.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow_provider_renderbus.compat import dag
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from airflow_provider_renderbus.task_json import build_task_json

FRAMES_OVER_BUDGET = 40
RETRIES = 2
CASES = {
    "over_budget": {"max_cost": "0.02"},
    "no_funds": {"min_funds": "{{ 100000 }}"},
    "insufficient_funds": {},
    "top_up": {"on_insufficient_funds": "wait"},
    "failed": {},
    "accept": {"on_failed_frames": "accept"},
    "recommit": {"on_failed_frames": "recommit"},
    "full_speed": {"on_test_frames_done": "full_speed"},
}
JOBS = {
    "plain": {"software": "Blender", "version": "4.2", "scene": "D:/{}.blend"},
    "layered": {
        "software": "Maya",
        "version": "2024",
        "scene": "/mnt/{}.ma",
        "renderer": "arnold",
        "plugins": {"mtoa": "5.3.4"},
        "layers": ["beauty", "shadow"],
    },
}
MODES = {"waiting": False, "deferrable": True}
# Each of their renders has an account of its own: the farm creates no task for one without funds.
CASES_WITH_LOW_FUNDS = ("insufficient_funds", "top_up")


def connection_of(name):
    """The connection of a render."""
    has_own = name.startswith(CASES_WITH_LOW_FUNDS)
    return name.replace(".", "_") if has_own else "renderbus_default"


def task_json_of(case, job, name):
    return build_task_json(
        frames=range(1, 1 + (FRAMES_OVER_BUDGET if case == "over_budget" else 8)),
        width=64,
        height=36,
        **JOBS[job] | {"scene": JOBS[job]["scene"].format(name)},
        **({"test_frames": "101", "pause_after_test_frames": True} if case == "full_speed" else {}),
    )


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC))
def costs_and_recommits():
    for case, options in CASES.items():
        for job in JOBS:
            for mode, deferrable in MODES.items():
                name = f"{case}.{job}.{mode}"
                RenderbusRenderOperator(
                    task_id=name,
                    task_json=task_json_of(case, job, name),
                    deferrable=deferrable,
                    timeout=300,
                    retries=RETRIES,
                    retry_delay=timedelta(seconds=1),
                    renderbus_conn_id=connection_of(name),
                    **options,
                )


costs_and_recommits()
