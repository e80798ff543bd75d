"""What each code of the desktop client does to a call that spends: requests sent, end of the Airflow task."""

import json

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import code_info
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException
from airflow_provider_renderbus.operators import task_actions
from airflow_provider_renderbus.operators.tasks import (
    RenderbusCreateTaskOperator,
    RenderbusSubmitTaskOperator,
)
from tests.airflow.context import context
from tests.api.test_errors import CLASSES
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection")

FINAL, RETRIED, SUCCESS = "fails without retries", "fails, may be retried", "succeeds"
# Per call and class: requests sent, end of the task. "Unknown" is an undocumented code.
TABLE = {
    "create_task": {
        "permanently refused": (1, FINAL),
        "lack of money": (1, FINAL),
        "transient": (5, RETRIED),
        "under way": (1, RETRIED),
        "nothing to do": (1, RETRIED),
        "failed": (1, RETRIED),
        "unknown": (1, RETRIED),
    },
    "submit_task": {
        "permanently refused": (1, FINAL),
        "lack of money": (1, FINAL),
        "transient": (2, RETRIED),
        "under way": (1, RETRIED),
        "nothing to do": (1, RETRIED),
        "failed": (1, RETRIED),
        "unknown": (1, RETRIED),
    },
    "start_task": {
        "permanently refused": (1, FINAL),
        "lack of money": (1, FINAL),
        "transient": (5, RETRIED),
        "under way": (1, RETRIED),
        "nothing to do": (1, SUCCESS),
        "failed": (1, RETRIED),
        "unknown": (1, RETRIED),
    },
    "stop_task": {
        "permanently refused": (1, FINAL),
        "lack of money": (1, FINAL),
        "transient": (22, RETRIED),
        "under way": (22, RETRIED),
        "nothing to do": (22, RETRIED),
        "failed": (22, RETRIED),
        "unknown": (22, RETRIED),
    },
    "recommit_frames": {
        "permanently refused": (1, FINAL),
        "lack of money": (1, FINAL),
        "transient": (1, RETRIED),
        "under way": (1, RETRIED),
        "nothing to do": (1, SUCCESS),
        "failed": (1, RETRIED),
        "unknown": (1, RETRIED),
    },
}
OPERATORS = {
    "create_task": RenderbusCreateTaskOperator,
    "submit_task": RenderbusSubmitTaskOperator,
    "start_task": task_actions.RenderbusStartTaskOperator,
    "stop_task": task_actions.RenderbusStopTaskOperator,
    "recommit_frames": task_actions.RenderbusRecommitFramesOperator,
}
# A farm that could not reach its own task service may have recommitted: a user must look.
EXCEPTIONS = {("recommit_frames", 934): (1, FINAL), ("create_task", 513): (1, FINAL)}


def cases():
    every_code = {**CLASSES, "unknown": (4711,)}
    for call, rows in TABLE.items():
        for kind, (requests, end) in rows.items():
            codes = every_code[kind]
            if call not in {"create_task", "submit_task"}:
                codes = codes[:2]  # all codes of a class share their handling
            for code in codes:
                yield call, code, *EXCEPTIONS.get((call, code), (requests, end))
    yield "create_task", 513, *EXCEPTIONS["create_task", 513]
    yield "recommit_frames", 934, *EXCEPTIONS["recommit_frames", 934]


@pytest.fixture
def scenario():
    return {"renders": [{"fail_frames": "2", "fail_times": 1}]}


@pytest.fixture
def sleeps(farm, hook_sleeps):
    """Seconds of all sleeps, which advance the farm's clock."""
    sleeps = []
    hook_sleeps(lambda seconds: (sleeps.append(seconds), farm.advance(seconds)))
    return sleeps


def end_of(operator, settings):
    with Client(settings, sleep=lambda _: None) as client:
        operator.hook.client = client
        try:
            operator.execute(context())
        except AirflowFailException as error:
            return FINAL, str(error)
        except AirflowException as error:
            return RETRIED, str(error)
    return SUCCESS, ""


@pytest.mark.parametrize(("call", "code", "requests", "end"), sorted(set(cases())))
def test_refused_call_ends_as_its_class_says(call, code, requests, end, farm, client, settings, sleeps):
    arguments = {}
    if call != "create_task":
        task_id = client.send(calls.create_task()).ids[0]
        client.send(calls.upload_task_json(task_id, json.dumps(make_task_json())))
        if call != "submit_task":
            client.send(calls.submit_task(task_id))
        if call == "recommit_frames":
            farm.advance(3600)
        arguments = {"render_task_id": task_id}
    before = farm.request_counts[call]
    farm.inject("code", code=code, calls=[call])
    happened, message = end_of(OPERATORS[call](task_id="spend", **arguments), settings)
    assert (farm.request_counts[call] - before, happened) == (requests, end)
    if end is FINAL:
        assert code_info(call, code).meaning in message
        assert sleeps == []
    elif call == "submit_task":
        queries = 3 * requests
        assert sum(sleeps[:queries]) == 30 * requests
        assert not client.send(calls.query_task_info([task_id]))[task_id].is_submitted


def test_submit_while_another_is_under_way_counts_as_submitted_once_it_shows(farm, created, settings, sleeps):
    farm.inject("code", code=749, calls=["submit_task"], executes_call=True)
    operator = RenderbusSubmitTaskOperator(task_id="submit", render_task_id=created)
    assert end_of(operator, settings)[0] is SUCCESS
    assert farm.request_counts["submit_task"] == 1


def test_submit_with_expired_signature_is_not_signed_again(farm, client, created, settings, sleeps):
    farm.inject("code", code=610, calls=["submit_task"])
    operator = RenderbusSubmitTaskOperator(task_id="submit", render_task_id=created)
    assert end_of(operator, settings)[0] is RETRIED
    assert farm.request_counts["submit_task"] == 1
    assert sum(sleeps[:3]) == 30


def test_submit_with_expired_signature_that_another_process_has_sent_counts_as_submitted(
    farm, created, settings, sleeps
):
    farm.inject("code", code=610, calls=["submit_task"], executes_call=True)
    operator = RenderbusSubmitTaskOperator(task_id="submit", render_task_id=created)
    assert end_of(operator, settings)[0] is SUCCESS
    assert farm.request_counts["submit_task"] == 1
