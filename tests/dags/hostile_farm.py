"""Renders that wait, deferred and on a worker, each kind with a connection of its own."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_provider_renderbus.compat import dag
from airflow_provider_renderbus.operators import RenderbusRenderOperator
from airflow_provider_renderbus.task_json import build_task_json

DEFERRED = ("deferred_1", "deferred_2", "deferred_3")
WAITING = ("waiting",)
POLL_INTERVAL = 0.2


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC))
def hostile_farm():
    for name in (*DEFERRED, *WAITING):
        RenderbusRenderOperator(
            task_id=name,
            renderbus_conn_id="deferred" if name in DEFERRED else "waiting",
            task_json=build_task_json(
                software="Houdini",
                version="20.0.547",
                scene=f"/mnt/{name}.hip",
                rop_nodes=["/out/karma1"],
                frames="1-4",
                width=64,
                height=36,
            ),
            deferrable=name in DEFERRED,
            poll_interval=POLL_INTERVAL,
        )


hostile_farm()
