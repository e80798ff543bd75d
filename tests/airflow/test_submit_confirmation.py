"""A submit whose answer is lost is settled by asking: it is never paid twice."""

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.operators.tasks import RenderbusSubmitTaskOperator
from tests.airflow.context import context

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture
def slept(farm, hook_sleeps):
    """The seconds that were waited, on the farm's clock."""
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        farm.advance(seconds)

    hook_sleeps(sleep)
    return slept


def submit(number, try_number=1, **options):
    return RenderbusSubmitTaskOperator(task_id="submit", render_task_id=number, **options).execute(
        context(try_number)
    )


def is_submitted(client, number):
    return client.send(calls.query_task_info([number]))[number].is_submitted


def state(client, number):
    return client.send(calls.query_task_info([number]))[number].status.name


def test_an_answer_that_is_lost_after_the_submit_arrived(farm, client, created, slept):
    farm.inject("drop", executes_call=True, calls=["submit_task"], times=1)
    farm.inject("code", code=500, calls=["submit_task"], after=1)
    assert submit(created) == created
    assert is_submitted(client, created)
    assert sum(slept) == 0


def test_it_is_sent_again_after_three_looks_over_30_s(farm, client, created, slept):
    farm.inject("drop", calls=["submit_task"], times=1)
    assert submit(created) == created
    assert is_submitted(client, created)
    assert sum(slept) == 30
    assert len(slept) == 3


def test_a_second_submit_that_is_refused_counts_as_the_first(farm, created, slept, caplog):
    farm.inject("drop", calls=["submit_task"], times=1)
    farm.inject("code", code=400, calls=["submit_task"])
    assert submit(created) == created
    assert "so the first one arrived" in caplog.text


def test_a_second_submit_that_lacks_money_is_no_proof_of_the_first(farm, created, slept):
    farm.inject("drop", calls=["submit_task"], times=1)
    farm.inject("code", code=913, calls=["submit_task"])
    with pytest.raises(AirflowFailException, match="913"):
        submit(created)


def test_a_second_submit_whose_answer_is_lost_is_settled_too(farm, client, created, slept):
    farm.inject("drop", calls=["submit_task"], times=1)
    farm.inject("drop", executes_call=True, calls=["submit_task"], times=1, after=1)
    farm.inject("code", code=500, calls=["submit_task"], after=2)
    assert submit(created) == created
    assert is_submitted(client, created)


def test_what_stays_open_is_stopped_and_left_to_another_try(farm, client, created, slept):
    farm.inject("drop", calls=["submit_task"], times=2)
    with pytest.raises(AirflowException, match=r"no answer .* is no longer running") as failure:
        submit(created)
    assert not isinstance(failure.value, AirflowFailException)
    assert submit(created, try_number=2) == created
    assert is_submitted(client, created)


@pytest.mark.parametrize(
    ("options", "then"), [({}, "WAITING"), ({"cancel_on_kill": False}, "STOP")], ids=["answers", "does not"]
)
def test_another_try_starts_again_what_the_one_before_has_stopped(options, then, client, submitted, slept):
    """Else it would report success on a render that its own kind has stopped."""
    client.send(calls.stop_task([submitted]))
    assert submit(submitted, try_number=2, **options) == submitted
    assert state(client, submitted) == then


def test_what_was_stopped_because_nobody_could_ask_is_started_again(farm, client, created, slept):
    farm.inject("drop", executes_call=True, calls=["submit_task"], times=1)
    farm.inject("code", code=500, calls=["query_task_info"], after=1, times=5)
    with pytest.raises(AirflowException, match="is no longer running"):
        submit(created)
    assert state(client, created) == "STOP"
    assert submit(created, try_number=2) == created
    assert state(client, created) == "WAITING"


def test_another_try_takes_time_before_it_sends_what_the_one_before_may_have_sent(created, slept):
    assert submit(created, try_number=2) == created
    assert sum(slept) == 30


def test_a_submit_that_never_left_is_no_riddle(farm, created, slept):
    farm.inject("code", code=913, calls=["submit_task"])
    with pytest.raises(AirflowFailException):
        submit(created)
    assert slept == []


def test_a_number_that_is_submitted_is_never_sent_again(client, submitted, slept, farm):
    farm.inject("code", code=500, calls=["submit_task"])
    assert submit(submitted) == submitted
    assert submit(submitted, try_number=2) == submitted
