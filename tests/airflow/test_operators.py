"""The operators that create, upload and submit a task."""

import json
from datetime import timedelta

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException, TaskDeferred
from airflow_provider_renderbus.operators.tasks import (
    RenderbusCreateTaskOperator,
    RenderbusSubmitTaskOperator,
    RenderbusUploadTaskJsonOperator,
)
from airflow_provider_renderbus.renders.results import Outcome, WaitResult, summary
from tests.airflow.context import context
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection")


def info(client, render_task_id):
    return client.send(calls.query_task_info([render_task_id]))[render_task_id]


def test_create_returns_render_task_id(client):
    render_task_id = RenderbusCreateTaskOperator(task_id="create", labels=["nightly"], artist="Ada").execute(
        context()
    )
    assert info(client, render_task_id).submitted_at is None


def test_create_several_returns_list():
    render_task_ids = RenderbusCreateTaskOperator(task_id="create", count=3).execute(context())
    assert len(set(render_task_ids)) == 3


def test_create_invalid_argument_fails_without_retries():
    with pytest.raises(AirflowFailException, match=r"^priority: must be one of 50, 60"):
        RenderbusCreateTaskOperator(task_id="create", priority=1).execute(context())


@pytest.mark.parametrize("content", [make_task_json(), json.dumps(make_task_json())], ids=["mapping", "text"])
def test_upload_task_json_is_completed_and_renders(farm, client, created, content):
    upload = RenderbusUploadTaskJsonOperator(task_id="upload", render_task_id=created, task_json=content)
    sizes = upload.execute(context())
    assert list(sizes) == ["task.json"]
    client.send(calls.submit_task(created))
    farm.advance(3600)
    assert info(client, created).status is TaskStatus.FINISHED


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "must be JSON"),
        ("[]", "must be a JSON object, got list"),
        ({}, r"\$\.task_info"),
        ({"task_info": []}, r"\$\.task_info: must be an object"),
    ],
)
def test_upload_invalid_task_json_fails_without_retries(content, message):
    with pytest.raises(AirflowFailException, match=message):
        RenderbusUploadTaskJsonOperator(task_id="upload", render_task_id=1, task_json=content).execute(
            context()
        )


def test_submit_returns_id_and_starts_render(farm, client, created):
    assert (
        RenderbusSubmitTaskOperator(task_id="submit", render_task_id=str(created)).execute(context())
        == created
    )
    statuses = set()
    while TaskStatus.FINISHED not in statuses:
        farm.advance(10)
        statuses.add(info(client, created).status)
    assert TaskStatus.RENDERING in statuses


def test_submit_submitted_task_reattaches(farm, client, submitted):
    farm.advance(3600)
    cost = info(client, submitted).cost
    assert (
        RenderbusSubmitTaskOperator(task_id="submit", render_task_id=submitted).execute(context())
        == submitted
    )
    farm.advance(3600)
    assert info(client, submitted).cost == cost


def test_submit_without_task_json_fails_without_retries(client):
    render_task_id = client.send(calls.create_task()).ids[0]
    with pytest.raises(AirflowFailException, match="the farm responded with code 601"):
        RenderbusSubmitTaskOperator(task_id="submit", render_task_id=render_task_id).execute(context())


def test_submit_waits_on_worker_and_returns_result(farm, created, hook_sleeps):
    hook_sleeps(farm.advance)
    submit = RenderbusSubmitTaskOperator(
        task_id="submit", render_task_id=created, wait_for_completion=True, poll_interval=60
    )
    result = submit.execute(context())
    assert (result["render_task_id"], result["state"], result["frames"]["done"]) == (created, "FINISHED", 4)


def test_submit_wait_on_worker_times_out(created):
    submit = RenderbusSubmitTaskOperator(
        task_id="submit", render_task_id=created, wait_for_completion=True, timeout=1e-6
    )
    with pytest.raises(AirflowException, match="Timed out waiting"):
        submit.execute(context())


@pytest.mark.parametrize("value", [0, -1, timedelta(0), timedelta(days=-1), "soon"])
@pytest.mark.parametrize("name", ["timeout", "max_duration"])
def test_submit_invalid_duration_raises_at_parse_time(name, value):
    with pytest.raises(ValueError, match=f"^{name}: must be a positive number of seconds"):
        RenderbusSubmitTaskOperator(task_id="submit", render_task_id=1, **{name: value})


def test_submit_waits_in_triggerer_and_returns_result(created, client, farm):
    submit = RenderbusSubmitTaskOperator(
        task_id="submit", render_task_id=created, wait_for_completion=True, deferrable=True, timeout=3600
    )
    with pytest.raises(TaskDeferred) as deferred:
        submit.execute(context())
    assert deferred.value.trigger.render_task_ids == [created]
    assert deferred.value.timeout.total_seconds() > 3600
    farm.advance(3600)
    result = summary(info(client, created))
    event = WaitResult(Outcome.SUCCEEDED, "done", [result]).to_dict()
    returned = submit.execute_complete(context(), event, **deferred.value.kwargs)
    assert returned == {**result, "console_url": f"http://{farm.address}/task/{created}", "failed_frames": []}


def test_submit_invalid_poll_interval_submits_nothing(client, created):
    submit = RenderbusSubmitTaskOperator(
        task_id="submit",
        render_task_id=created,
        wait_for_completion=True,
        deferrable=True,
        poll_interval="often",
    )
    with pytest.raises(AirflowFailException, match="often"):
        submit.execute(context())
    assert info(client, created).submitted_at is None
