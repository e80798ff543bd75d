import contextlib

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.compat import AirflowFailException, TaskDeferred
from airflow_provider_renderbus.links import RenderbusTaskLink
from airflow_provider_renderbus.operators.download_frames import RenderbusDownloadFramesOperator
from airflow_provider_renderbus.operators.task_actions import (
    RenderbusRecommitFramesOperator,
    RenderbusStopTaskOperator,
)
from airflow_provider_renderbus.operators.tasks import RenderbusSubmitTaskOperator
from airflow_provider_renderbus.operators.transfers import (
    RenderbusListOutputsOperator,
)
from airflow_provider_renderbus.renders.results import Outcome, WaitResult, summary
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from tests.airflow.context import context

KEY = RenderbusTaskLink().xcom_key


@pytest.fixture
def url(connection, submitted):
    return connection["extra"]["console_url"].format(render_task_id=submitted)


@pytest.mark.parametrize(
    ("kind", "options"),
    [(RenderbusTaskSensor, {}), (RenderbusSubmitTaskOperator, {"wait_for_completion": True})],
)
def test_link_of_waiting_operator_exists_while_deferred_and_after_resume(
    kind, options, client, submitted, url
):
    operator = kind(task_id="wait", render_task_id=submitted, deferrable=True, **options)
    deferring_context = context()
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(deferring_context)
    assert deferring_context["ti"].pushed == {KEY: url}
    (link,) = operator.operator_extra_links
    assert link.get_link(operator, ti_key=deferring_context["ti"]) == url

    resumed = kind(task_id="wait", render_task_id=submitted, deferrable=True, **options)
    task = client.send(calls.query_task_info([submitted]))[submitted]
    event = WaitResult(Outcome.SUCCEEDED, "", [summary(task)]).to_dict()
    resumed.execute_complete(context(), event, **(deferred.value.kwargs or {}))
    assert link.get_link(resumed, ti_key=deferring_context["ti"]) == url


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
def test_link_of_action_exists_whether_or_not_the_action_succeeds(kind, options, submitted, url):
    operator = kind(task_id="act", render_task_id=submitted, **options)
    action_context = context()
    with contextlib.suppress(AirflowFailException):
        operator.execute(action_context)
    assert action_context["ti"].pushed == {KEY: url}
    (link,) = operator.operator_extra_links
    assert link.get_link(operator, ti_key=action_context["ti"]) == url


def test_link_name_holds_no_farm():
    assert RenderbusTaskLink().name == "Render task"


def test_link_of_several_tasks_leads_to_the_first(submitted, url, client):
    deferring_context = context()
    with pytest.raises(TaskDeferred):
        RenderbusTaskSensor(task_id="wait", render_task_id=[submitted, 2], deferrable=True).execute(
            deferring_context
        )
    assert deferring_context["ti"].pushed == {KEY: url}
