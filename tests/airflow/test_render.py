"""The whole render in one operator, over the tries of its Airflow task."""

import contextlib
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, TaskDeferred

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from tests.airflow.context import TaskInstance, context
from tests.scenes import task_json

pytestmark = pytest.mark.usefixtures("connection")


class Store(dict):
    """Airflow's state store for a task."""

    def set(self, key, value):
        self[key] = value


class Airflow:
    """Runs tries of one Airflow task, on a version with a state store or on one without."""

    def __init__(self, farm, has_store):
        self.farm = farm
        self.store = Store() if has_store else None
        self.max_tries = 2
        self.try_number = 0

    def context(self):
        self.try_number += 1
        ti = TaskInstance(self.try_number)
        ti.map_index = 3
        ti.max_tries = self.max_tries
        found = {
            **context(),
            "ti": ti,
            "dag_run": SimpleNamespace(run_after=datetime(2026, 1, 1, tzinfo=UTC)),
        }
        return found if self.store is None else {**found, "task_state_store": self.store}

    def operator(self, **options):
        described = {"task_json": task_json(), "artist": "Ada", **options}
        return RenderbusRenderOperator(task_id="render", poll_interval=60, retries=2, **described)

    def try_once(self, **options):
        return self.operator(**options).execute(self.context())

    def clear(self):
        """As Airflow clears: so many tries more than there were."""
        self.max_tries = self.try_number + 2


@pytest.fixture(params=[True, False], ids=["store", "marker"])
def airflow(request, farm, monkeypatch):
    monkeypatch.setattr("airflow_provider_renderbus.operators.waiting.time.sleep", farm.advance)
    return Airflow(farm, request.param)


@pytest.fixture
def numbers(client):
    """Returns the numbers of all tasks that were submitted."""

    def numbers():
        return [task.id for page in client.iter_pages(flows.task_pages()) for task in page.items]

    return numbers


def begin(airflow):
    """Begin a render and lose the worker while it waits."""
    with pytest.raises(TaskDeferred) as deferred:
        airflow.try_once(deferrable=True)
    (number,) = deferred.value.trigger.render_task_ids
    return number


def die_before_the_submit(airflow, monkeypatch):
    """Lose the worker between creating the number and submitting it."""

    def dies(*_, **__):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_renderbus.renders.submit.submit", dies)
        with pytest.raises(SystemExit):
            airflow.try_once()


def test_a_render_in_one(airflow, client):
    result = airflow.try_once()
    assert (result["state"], result["frames"]["done"]) == ("FINISHED", 4)
    assert client.send(calls.query_task_info([result["render_task_id"]]))[
        result["render_task_id"]
    ].producer.startswith("Ada")


def test_another_try_takes_the_same_render_up(airflow, numbers):
    number = begin(airflow)
    assert airflow.try_once()["render_task_id"] == number
    assert numbers() == [number]


def test_a_retry_after_the_end_returns_it(airflow, numbers):
    number = begin(airflow)
    airflow.farm.advance(3600)
    assert airflow.try_once()["render_task_id"] == number
    assert numbers() == [number]


def test_a_person_who_clears_a_finished_render_gets_a_new_one(airflow, numbers):
    first = airflow.try_once()["render_task_id"]
    airflow.clear()
    second = airflow.try_once()["render_task_id"]
    assert sorted(numbers()) == sorted([first, second])
    assert first != second


def test_a_clear_of_a_pause_that_was_a_success_renders_anew(airflow, numbers):
    paused = task_json()
    paused["task_info"] |= {"pre_frames": "100", "stop_after_test": "1"}
    options = {"task_json": paused, "on_test_frames_done": "succeed"}
    first = airflow.try_once(**options)
    airflow.clear()
    second = airflow.try_once(**options)
    assert first["state"] == second["state"] == "FINISHED_TEST"
    assert sorted(numbers()) == sorted([first["render_task_id"], second["render_task_id"]])


def test_a_budget_that_is_used_up_submits_nothing(airflow, numbers):
    for none_left in ("0", "-5"):
        with pytest.raises(AirflowFailException, match="max_cost: an amount above 0 is wanted"):
            airflow.try_once(max_cost=none_left)
    assert numbers() == []
    assert not airflow.farm.request_counts["create_task"]


def test_a_later_try_without_a_budget_stops_what_is_there(airflow, client):
    number = begin(airflow)
    with pytest.raises(AirflowFailException, match=r"max_cost: .*does not run any more"):
        airflow.try_once(max_cost="-5")
    assert client.send(calls.query_task_info([number]))[number].status is TaskStatus.STOP


def test_a_clear_while_the_render_goes_on_takes_it_up(airflow, numbers):
    number = begin(airflow)
    airflow.clear()
    assert airflow.try_once()["render_task_id"] == number
    assert numbers() == [number]


class TestFailedFrames:
    @pytest.fixture
    def scenario(self):
        return {"renders": [{"fail_frames": "2", "fail_times": 1}]}

    def test_the_message_tells_how_to_render_anew(self, airflow, client, numbers):
        with pytest.raises(AirflowFailException, match="abandon or delete its task on the farm, and clear"):
            airflow.try_once()
        (first,) = numbers()
        client.send(calls.abandon_task([first]))
        airflow.clear()
        with pytest.raises(AirflowFailException):
            airflow.try_once()
        assert len(numbers()) == 2


