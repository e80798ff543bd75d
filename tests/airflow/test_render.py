"""RenderbusRenderOperator over the tries, retries and clears of its Airflow task."""

import contextlib
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException, TaskDeferred
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from tests.airflow.airflow_task import start_render
from tests.scenes import make_task_json
from tests.state_names import OTHER, codes_in

pytestmark = pytest.mark.usefixtures("connection")


def die_before_submit(airflow_task, monkeypatch):
    """Lose the worker after the task is created and before it is submitted."""

    send = RenderbusHook.send

    def exit_before_submit(hook, call):
        if call.name == "submit_task":
            raise SystemExit
        return send(hook, call)

    with monkeypatch.context() as patch:
        patch.setattr(RenderbusHook, "send", exit_before_submit)
        with pytest.raises(SystemExit):
            airflow_task.try_once()


def test_render_single_try_finishes(airflow_task, client):
    result = airflow_task.try_once()
    assert (result["state"], result["frames"]["done"]) == ("FINISHED", 4)
    assert client.send(calls.query_task_info([result["render_task_id"]]))[
        result["render_task_id"]
    ].producer.startswith("Ada")


def test_render_retry_reattaches_to_running_render(airflow_task, submitted_ids):
    render_task_id = start_render(airflow_task)
    assert airflow_task.try_once()["render_task_id"] == render_task_id
    assert submitted_ids() == [render_task_id]


def test_render_retry_after_finish_returns_result(airflow_task, submitted_ids):
    render_task_id = start_render(airflow_task)
    airflow_task.farm.advance(3600)
    assert airflow_task.try_once()["render_task_id"] == render_task_id
    assert submitted_ids() == [render_task_id]


def test_render_cleared_after_success_renders_again(airflow_task, submitted_ids):
    first = airflow_task.try_once()["render_task_id"]
    airflow_task.clear()
    second = airflow_task.try_once()["render_task_id"]
    assert sorted(submitted_ids()) == sorted([first, second])
    assert first != second


def test_render_cleared_after_successful_pause_renders_again(airflow_task, submitted_ids):
    paused = make_task_json()
    paused["task_info"] |= {"pre_frames": "100", "stop_after_test": "1"}
    options = {"task_json": paused, "on_test_frames_done": "succeed"}
    first = airflow_task.try_once(**options)
    airflow_task.clear()
    second = airflow_task.try_once(**options)
    assert first["state"] == second["state"] == "FINISHED_TEST"
    assert sorted(submitted_ids()) == sorted([first["render_task_id"], second["render_task_id"]])


def test_render_max_cost_not_positive_submits_nothing(airflow_task, submitted_ids):
    for max_cost in ("0", "-5"):
        with pytest.raises(AirflowFailException, match="max_cost: must be an amount above 0, got "):
            airflow_task.try_once(max_cost=max_cost)
    assert submitted_ids() == []
    assert not airflow_task.farm.request_counts["create_task"]


def test_render_retry_max_cost_not_positive_stops_render(airflow_task, client):
    render_task_id = start_render(airflow_task)
    with pytest.raises(AirflowFailException, match=r"max_cost: .*is no longer running"):
        airflow_task.try_once(max_cost="-5")
    assert client.send(calls.query_task_info([render_task_id]))[render_task_id].status is TaskStatus.STOP


def test_render_cleared_while_running_reattaches(airflow_task, submitted_ids):
    render_task_id = start_render(airflow_task)
    airflow_task.clear()
    assert airflow_task.try_once()["render_task_id"] == render_task_id
    assert submitted_ids() == [render_task_id]


class TestFailedFrames:
    @pytest.fixture
    def scenario(self):
        return {"renders": [{"fail_frames": "2", "fail_times": 1}]}

    def test_render_failed_frames_message_explains_rerender(self, airflow_task, client, submitted_ids):
        with pytest.raises(AirflowFailException, match="abandon or delete the render on the farm, and clear"):
            airflow_task.try_once()
        (first,) = submitted_ids()
        client.send(calls.abandon_task([first]))
        airflow_task.clear()
        with pytest.raises(AirflowFailException):
            airflow_task.try_once()
        assert len(submitted_ids()) == 2


def test_render_retry_after_clear_reattaches(airflow_task, submitted_ids):
    render_task_id = start_render(airflow_task)
    airflow_task.clear()
    assert start_render(airflow_task) == render_task_id
    airflow_task.farm.advance(3600)
    assert airflow_task.try_once()["render_task_id"] == render_task_id
    assert submitted_ids() == [render_task_id]
    airflow_task.clear()
    assert airflow_task.try_once()["render_task_id"] != render_task_id


def test_render_id_missing_in_one_response_reattaches(airflow_task, submitted_ids, monkeypatch):
    render_task_id = start_render(airflow_task)
    send, missed = RenderbusHook.send, []

    def send_without_first_result(hook, call):
        if call.name == "query_task_info" and not missed:
            missed.append(call)
            return {}
        return send(hook, call)

    monkeypatch.setattr(RenderbusHook, "send", send_without_first_result)
    assert airflow_task.try_once()["render_task_id"] == render_task_id
    assert missed
    assert submitted_ids() == [render_task_id]


