import contextlib

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.links import RenderbusTaskLink
from airflow_provider_renderbus.operators.task_actions import (
    RenderbusRecommitFramesOperator,
    RenderbusStopTaskOperator,
)
from airflow_provider_renderbus.operators.tasks import RenderbusSubmitTaskOperator
from airflow_provider_renderbus.operators.transfers import (
    RenderbusDownloadFramesOperator,
    RenderbusListOutputsOperator,
)
from airflow_provider_renderbus.renders.results import Outcome, WaitResult, summary
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from tests.airflow.context import context

KEY = RenderbusTaskLink().xcom_key


@pytest.fixture
def address(connection, submitted):
    return connection["extra"]["console_url"].format(number=submitted)


@pytest.mark.parametrize(
    ("kind", "options"),
    [(RenderbusTaskSensor, {}), (RenderbusSubmitTaskOperator, {"wait_for_completion": True})],
)
def test_the_link_is_there_while_the_task_waits_and_after_it(kind, options, client, submitted, address):
    operator = kind(task_id="wait", render_task_id=submitted, deferrable=True, **options)
    waiting = context()
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(waiting)
    assert waiting["ti"].pushed == {KEY: address}
    (link,) = operator.operator_extra_links
    assert link.get_link(operator, ti_key=waiting["ti"]) == address

    resumed = kind(task_id="wait", render_task_id=submitted, deferrable=True, **options)
    task = client.send(calls.query_task_info([submitted]))[submitted]
    event = WaitResult(Outcome.SUCCEEDED, "", [summary(task)]).to_dict()
    resumed.execute_complete(context(), event, **(deferred.value.kwargs or {}))
    assert link.get_link(resumed, ti_key=waiting["ti"]) == address


@pytest.mark.usefixtures("transfers")
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (RenderbusStopTaskOperator, {}),
        (RenderbusRecommitFramesOperator, {"frames": ["no such frame"]}),
        (RenderbusListOutputsOperator, {}),
        (RenderbusDownloadFramesOperator, {"folder": "no path"}),
    ],
)
def test_what_is_done_to_a_task_links_it_whether_or_not_it_succeeds(kind, options, submitted, address):
    operator = kind(task_id="act", render_task_id=submitted, **options)
    acting = context()
    with contextlib.suppress(AirflowFailException):
        operator.execute(acting)
    assert acting["ti"].pushed == {KEY: address}
    (link,) = operator.operator_extra_links
    assert link.get_link(operator, ti_key=acting["ti"]) == address


def test_the_button_names_no_farm():
    assert RenderbusTaskLink().name == "Render task"


def test_a_list_of_tasks_links_the_first(submitted, address, client):
    waiting = context()
    with pytest.raises(TaskDeferred):
        RenderbusTaskSensor(task_id="wait", render_task_id=[submitted, 2], deferrable=True).execute(waiting)
    assert waiting["ti"].pushed == {KEY: address}