def test_a_retry_after_a_clear_is_no_wish_for_a_new_render(airflow, numbers):
    number = begin(airflow)
    airflow.clear()
    assert begin(airflow) == number
    airflow.farm.advance(3600)
    assert airflow.try_once()["render_task_id"] == number
    assert numbers() == [number]
    airflow.clear()
    assert airflow.try_once()["render_task_id"] != number


def test_an_answer_that_misses_the_number_once_is_no_reason_to_pay_again(airflow, numbers, monkeypatch):
    number = begin(airflow)
    send, missed = RenderbusHook.send, []

    def short(hook, call):
        if call.name == "query_task_info" and not missed:
            missed.append(call)
            return {}
        return send(hook, call)

    monkeypatch.setattr(RenderbusHook, "send", short)
    monkeypatch.setattr("airflow_provider_renderbus.renders.submit.time.sleep", airflow.farm.advance)
    assert airflow.try_once()["render_task_id"] == number
    assert missed
    assert numbers() == [number]


def test_airflow_2_has_no_run_after(airflow, numbers):
    if airflow.store is not None:
        return  # it has no store either
    number = begin(airflow)
    context = airflow.context()
    context["logical_date"] = context["dag_run"].run_after
    context["dag_run"] = SimpleNamespace()
    assert airflow.operator().execute(context)["render_task_id"] == number


def test_a_number_that_was_never_submitted_costs_nothing(airflow, farm, client, numbers, monkeypatch):
    die_before_the_submit(airflow, monkeypatch)
    result = airflow.try_once()
    assert numbers() == [result["render_task_id"]]
    if airflow.store is not None:
        assert result["render_task_id"] == airflow.store["renderbus_render"]["number"] == 35000001


def test_a_submit_of_an_earlier_try_that_arrives_late_is_taken_up(airflow, client, numbers, monkeypatch):
    """It comes after the farm was asked for it three times, and before the files are uploaded again."""
    if airflow.store is None:
        return  # a number that was never submitted is in no list

    die_before_the_submit(airflow, monkeypatch)

    def arrives(_, number):
        client.send(calls.submit_task(number))
        return False

    monkeypatch.setattr("airflow_provider_renderbus.renders.submit.confirm_submitted", arrives)
    assert airflow.try_once()["render_task_id"] == airflow.store["renderbus_render"]["number"]
    assert len(numbers()) == 1


def test_no_wrong_file_is_submitted(airflow, numbers):
    operator = RenderbusRenderOperator(task_id="render", task_json={"scene": 1})
    with pytest.raises(AirflowFailException, match="task_info"):
        operator.execute(airflow.context())
    assert numbers() == []


def test_a_number_that_the_farm_has_forgotten_is_replaced(airflow, monkeypatch):
    if airflow.store is None:
        return  # what the farm has forgotten is in no list either
    monkeypatch.setattr("airflow_provider_renderbus.renders.submit.time.sleep", airflow.farm.advance)
    airflow.store.set("renderbus_render", {"number": 1, "max_tries": 2})
    assert airflow.try_once()["render_task_id"] != 1


def test_a_time_out_may_be_retried(airflow):
    with pytest.raises(AirflowException, match="time to wait is over"):
        airflow.try_once(timeout=1e-6)
    assert airflow.try_once()["state"] == TaskStatus.FINISHED.name


TAKEN_UP = (Path(__file__).parents[2] / "docs/money.md").read_text("utf-8")


def rows_of_states():
    for row in re.findall(r"^\| ([0-9][^|]*?) \| ([^|]*?) \|$", TAKEN_UP, re.MULTILINE):
        for code in re.findall(r"\d+|any other", row[0]):
            yield pytest.param(77 if code == "any other" else int(code), row[1].split(",")[0], id=code)


@pytest.mark.parametrize(("code", "does"), list(rows_of_states()))
def test_what_another_try_does_is_what_the_document_says(code, does, airflow, farm, client, numbers):
    number = begin(airflow)
    farm.advance(30 if code != 25 else 3600)
    farm.inject("state", state=code, calls=["query_task_info", "get_task_list"])
    served = farm.request_counts.copy()
    with contextlib.suppress(TaskDeferred, AirflowException):
        airflow.try_once(deferrable=True)
    made = {call: count - served[call] for call, count in farm.request_counts.items()}
    started, anew = made.get("start_task", 0), len(set(numbers()) - {number})
    assert (bool(started), bool(anew)) == {
        "waits for it": (False, False),
        "starts it again": (True, False),
        "returns it": (False, False),
        "does as when that happens while it waits ([states](states-and-errors.md))": (False, False),
        "renders anew": (False, True),
    }[does]


def test_the_document_tells_of_every_state():
    told = {param.values[0] for param in rows_of_states()}
    assert told == {77, *(state.value for state in TaskStatus if state is not TaskStatus.UNKNOWN)}