def test_render_airflow_2_without_run_after_reattaches(airflow_task, submitted_ids):
    if airflow_task.store is not None:
        pytest.skip("Airflow 2 has no task state store either")
    render_task_id = start_render(airflow_task)
    context = airflow_task.context()
    context["logical_date"] = context["dag_run"].run_after
    context["dag_run"] = SimpleNamespace()
    assert airflow_task.operator().execute(context)["render_task_id"] == render_task_id


def test_render_worker_died_before_submit_submits_once(
    airflow_task, farm, client, submitted_ids, monkeypatch
):
    die_before_submit(airflow_task, monkeypatch)
    result = airflow_task.try_once()
    assert submitted_ids() == [result["render_task_id"]]
    if airflow_task.store is not None:
        stored = airflow_task.store["renderbus_render"]
        assert result["render_task_id"] == stored["render_task_id"] == 35000001


@pytest.fixture
def late_submit(airflow_task, client, monkeypatch):
    """The submit of the first try arrives after three queries and before the files are uploaded again."""
    if airflow_task.store is None:
        pytest.skip("without a store, a task that is not submitted cannot be found")

    die_before_submit(airflow_task, monkeypatch)
    render_task_id = airflow_task.store["renderbus_render"]["render_task_id"]
    send, uploads = RenderbusHook.send, []

    def send_after_late_submit(hook, call):
        if call.name == "upload_task_json" and not uploads:
            uploads.append(call)
            client.send(calls.submit_task(render_task_id))
        return send(hook, call)

    monkeypatch.setattr(RenderbusHook, "send", send_after_late_submit)
    return render_task_id


def test_render_late_submit_of_earlier_try_reattaches(airflow_task, late_submit, submitted_ids):
    assert airflow_task.try_once()["render_task_id"] == late_submit
    assert submitted_ids() == [late_submit]


def test_render_late_submit_of_another_job_fails_in_a_retry(airflow_task, late_submit, submitted_ids):
    for _ in range(2):  # what is stored must still be the job that was submitted
        with pytest.raises(AirflowFailException, match="for another job"):
            airflow_task.try_once(task_json=make_task_json("shot_B"))
    assert submitted_ids() == [late_submit]


def test_render_late_submit_of_another_job_renders_again_after_a_clear(
    airflow_task, late_submit, submitted_ids, client
):
    airflow_task.clear()
    result = airflow_task.try_once(task_json=make_task_json("shot_B"))
    assert sorted(submitted_ids()) == [late_submit, result["render_task_id"]]
    scenes = {task.id: task.scene_name for task in client.run(flows.get_tasks(submitted_ids())).values()}
    assert scenes[result["render_task_id"]] == "shot_B.blend"


def test_render_invalid_task_json_submits_nothing(airflow_task, submitted_ids):
    operator = RenderbusRenderOperator(task_id="render", task_json={"scene": 1})
    with pytest.raises(AirflowFailException, match="task_info"):
        operator.execute(airflow_task.context())
    assert submitted_ids() == []


def test_render_unknown_stored_id_renders_again(airflow_task, monkeypatch):
    if airflow_task.store is None:
        pytest.skip("without a store there is no stored id")
    airflow_task.store["renderbus_render"] = {"render_task_id": 1, "max_tries": 2}
    assert airflow_task.try_once()["render_task_id"] != 1


def test_render_timeout_is_retryable(airflow_task):
    with pytest.raises(AirflowException, match="Timed out waiting"):
        airflow_task.try_once(timeout=1e-6)
    assert airflow_task.try_once()["state"] == TaskStatus.FINISHED.name


DOCUMENT = (Path(__file__).parents[2] / "docs/costs-and-retries.md").read_text("utf-8")


def rows_of_states():
    table = DOCUMENT.partition("\n## Retries reattach\n")[2].partition("\n\nA retry does not restart")[0]
    for states, action in re.findall(r"^\| ([^|]*?) \| ([^|]*?) \|$", table, re.MULTILINE):
        for code in codes_in(states):
            if code.isdigit() or code == OTHER:
                yield pytest.param(77 if code == OTHER else int(code), action.split(",")[0], id=code)


@pytest.mark.parametrize(("code", "action"), list(rows_of_states()))
def test_render_retry_by_state_matches_document(code, action, airflow_task, farm, client, submitted_ids):
    render_task_id = start_render(airflow_task)
    farm.advance(30 if code != 25 else 3600)
    farm.inject("state", state=code, calls=["query_task_info", "get_task_list"])
    before = farm.request_counts.copy()
    with contextlib.suppress(TaskDeferred, AirflowException):
        airflow_task.try_once(deferrable=True)
    requests = {call: count - before[call] for call, count in farm.request_counts.items()}
    restarted, rerendered = requests.get("start_task", 0), len(set(submitted_ids()) - {render_task_id})
    assert (bool(restarted), bool(rerendered)) == {
        "waits for it": (False, False),
        "restarts it": (True, False),
        "returns it": (False, False),
        "does what it would do if the wait ended with this state ([below](#the-end-of-a-wait))": (
            False,
            False,
        ),
        "starts a new render": (False, True),
    }[action]


def test_document_lists_every_state():
    documented = {param.values[0] for param in rows_of_states()}
    assert documented == {77, *(state.value for state in TaskStatus if state is not TaskStatus.UNKNOWN)}
