import json
from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, TaskDeferred

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.operators.tasks import (
    RenderbusCreateTaskOperator,
    RenderbusSubmitTaskOperator,
    RenderbusUploadTaskJsonOperator,
)
from airflow_provider_renderbus.renders.results import Outcome, WaitResult, summary
from tests.airflow.context import context
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection")


def info(client, number):
    return client.send(calls.query_task_info([number]))[number]


def test_create_returns_the_number(client):
    number = RenderbusCreateTaskOperator(task_id="create", labels=["nightly"], artist="Ada").execute(
        context()
    )
    assert info(client, number).submitted_at is None


def test_create_returns_a_list_where_several_are_wanted():
    numbers = RenderbusCreateTaskOperator(task_id="create", count=3).execute(context())
    assert len(set(numbers)) == 3


def test_wrong_arguments_fail_without_a_retry():
    with pytest.raises(AirflowFailException, match=r"^priority: must be one of 50, 60"):
        RenderbusCreateTaskOperator(task_id="create", priority=1).execute(context())


@pytest.mark.parametrize("given", [make_task_json(), json.dumps(make_task_json())], ids=["mapping", "text"])
def test_upload_fills_in_what_only_the_farm_and_the_connection_know(farm, client, created, given):
    upload = RenderbusUploadTaskJsonOperator(task_id="upload", render_task_id=created, task_json=given)
    sizes = upload.execute(context())
    assert list(sizes) == ["task.json"]
    client.send(calls.submit_task(created))
    farm.advance(3600)
    assert info(client, created).status is TaskStatus.FINISHED


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{", "must be JSON"),
        ("[]", "must be a JSON object, got list"),
        ({}, r"\$\.task_info"),
        ({"task_info": []}, r"\$\.task_info: must be an object"),
    ],
)
def test_a_wrong_file_fails_without_a_retry(given, message):
    with pytest.raises(AirflowFailException, match=message):
        RenderbusUploadTaskJsonOperator(task_id="upload", render_task_id=1, task_json=given).execute(
            context()
        )


def test_submit_returns_the_number_and_starts_the_render(farm, client, created):
    assert (
        RenderbusSubmitTaskOperator(task_id="submit", render_task_id=str(created)).execute(context())
        == created
    )
    seen = set()
    while TaskStatus.FINISHED not in seen:
        farm.advance(10)
        seen.add(info(client, created).status)
    assert TaskStatus.RENDERING in seen


def test_a_task_that_is_submitted_is_taken_up_and_not_submitted_again(farm, client, submitted):
    farm.advance(3600)
    cost = info(client, submitted).cost
    assert (
        RenderbusSubmitTaskOperator(task_id="submit", render_task_id=submitted).execute(context())
        == submitted
    )
    farm.advance(3600)
    assert info(client, submitted).cost == cost


def test_submit_without_a_task_json_fails_without_a_retry(client):
    number = client.send(calls.create_task()).ids[0]
    with pytest.raises(AirflowFailException, match="the farm responded with code 601"):
        RenderbusSubmitTaskOperator(task_id="submit", render_task_id=number).execute(context())


def test_submit_can_wait_on_the_worker(farm, created, hook_sleeps):
    hook_sleeps(farm.advance)
    submit = RenderbusSubmitTaskOperator(
        task_id="submit", render_task_id=created, wait_for_completion=True, poll_interval=60
    )
    result = submit.execute(context())
    assert (result["render_task_id"], result["state"], result["frames"]["done"]) == (created, "FINISHED", 4)


def test_waiting_on_the_worker_ends_at_the_time_out(created):
    submit = RenderbusSubmitTaskOperator(
        task_id="submit", render_task_id=created, wait_for_completion=True, timeout=1e-6
    )
    with pytest.raises(AirflowException, match="Timed out waiting"):
        submit.execute(context())


@pytest.mark.parametrize("none", [0, -1, timedelta(0), timedelta(days=-1), "soon"])
@pytest.mark.parametrize("name", ["timeout", "max_duration"])
def test_a_time_that_is_none_is_named_when_the_dag_is_parsed(name, none):
    with pytest.raises(ValueError, match=f"^{name}: must be a positive number of seconds"):
        RenderbusSubmitTaskOperator(task_id="submit", render_task_id=1, **{name: none})


def test_submit_can_wait_in_the_triggerer(created, client, farm):
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


def test_what_could_not_be_deferred_is_refused_before_anything_is_submitted(client, created):
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
