"""Render test frames, show them to a supervisor in Airflow's UI, and render the others after the approval.

The render pauses after its first, middle and last frame. A request for approval (in Airflow's UI under
"Required Actions") has what they cost and what "Approve" will spend. "Approve" requests full speed, "Reject"
abandons the render. While it is paused it costs nothing, however long the approval takes.

It needs Airflow 3.1 or later, the connection `renderbus_default`, and a scene in the farm's input storage.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag

from airflow_provider_renderbus.operators import (
    RenderbusAbandonTaskOperator,
    RenderbusApproveFramesOperator,
    RenderbusCreateTaskOperator,
    RenderbusFullSpeedOperator,
    RenderbusSubmitTaskOperator,
    RenderbusUploadTaskJsonOperator,
)
from airflow_provider_renderbus.sensors import RenderbusTaskSensor
from airflow_provider_renderbus.task_json import build_task_json

SHOT = "sh010"
MAX_COST = "20"


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    tags=["renderbus", "example"],
    doc_md=__doc__,
)
def approve_test_frames() -> None:
    """Render the test frames, ask for approval, then render the others or abandon the render."""
    create = RenderbusCreateTaskOperator(task_id="create", labels=[SHOT])
    upload = RenderbusUploadTaskJsonOperator(
        task_id="upload",
        render_task_id=create.output,
        task_json=build_task_json(
            software="Blender",
            version="4.2",
            scene=f"D:/projects/{SHOT}.blend",
            frames="1-24",
            width=960,
            height=540,
            image_format="PNG",
            test_frames="111",
            pause_after_test_frames=True,
        ),
    )
    test_frames = RenderbusSubmitTaskOperator(
        task_id="test_frames",
        render_task_id=create.output,
        wait_for_completion=True,
        on_test_frames_done="succeed",
        deferrable=True,
    )
    approve = RenderbusApproveFramesOperator(
        task_id="approve",
        render_task_id=create.output,
        max_cost=MAX_COST,
        subject=f"Do the test frames of {SHOT} look right?",
        options_mapping={"Approve": "full_speed", "Reject": "abandon"},
    )
    full_speed = RenderbusFullSpeedOperator(task_id="full_speed", render_task_id=create.output)
    wait = RenderbusTaskSensor(
        task_id="wait",
        render_task_id=create.output,
        max_cost=MAX_COST,
        deferrable=True,
        cancel_on_kill=True,
    )
    abandon = RenderbusAbandonTaskOperator(task_id="abandon", render_task_id=create.output)
    upload >> test_frames >> approve
    approve >> [full_speed, abandon]
    full_speed >> wait


approve_test_frames()
