from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from airflow_provider_renderbus.api.models.tasks import TaskInfo
from airflow_provider_renderbus.hooks.connection_fields import EXTRA_FIELDS, UI_FIELD_BEHAVIOUR
from dev.demo.checks import check_connection_form, check_returned, check_run
from dev.demo.nightly_expectations import CONTACT_SHEET, CREATE, INSTANCES, PREVIEW, SHOTS, WAIT
from dev.demo.run_monitor import Result
from dev.harness.airflow_instance import AirflowInstance
from dev.harness.processes import Programs

LOG = Path("scheduler.log")
FIRST = 35_000_001
ALL_DONE = {"total": 24, "done": 24, "failed": 0, "running": 0, "aborted": 0}


@pytest.fixture
def airflow(tmp_path):
    return AirflowInstance(tmp_path / "airflow", tmp_path, Programs())


@pytest.fixture
def result():
    numbers = {index: FIRST + index for index in range(len(SHOTS))}
    ends = {
        (WAIT, index): {
            "render_task_id": number,
            "state": "FINISHED",
            "frames": ALL_DONE,
            "cost": "0.54",
            "duration_seconds": 13.0,
            "output_folders": [f"{number}_{SHOTS[index]}"],
        }
        for index, number in numbers.items()
    }
    return Result(
        state="success",
        others=(),
        instances={
            (task_id, index): {
                "dag_id": "nightly_render",
                "dag_run_id": "scheduled__1",
                "task_id": task_id,
                "map_index": index,
                "try_number": 1,
                "state": "success",
            }
            for task_id, index in INSTANCES
        },
        returned=ends
        | {(CREATE, index): number for index, number in numbers.items()}
        | {(CONTACT_SHEET, -1): "sheet.png", (PREVIEW, -1): "preview.webp"},
        tasks={
            number: TaskInfo(number, 25, scene_name=f"{SHOTS[index]}.blend", render_consume=Decimal("0.54"))
            for index, number in numbers.items()
        },
    )


def test_a_good_run_passes(result, airflow):
    assert not list(check_run(result, airflow))
    assert not list(check_returned(result, LOG))


def test_a_failed_run_and_a_second_run_are_found(result, airflow):
    bad = replace(result, state="failed", others=("manual__1 (queued)",))
    assert [finding.found for finding in check_run(bad, airflow)] == ["failed", "also manual__1 (queued)"]


def test_a_missing_map_index_is_found(result, airflow):
    instances = {key: value for key, value in result.instances.items() if key != (WAIT, 2)}
    (finding,) = check_run(replace(result, instances=instances), airflow)
    assert "render_shot.wait[2]" in finding.expected
    assert "render_shot.wait[2]" not in finding.found


def test_a_task_that_did_not_succeed_is_found_with_its_log(result, airflow):
    failed = {**result.instances[WAIT, 1], "state": "failed", "try_number": 2}
    log = airflow.task_log(failed)
    log.parent.mkdir(parents=True)
    error = {"event": "Task failed", "error_detail": [{"exc_type": "OSError", "exc_value": "no room left"}]}
    log.write_text(
        "".join(f"{json.dumps(line)}\n" for line in ({"event": "begun"}, error, {"event": "ended"}))
    )
    (finding,) = check_run(replace(result, instances={**result.instances, (WAIT, 1): failed}), airflow)
    assert str(finding).splitlines() == [
        "render_shot.wait[1]",
        "  expected  success",
        "  found     failed, OSError: no room left",
        f"  look at   {log}",
    ]
    assert log.match(
        "dag_id=nightly_render/run_id=scheduled__1/task_id=render_shot.wait/map_index=1/attempt=2.log"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"render_task_id": FIRST},
        {"state": "FINISHED_HAS_FAILED"},
        {"frames": {**ALL_DONE, "done": 23, "failed": 1}},
        {"frames": None},
        {"cost": "0.53"},
        {"duration_seconds": None},
        {"output_folders": []},
    ],
    ids=str,
)
def test_a_wrong_end_is_found(change, result):
    returned = {**result.returned, (WAIT, 1): {**result.returned[WAIT, 1], **change}}
    (finding,) = check_returned(replace(result, returned=returned), LOG)
    assert finding.subject == "the end of sh020"


def test_a_render_that_cost_nothing_is_found(result):
    task = replace(result.tasks[FIRST], render_consume=Decimal(0))
    returned = {**result.returned, (WAIT, 0): {**result.returned[WAIT, 0], "cost": "0"}}
    bad = replace(result, returned=returned, tasks={**result.tasks, FIRST: task})
    assert [finding.subject for finding in check_returned(bad, LOG)] == ["the cost of sh010"]


@pytest.mark.parametrize("number", [None, "35000002", FIRST, 36_000_000])
def test_a_shot_without_a_task_of_its_own_is_found(number, result):
    returned = {**result.returned, (CREATE, 1): number}
    assert "of sh020" in [
        finding.expected for finding in check_returned(replace(result, returned=returned), LOG)
    ]


def test_a_wait_that_returned_nothing_is_found(result):
    returned = {key: value for key, value in result.returned.items() if key != (WAIT, 2)}
    findings = list(check_returned(replace(result, returned=returned), LOG))
    assert {finding.subject for finding in findings} == {"the end of sh030"}


def test_a_connection_form_that_lacks_something_is_found():
    form = {
        "standard_fields": {
            name: {"title": title} for name, title in UI_FIELD_BEHAVIOUR["relabeling"].items()
        },
        "extra_fields": {name: {"schema": {"title": extra.label}} for name, extra in EXTRA_FIELDS.items()},
    }
    assert not list(check_connection_form(form, LOG))
    for part in form:
        (finding,) = check_connection_form({**form, part: None}, LOG)
        assert finding.look_at == LOG
    assert len(list(check_connection_form({}, LOG))) == 2
