"""All operators, and a `@task` that requests secrets. The last task writes the results to a file.

One farm renders; on the other, with a manual clock, actions are run on two tasks.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.secret import find_secrets
from airflow_provider_renderbus.compat import chain, dag, task
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators import task_actions as actions
from airflow_provider_renderbus.operators.download_frames import RenderbusDownloadFramesOperator
from airflow_provider_renderbus.operators.leftovers import RenderbusStopLeftoversOperator
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from airflow_provider_renderbus.operators.tasks import (
    RenderbusCreateTaskOperator,
    RenderbusPreflightOperator,
    RenderbusSubmitTaskOperator,
    RenderbusUploadTaskJsonOperator,
)
from airflow_provider_renderbus.operators.transfers import (
    RenderbusListOutputsOperator,
    RenderbusUploadAssetsOperator,
)
from tests.airflow_version import redact
from tests.scenes import make_task_json

# In this order, on the farm with a manual clock; the last two use one of the tasks each.
ACTIONS = {
    "SetPriority": {"priority": "{{ 50 + 10 }}"},
    "SetMachineLimit": {"max_machines": "{{ 1 + 2 }}"},
    "StopFrames": {"frames": ["{{ 1 + 1 }}"]},
    "RecommitFrames": {},
    "StopTask": {},
    "StartTask": {},
    "FullSpeed": {},
    "AbandonTask": {"render_task_id": "{{ ti.xcom_pull(task_ids='create')[0] }}"},
    "DeleteTask": {"render_task_id": "2W{{ ti.xcom_pull(task_ids='create')[1] }}"},
}


@task
def redact_secrets():
    """Return the secrets of responses as Airflow redacts them: `airflow dags test` does not mask its log."""
    requests = [calls.get_transfer_config(), calls.get_raysync_user_key()]
    responses = [RenderbusHook().send(call) for call in requests]
    return [redact(f"password: {secret.get_secret_value()}") for secret in find_secrets(responses)]


@task
def write_results(results):
    Path(os.environ["RESULTS_FILE"]).write_text(
        json.dumps(results, default=list)
    )  # results of mapped tasks are lazy sequences


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC))
def every_operator():
    on_idle_farm = {"renderbus_conn_id": "renderbus_{{ 'idle' }}"}
    create = RenderbusCreateTaskOperator(
        task_id="create", count="{{ 1 + 1 }}", artist="{{ dag.dag_id }}", **on_idle_farm
    )
    upload = RenderbusUploadTaskJsonOperator.partial(
        task_id="upload", task_json=make_task_json("{{ dag.dag_id }}"), **on_idle_farm
    ).expand(render_task_id=create.output)
    submit = RenderbusSubmitTaskOperator.partial(
        task_id="submit", artist="{{ dag.dag_id }}", **on_idle_farm
    ).expand(render_task_id=create.output)
    orders = [
        getattr(actions, f"Renderbus{name}Operator")(
            task_id=name, **{"render_task_id": create.output, **options, **on_idle_farm}
        )
        for name, options in ACTIONS.items()
    ]
    chain(upload, submit, *orders)

    renders = [
        RenderbusRenderOperator(
            task_id=f"render_{mode}",
            task_json=json.dumps(make_task_json(f"{{{{ dag.dag_id }}}}_{mode}")),
            labels=["{{ dag.dag_id }}"],
            artist="{{ dag.dag_id }}",
            deferrable=mode == "deferred",
        )
        for mode in ("waiting", "deferred")
    ]
    create_one = RenderbusCreateTaskOperator(task_id="create_one")
    upload_one = RenderbusUploadTaskJsonOperator(
        task_id="upload_one", render_task_id=create_one.output, task_json=make_task_json()
    )
    submit_one = RenderbusSubmitTaskOperator(
        task_id="submit_one",
        render_task_id="2W{{ ti.xcom_pull(task_ids='create_one') }}",
        wait_for_completion=True,
        deferrable=False,
    )
    outputs = RenderbusListOutputsOperator(
        task_id="outputs",
        render_task_id="{{ ti.xcom_pull(task_ids='submit_one')['render_task_id'] }}",
        pattern="*_000{{ 1 + 2 }}.png",
    )
    transfers = {
        "line": "{{ 'Aspera' }}_main",
        "speed_limit_kb_per_s": "{{ 1000 * 2 }}",
        "stall_timeout": "{{ 30 + 30 }}",
    }
    send = RenderbusUploadAssetsOperator(task_id="send", assets=["{{ dag.fileloc }}"], **transfers)
    fetch = RenderbusDownloadFramesOperator(
        task_id="fetch",
        render_task_id="{{ ti.xcom_pull(task_ids='submit_one')['render_task_id'] }}",
        folder=f"{Path(os.environ['RESULTS_FILE']).parent}/{{{{ dag.dag_id }}}}",
        pattern="*_000{{ 1 + 2 }}.png",
        **transfers,
    )
    chain(upload_one, submit_one, [outputs, fetch])

    # Nothing is left over: the tasks that wait are active, and the other renders have no marker.
    leftovers = RenderbusStopLeftoversOperator(task_id="leftovers", dag_ids=["{{ dag.dag_id }}"])
    preflight = RenderbusPreflightOperator(task_id="preflight", renders=[make_task_json("preflight")])
    operators = (
        leftovers,
        preflight,
        create,
        upload,
        submit,
        *orders,
        *renders,
        create_one,
        submit_one,
        outputs,
        send,
        fetch,
    )
    write_results({"redact_secrets": redact_secrets(), **{each.task_id: each.output for each in operators}})


every_operator()
