"""Calls that the farm refuses with code 507: the task fails at once, or waits for funds and continues."""

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException, TaskDeferred
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from airflow_provider_renderbus.renders.results import Outcome, WaitResult
from tests.airflow.context import StateStore, context as try_context
from tests.airflow.run_to_completion import STEP, run_to_completion
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture
def scenario():
    return {"renders": [{"fail_frames": "2", "fail_times": 1}], "account": {"coupon": "0", "balance": "50"}}


@pytest.fixture(params=["worker", "triggerer"])
def render(request, farm, hook_sleeps, no_stop_poll_interval):
    """Runs a whole render in one Airflow task, and returns its result."""
    is_deferrable = request.param == "triggerer"
    hook_sleeps(lambda seconds: farm.advance(seconds if is_deferrable else max(seconds, STEP)))

    def render(context=None, **options):
        return run_to_completion(
            farm,
            lambda: RenderbusRenderOperator(
                task_id="render",
                task_json=make_task_json(),
                deferrable=is_deferrable,
                poll_interval=0.02 if is_deferrable else STEP,
                **{"on_failed_frames": "recommit", **options},
            ),
            context or {**try_context(), "task_state_store": StateStore()},
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


@pytest.mark.parametrize("call", ["create_task", "submit_task"])
def test_render_whose_wait_for_funds_is_lost_submits_once(call, farm, client, hook_sleeps):
    """``dag.test()`` loses the arguments of a resumption."""
    hook_sleeps(farm.advance)
    farm.inject("code", code=507, calls=[call], times=1)
    operator = RenderbusRenderOperator(
        task_id="render", task_json=make_task_json(), deferrable=True, on_insufficient_funds="wait"
    )
    values = {**try_context(), "task_state_store": StateStore()}
    with pytest.raises(TaskDeferred) as deferral:
        operator.execute(values)
    resume = getattr(operator, deferral.value.method_name)
    with pytest.raises(TaskDeferred) as deferral:
        resume(values, event=WaitResult(Outcome.SUCCEEDED, "", {"funds": "50"}).to_dict())
    (task,) = client.send(calls.get_task_list()).items
    assert deferral.value.trigger.render_task_ids == [task.id]


def test_render_without_top_up_times_out_and_submits_nothing(farm, client, render):
    farm.inject("code", code=507, calls=["submit_task"])
    with pytest.raises(AirflowException, match=r"Nothing was submitted\. Timed out waiting") as raised:
        render(on_insufficient_funds="wait", timeout=0.5)
    assert not isinstance(raised.value, AirflowFailException)
    assert farm.request_counts["submit_task"] == 2


@pytest.mark.parametrize("call", ["create_task", "submit_task"])
def test_render_with_hidden_funds_fails_and_a_retry_requests_it_once(
    call, farm, client, hidden_funds, render
):
    """Nobody sees a top-up, so Airflow's retries are the wait."""
    farm.inject("code", code=507, calls=[call], times=1)
    store = StateStore()
    with pytest.raises(AirflowException, match="The account hides its funds, so a top-up cannot") as raised:
        render(on_insufficient_funds="wait", context={**try_context(), "task_state_store": store})
    assert not isinstance(raised.value, AirflowFailException)
    assert farm.request_counts[call] == 1
    retried = {**try_context(2), "task_state_store": store}
    assert render(on_insufficient_funds="wait", context=retried)["state"] == "FINISHED"
    assert farm.request_counts[call] == 2
    assert len(client.send(calls.get_task_list()).items) == 1


def test_render_with_hidden_funds_that_does_not_wait_fails_without_retries(farm, hidden_funds, render):
    farm.inject("code", code=507, calls=["submit_task"])
    with pytest.raises(AirflowFailException, match="the balance is too low"):
        render()


class TestRestart:
    """A retry restarts what was stopped with the try before, and the farm refuses that."""

    @pytest.fixture
    def lost(self, render, farm):
        """The state store and the id of a render whose try was lost while it waits."""
        store = StateStore()
        operator = RenderbusRenderOperator(task_id="render", task_json=make_task_json(), deferrable=True)
        with pytest.raises(TaskDeferred) as deferral:
            operator.execute({**try_context(), "task_state_store": store})
        (render_task_id,) = deferral.value.trigger.render_task_ids
        return store, render_task_id

    def retry(self, render, store, **options):
        return render(context={**try_context(2), "task_state_store": store}, **options)

    def test_restart_refused_for_lack_of_funds_fails_at_once(self, lost, client, farm, render):
        store, render_task_id = lost
        client.send(calls.stop_task([render_task_id]))
        farm.inject("code", code=507, calls=["start_task"])
        with pytest.raises(AirflowFailException, match="the balance is too low"):
            self.retry(render, store)
        assert farm.request_counts["start_task"] == 1

    @pytest.mark.parametrize("stop_type", ["api", "user"])
    def test_restart_refused_for_lack_of_funds_waits_and_continues(
        self, lost, farm, render, stop_type, monkeypatch
    ):
        store, render_task_id = lost
        farm.stop(render_task_id, stop_type)
        if stop_type == "user":
            monkeypatch.setattr("tests.airflow.context.TaskInstance.max_tries", 3)  # cleared
        farm.inject("code", code=507, calls=["start_task"], times=1)
        result = self.retry(render, store, on_insufficient_funds="wait")
        assert (result["state"], result["render_task_id"]) == ("FINISHED", render_task_id)
        assert farm.request_counts["start_task"] == 2
        assert farm.request_counts["submit_task"] == 1

    def test_late_stop_whose_restart_is_refused_waits_and_continues(self, lost, farm, client, render, caplog):
        """The stop of the try before arrives only after the retry has reattached."""
        store, render_task_id = lost
        advance, stopped = farm.advance, []

        def advance_and_stop(seconds):
            advance(min(seconds, 1) if not stopped else seconds)
            if not stopped and farm.request_counts["query_task_info"] > 6:
                stopped.append(client.send(calls.stop_task([render_task_id])))

        farm.advance = advance_and_stop
        farm.inject("code", code=507, calls=["start_task"], times=1)
        result = self.retry(render, store, on_insufficient_funds="wait")
        assert stopped
        assert result["state"] == "FINISHED"
        assert farm.request_counts["start_task"] == 2
        assert "The account shows 50.0 RMB, waiting for 0.01 RMB" in caplog.text

    def test_restart_refused_with_hidden_funds_ends_the_wait(self, lost, farm, client, hidden_funds, render):
        store, render_task_id = lost
        client.send(calls.stop_task([render_task_id]))
        farm.inject("code", code=507, calls=["start_task"])
        with pytest.raises(AirflowFailException, match="the balance is too low"):
            self.retry(render, store, on_insufficient_funds="wait")
        assert farm.request_counts["start_task"] <= 2
