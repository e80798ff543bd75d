"""Calls that the farm refuses with code 507: the task fails at once, or waits for funds and continues."""

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from tests.airflow.context import StateStore, context
from tests.airflow.run_to_completion import STEP, run_to_completion
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture
def pictures():
    return False


@pytest.fixture
def scenario():
    return {"renders": [{"fail_frames": "2", "fail_times": 1}], "account": {"coupon": "0", "balance": "50"}}


@pytest.fixture(params=["worker", "triggerer"])
def render(request, farm, hook_sleeps, no_stop_poll_interval):
    """Runs a whole render in one Airflow task, and returns its result."""
    is_deferrable = request.param == "triggerer"
    hook_sleeps(lambda seconds: farm.advance(seconds if is_deferrable else max(seconds, STEP)))

    def render(**options):
        return run_to_completion(
            farm,
            lambda: RenderbusRenderOperator(
                task_id="render",
                task_json=make_task_json(),
                deferrable=is_deferrable,
                poll_interval=0.02 if is_deferrable else STEP,
                **{"on_failed_frames": "recommit", **options},
            ),
            {**context(), "task_state_store": StateStore()},
        )

    return render


@pytest.mark.parametrize("call", ["create_task", "submit_task", "recommit_frames"])
def test_render_refused_for_lack_of_funds_fails_at_once(call, farm, render):
    farm.inject("code", code=507, calls=[call])
    with pytest.raises(AirflowFailException, match="the balance is too low; top up the account"):
        render()
    assert farm.request_counts[call] == 1


@pytest.mark.parametrize("call", ["create_task", "submit_task", "recommit_frames"])
def test_render_refused_for_lack_of_funds_waits_and_continues(call, farm, client, render):
    farm.inject("code", code=507, calls=[call], times=1)
    result = render(on_insufficient_funds="wait")
    assert result["state"] == "FINISHED"
    executed = {name: farm.request_counts[name] for name in ("create_task", "submit_task", "recommit_frames")}
    assert executed == dict.fromkeys(executed, 1) | {call: 2}
    assert len(client.send(calls.get_task_list()).items) == 1


def test_render_refused_again_waits_for_more_than_at_the_last_refusal(farm, render, monkeypatch, caplog):
    """The farm may want more than the funds that are left; they are not tried twice."""
    farm.inject("code", code=507, calls=["submit_task"], times=2)
    advance = farm.advance

    def advance_and_top_up(seconds):
        advance(seconds)
        if farm.request_counts["submit_task"] == 2:
            farm.top_up("7")

    monkeypatch.setattr(farm, "advance", advance_and_top_up)
    assert render(on_insufficient_funds="wait")["state"] == "FINISHED"
    assert farm.request_counts["submit_task"] == 3
    assert "Waiting until 0.01 RMB are available" in caplog.text
    assert "Waiting until 50.01 RMB are available" in caplog.text


def test_render_without_top_up_times_out_and_submits_nothing(farm, client, render):
    farm.inject("code", code=507, calls=["submit_task"])
    with pytest.raises(AirflowException, match=r"Nothing was submitted\. Timed out waiting") as raised:
        render(on_insufficient_funds="wait", timeout=0.5)
    assert not isinstance(raised.value, AirflowFailException)
    assert farm.request_counts["submit_task"] == 2


def test_render_with_hidden_funds_fails_at_once(farm, hidden_funds, render):
    farm.inject("code", code=507, calls=["submit_task"])
    with pytest.raises(AirflowFailException, match="the balance is too low"):
        render(on_insufficient_funds="wait")
    assert farm.request_counts["submit_task"] == 1
