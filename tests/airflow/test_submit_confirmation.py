"""A submit whose response is lost is verified with the farm and never submitted twice."""

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException
from airflow_provider_renderbus.operators.tasks import RenderbusSubmitTaskOperator
from tests.airflow.context import context

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture
def sleeps(farm, hook_sleeps):
    """Seconds of all sleeps, which advance the farm's clock."""
    sleeps = []

    def sleep(seconds):
        sleeps.append(seconds)
        farm.advance(seconds)

    hook_sleeps(sleep)
    return sleeps


def submit(render_task_id, try_number=1, **options):
    return RenderbusSubmitTaskOperator(task_id="submit", render_task_id=render_task_id, **options).execute(
        context(try_number)
    )


def is_submitted(client, render_task_id):
    return client.send(calls.query_task_info([render_task_id]))[render_task_id].is_submitted


def state(client, render_task_id):
    return client.send(calls.query_task_info([render_task_id]))[render_task_id].status.name


def test_submit_lost_response_is_confirmed(farm, client, created, sleeps):
    farm.inject("drop", executes_call=True, calls=["submit_task"], times=1)
    farm.inject("code", code=500, calls=["submit_task"], after=1)
    assert submit(created) == created
    assert is_submitted(client, created)
    assert sum(sleeps) == 0


def test_submit_lost_request_is_sent_again_after_30_s(farm, client, created, sleeps):
    farm.inject("drop", calls=["submit_task"], times=1)
    assert submit(created) == created
    assert is_submitted(client, created)
    assert sum(sleeps) == 30
    assert len(sleeps) == 3


def test_submit_repeated_and_refused_because_first_arrived_counts_as_submitted(farm, created, sleeps):
    farm.inject("drop", calls=["submit_task"], times=1)
    farm.inject("code", code=400, calls=["submit_task"], executes_call=True)
    assert submit(created) == created


def test_submit_repeated_and_refused_fails_if_not_submitted(farm, client, created, sleeps):
    farm.inject("drop", calls=["submit_task"], times=1)
    farm.inject("code", code=400, calls=["submit_task"])
    with pytest.raises(AirflowFailException, match="400"):
        submit(created)
    assert not is_submitted(client, created)
    assert farm.request_counts["submit_task"] == 2


def test_submit_repeated_without_funds_fails(farm, created, sleeps):
    farm.inject("drop", calls=["submit_task"], times=1)
    farm.inject("code", code=913, calls=["submit_task"])
    with pytest.raises(AirflowFailException, match="913"):
        submit(created)


def test_submit_repeated_lost_response_is_confirmed(farm, client, created, sleeps):
    farm.inject("drop", calls=["submit_task"], times=1)
    farm.inject("drop", executes_call=True, calls=["submit_task"], times=1, after=1)
    farm.inject("code", code=500, calls=["submit_task"], after=2)
    assert submit(created) == created
    assert is_submitted(client, created)


def test_submit_not_confirmed_stops_render_and_is_retryable(farm, client, created, sleeps):
    farm.inject("drop", calls=["submit_task"], times=2)
    with pytest.raises(AirflowException, match=r"no response .* is no longer running") as raised:
        submit(created)
    assert not isinstance(raised.value, AirflowFailException)
    assert submit(created, try_number=2) == created
    assert is_submitted(client, created)


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, "WAITING"), ({"cancel_on_kill": False}, "STOP")],
    ids=["cancel_on_kill", "keep"],
)
def test_submit_retry_restarts_stopped_render_if_cancel_on_kill(options, expected, client, submitted, sleeps):
    """Otherwise the retry would report success for a render that an earlier try has stopped."""
    client.send(calls.stop_task([submitted]))
    assert submit(submitted, try_number=2, **options) == submitted
    assert state(client, submitted) == expected


def test_submit_retry_after_unconfirmed_submit_restarts_render(farm, client, created, sleeps):
    farm.inject("drop", executes_call=True, calls=["submit_task"], times=1)
    farm.inject("code", code=500, calls=["query_task_info"], after=1, times=5)
    with pytest.raises(AirflowException, match="is no longer running"):
        submit(created)
    assert state(client, created) == "STOP"
    assert submit(created, try_number=2) == created
    assert state(client, created) == "WAITING"


def test_submit_retry_waits_30_s_for_submit_of_earlier_try(created, sleeps):
    assert submit(created, try_number=2) == created
    assert sum(sleeps) == 30


def test_submit_refused_fails_without_waiting(farm, created, sleeps):
    farm.inject("code", code=913, calls=["submit_task"])
    with pytest.raises(AirflowFailException):
        submit(created)
    assert sleeps == []


def test_submit_submitted_task_is_not_submitted_again(client, submitted, sleeps, farm):
    farm.inject("code", code=500, calls=["submit_task"])
    assert submit(submitted) == submitted
    assert submit(submitted, try_number=2) == submitted
