"""Each way in which a render can end leaves a record for the report, also if its Airflow task fails."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.compat import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
)
from airflow_provider_renderbus.operators import (
    RenderbusCreateTaskOperator,
    RenderbusRenderOperator,
    RenderbusSubmitTaskOperator,
    RenderbusUploadTaskJsonOperator,
)
from airflow_provider_renderbus.render_record import MAX_RENDERS, RECORD_KEY, push_failure
from airflow_provider_renderbus.reports import report
from airflow_provider_renderbus.reports.collect import TaskEnd, combine_ends
from airflow_provider_renderbus.sensors import RenderbusFundsSensor, RenderbusTaskSensor
from tests.airflow.context import StateStore, TaskInstance, context as try_context
from tests.airflow.run_to_completion import STEP, run_to_completion
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture
def scenario():
    return {
        "renders": [{"scene": "*bad*", "fail_frames": "2-3"}],
        "account": {"coupon": "0", "balance": "500"},
    }


@pytest.fixture
def context():
    return {**try_context(), "task_state_store": StateStore()}


@pytest.fixture
def recorded(context):
    """Returns the record of the Airflow task."""
    return lambda: context["ti"].pushed[RECORD_KEY]


@pytest.fixture(params=["worker", "triggerer"])
def render(request, farm, hook_sleeps, no_stop_poll_interval, context):
    """Runs a whole render in one Airflow task."""
    is_deferrable = request.param == "triggerer"
    hook_sleeps(lambda seconds: farm.advance(seconds if is_deferrable else max(seconds, STEP)))

    def render(scene="sh010", **options):
        task_json = make_task_json()
        task_json["task_info"]["input_cg_file"] = f"D:/projects/{scene}.blend"
        arguments = {
            "task_json": task_json,
            "deferrable": is_deferrable,
            "poll_interval": 0.02 if is_deferrable else STEP,
            **options,
        }
        return run_to_completion(
            farm, lambda: RenderbusRenderOperator(task_id="render", **arguments), context
        )

    return render


def row_of(record, state="failed"):
    """Return the row of a record in the report."""
    (result,) = combine_ends([TaskEnd(record["task_id"], record["map_index"], state, record)])
    (row,) = report(result).rows
    return row


def test_success_is_recorded_with_its_figures(render, recorded):
    result = render(labels=["shot 10"])
    record = recorded()
    assert (record["outcome"], record["error"], record["task_id"], record["map_index"]) == (
        "succeeded",
        "",
        "render",
        -1,
    )
    (entry,) = record["renders"]
    fields = ("render_task_id", "scene", "state", "frames", "cost", "duration_seconds", "console_url")
    assert {name: entry[name] for name in fields} == {name: result[name] for name in fields}
    assert entry["output_folders"] == result["output_folders"]
    row = row_of(record, "success")
    assert (row.outcome, row.cost, row.done) == ("done", Decimal(result["cost"]), 4)


def test_failed_frames_are_recorded_with_reasons(render, recorded):
    with pytest.raises(AirflowFailException):
        render("bad")
    row = row_of(recorded())
    assert (row.outcome, row.done, row.failed) == ("failed", 2, 2)
    assert row.why.startswith("Camera 2-3: Error: rendering of frame 2 has failed; Render ")
    assert row.url


def test_stop_by_budget_is_recorded(render, recorded):
    with pytest.raises(AirflowFailException):
        render(max_cost="0.0001")
    row = row_of(recorded())
    assert row.outcome == "over budget"
    assert row.cost > Decimal("0.0001")
    assert "exceeds max_cost 0.0001" in row.why


@pytest.mark.parametrize("call", ["create_task", "submit_task"])
def test_refusal_for_lack_of_funds_is_recorded(render, recorded, farm, call):
    farm.inject("code", code=507, calls=[call])
    with pytest.raises(AirflowFailException):
        render()
    row = row_of(recorded())
    assert (row.outcome, bool(row.render_task_id)) == ("no funds", call == "submit_task")
    assert "the balance is too low" in row.why


def test_funds_below_minimum_are_recorded(render, recorded):
    with pytest.raises(AirflowFailException):
        render(min_funds="100000")
    assert row_of(recorded()).outcome == "no funds"


@pytest.mark.parametrize("scenario", [{"account": {"coupon": "0", "balance": "0.0002"}}])
def test_stop_for_lack_of_funds_is_recorded(render, recorded):
    with pytest.raises(AirflowFailException):
        render()
    row = row_of(recorded())
    assert row.outcome == "no funds"
    assert row.render_task_id


def test_abandoned_render_is_recorded(submitted, client, recorded, context):
    client.send(calls.abandon_task([submitted]))
    sensor = RenderbusTaskSensor(task_id="render", render_task_id=submitted)
    with pytest.raises(AirflowFailException):
        sensor.execute(context)
    assert row_of(recorded()).outcome == "rejected"


def test_invalid_argument_is_recorded_before_there_is_a_render(render, recorded):
    with pytest.raises(AirflowFailException):
        render(labels=["shot 10"], priority=7)
    row = row_of(recorded())
    assert (row.outcome, row.render_task_id) == ("failed", None)
    assert row.why.startswith("priority: must be")


@pytest.mark.parametrize("scenario", [{"renders": [{"seconds": [9000, 9000]}]}])
def test_timeout_is_recorded(render, recorded):
    with pytest.raises(AirflowException):
        render(timeout=0.05)
    row = row_of(recorded())
    assert (row.outcome, bool(row.render_task_id)) == ("failed", True)
    assert "Timed out waiting" in row.why


def test_killed_task_leaves_its_render(farm, recorded, context):
    operator = RenderbusRenderOperator(task_id="render", task_json=make_task_json(), deferrable=True)
    with pytest.raises(TaskDeferred):
        operator.execute(context)
    record = recorded()
    assert (record["outcome"], record["name"]) == ("started", "sh010")
    row = row_of(record)
    assert (row.outcome, row.name) == ("killed", "sh010")
    assert row.url == f"http://{farm.address}/task/{row.render_task_id}"
    assert row_of(record, "deferred").outcome == "rendering"


def test_failed_deferral_is_recorded(farm, recorded, context):
    arguments = {"task_id": "render", "task_json": make_task_json(), "deferrable": True}
    with pytest.raises(TaskDeferred):
        RenderbusRenderOperator(**arguments).execute(context)
    with pytest.raises(Exception, match="timeout"):
        RenderbusRenderOperator(**arguments).resume_execution("__fail__", {"error": "timeout"}, context)
    record = recorded()
    assert (record["outcome"], record["error"]) == ("failed", "timeout")


def test_steps_record_their_render(client, recorded, context):
    created = RenderbusCreateTaskOperator(task_id="create", labels=["shot 10"]).execute(context)
    assert (recorded()["name"], recorded()["renders"][0]["render_task_id"]) == ("shot 10", created)
    upload = RenderbusUploadTaskJsonOperator(task_id="upload", render_task_id=created, task_json={"a": 1})
    with pytest.raises(AirflowFailException):
        upload.execute(context)
    assert recorded()["outcome"] == "failed"
    assert recorded()["renders"] == [{"render_task_id": created}]
    RenderbusUploadTaskJsonOperator(
        task_id="upload", render_task_id=created, task_json=make_task_json()
    ).execute(context)
    RenderbusSubmitTaskOperator(task_id="submit", render_task_id=created).execute(context)
    assert (recorded()["outcome"], recorded()["renders"][0]["render_task_id"]) == ("started", created)


@pytest.mark.parametrize(
    ("given", "ids"), [("2W35", [35]), (["2W35", 36, "sh010"], [35, 36]), ("9" * 5000, [])]
)
def test_failure_before_a_request_records_the_ids_that_are_valid(recorded, context, given, ids):
    push_failure(SimpleNamespace(render_task_id=given), context, AirflowException("no connection"))
    assert [entry["render_task_id"] for entry in recorded()["renders"]] == ids


def test_sensor_records_each_of_its_renders(submitted, client, farm, recorded, context):
    farm.advance(7200)
    sensor = RenderbusTaskSensor(task_id="wait", render_task_id=[submitted, submitted])
    sensor.execute(context)
    assert [entry["state"] for entry in recorded()["renders"]] == ["FINISHED"] * len(recorded()["renders"])


def test_sensor_that_skips_is_recorded_as_skipped(recorded, context, farm):
    sensor = RenderbusFundsSensor(task_id="funds", min_funds="no number", soft_fail=True)
    with pytest.raises(AirflowSkipException):
        sensor.execute(context)
    assert recorded()["outcome"] == "skipped"
    assert row_of(recorded(), "skipped").outcome == "skipped"


def test_rescheduled_sensor_records_no_end(submitted, recorded, context, farm):
    sensor = RenderbusTaskSensor(task_id="wait", render_task_id=submitted, poke_interval=60)
    sensor.execute = sensor.execute  # the sensor pokes once below
    assert sensor.poke(context).is_done is False
    assert RECORD_KEY not in context["ti"].pushed


def test_record_that_airflow_refuses_fails_nothing(render, context, monkeypatch, caplog):
    push = TaskInstance.xcom_push

    def refuse(ti, key, value):
        if key == RECORD_KEY:
            raise RuntimeError("no database")
        push(ti, key, value)

    monkeypatch.setattr(TaskInstance, "xcom_push", refuse)
    assert render()["state"] == "FINISHED"
    assert "A report of this run will lack details of this task: RuntimeError('no database')" in caplog.text


def test_record_is_small_whatever_has_failed(context):
    groups = [{"layer": "x" * 500, "frames": "1-9" * 500, "reason": "y" * 500} for _ in range(50)]
    result = {"render_task_id": 1, "state": "FAILED", "failed_frames": groups, "output_folders": ["z"] * 900}
    operator = SimpleNamespace(ended_wait=SimpleNamespace(result=[result] * 500, outcome="failed"))
    push_failure(operator, context, AirflowException("e" * 100_000))
    record = context["ti"].pushed[RECORD_KEY]
    assert len(record["renders"]) == MAX_RENDERS
    assert len(str(record)) < 60_000
