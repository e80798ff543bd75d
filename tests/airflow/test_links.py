import contextlib
from types import SimpleNamespace

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.compat import AirflowFailException, TaskDeferred
from airflow_provider_renderbus.links import (
    MAX_RENDERS,
    RENDER_TASK_IDS_KEY,
    RenderbusFramesLink,
    RenderbusTaskLink,
    frames_url,
    push_links,
)
from airflow_provider_renderbus.operators.download_frames import RenderbusDownloadFramesOperator
from airflow_provider_renderbus.operators.task_actions import (
    RenderbusRecommitFramesOperator,
    RenderbusStopTaskOperator,
)
from airflow_provider_renderbus.operators.tasks import RenderbusSubmitTaskOperator
from airflow_provider_renderbus.operators.transfers import (
    RenderbusListOutputsOperator,
)
from airflow_provider_renderbus.render_record import RECORD_KEY
from airflow_provider_renderbus.renders.results import Outcome, WaitResult, summary
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from tests.airflow.context import context
from tests.airflow_version import LINE

KEY = RenderbusTaskLink().xcom_key
FRAMES_KEY = RenderbusFramesLink().xcom_key
FRAMES_URL = "renderbus/dags/night/runs/run/tasks/render/-1"
HAS_PAGES = LINE >= (3, 1)


def pushed_links(context):
    """Return the XComs of a task without the record of its render."""
    return {key: value for key, value in context["ti"].pushed.items() if key != RECORD_KEY}


def xcoms(url, *render_task_ids):
    """The XComs of an Airflow task with renders."""
    pages = {FRAMES_KEY: FRAMES_URL, RENDER_TASK_IDS_KEY: list(render_task_ids)} if HAS_PAGES else {}
    return {KEY: url, **pages}


def links_of(operator, ti):
    """What Airflow stores of the links of an operator when its task leaves the worker."""
    return {link.xcom_key: link.get_link(operator, ti_key=ti) for link in operator.operator_extra_links}


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
    assert pushed_links(deferring_context) == xcoms(url, submitted)
    assert links_of(operator, deferring_context["ti"]).items() <= xcoms(url).items()

    resumed = kind(task_id="wait", render_task_id=submitted, deferrable=True, **options)
    task = client.send(calls.query_task_info([submitted]))[submitted]
    event = WaitResult(Outcome.SUCCEEDED, "", [summary(task)]).to_dict()
    resumed.execute_complete(context(), event, **(deferred.value.kwargs or {}))
    assert links_of(resumed, deferring_context["ti"]).items() <= xcoms(url).items()


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
    assert pushed_links(action_context) == xcoms(url, submitted)
    assert links_of(operator, action_context["ti"]).items() <= xcoms(url).items()


def test_link_name_holds_no_farm():
    assert RenderbusTaskLink().name == "Render task"


def test_links_of_several_tasks_lead_to_the_first_and_to_the_frames_of_all(submitted, url, client):
    deferring_context = context()
    with pytest.raises(TaskDeferred):
        RenderbusTaskSensor(task_id="wait", render_task_id=[submitted, 2], deferrable=True).execute(
            deferring_context
        )
    assert pushed_links(deferring_context) == xcoms(url, submitted, 2)


def test_frames_url_quotes_ids():
    assert frames_url("a b", "manual__2026-01-01T00:00:00+00:00", "group.task", 7) == (
        "renderbus/dags/a%20b/runs/manual__2026-01-01T00%3A00%3A00%2B00%3A00/tasks/group.task/7"
    )


@pytest.mark.skipif(not HAS_PAGES, reason="Airflow has no pages of plugins before 3.1")
def test_push_links_many_renders_stores_the_first_thousand():
    many = context()
    push_links(SimpleNamespace(), many, "https://farm/", range(1, 5_000))
    assert many["ti"].pushed[RENDER_TASK_IDS_KEY] == list(range(1, MAX_RENDERS + 1))


@pytest.mark.skipif(HAS_PAGES, reason="from 3.1 there is a page of frames")
def test_links_without_pages_is_the_one_to_the_farm():
    assert [link.name for link in RenderbusTaskSensor.operator_extra_links] == ["Render task"]
