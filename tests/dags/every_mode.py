"""A render with every sensor in every mode. The last task writes the results of the others to a file."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from airflow_provider_renderbus.compat import dag, task
from airflow_provider_renderbus.operators.tasks import (
    RenderbusCreateTaskOperator,
    RenderbusSubmitTaskOperator,
    RenderbusUploadTaskJsonOperator,
)
from airflow_provider_renderbus.sensors.conditions import (
    RenderbusFramesSensor,
    RenderbusFundsSensor,
    RenderbusOutputSensor,
)
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from tests.scenes import make_task_json

RENDER_TASK_ID = "{{ ti.xcom_pull(task_ids='create') }}"
SENSORS = {
    RenderbusTaskSensor: {"render_task_id": RENDER_TASK_ID},
    RenderbusFramesSensor: {"render_task_id": RENDER_TASK_ID, "min_fraction": "{{ 1 / 2 }}"},
    RenderbusOutputSensor: {
        "render_task_id": RENDER_TASK_ID,
        "pattern": "*.{{ 'png' }}",
        "min_files": "{{ 2 + 2 }}",
    },
    RenderbusFundsSensor: {"min_funds": "{{ 1 }}"},
}
MODES = {"poke": {"mode": "poke"}, "reschedule": {"mode": "reschedule"}, "deferred": {"deferrable": True}}


@task
def write_results(results):
    Path(os.environ["RESULTS_FILE"]).write_text(json.dumps(results))


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC))
def every_mode():
    create = RenderbusCreateTaskOperator(task_id="create", labels=["{{ dag.dag_id }}"])
    upload = RenderbusUploadTaskJsonOperator(
        task_id="upload", render_task_id=RENDER_TASK_ID, task_json=make_task_json("{{ dag.dag_id }}")
    )
    submit = RenderbusSubmitTaskOperator(
        task_id="submit",
        render_task_id=create.output,
        wait_for_completion=True,
        deferrable=True,
        poll_interval=0.1,
    )
    create >> upload >> submit
    sensors = [
        kind(task_id=f"{kind.__name__}.{mode}", poke_interval=1, **arguments, **options)
        for kind, arguments in SENSORS.items()
        for mode, options in MODES.items()
    ]
    submit >> sensors
    write_results({each.task_id: each.output for each in (create, upload, submit, *sensors)})


every_mode()
