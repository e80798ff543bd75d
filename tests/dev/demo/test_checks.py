from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from airflow_provider_renderbus.api.models.tasks import TaskInfo
from airflow_provider_renderbus.reports import report
from dev.demo.checks import check_report, check_return_values, check_run
from dev.demo.nightly_expectations import CONTACT_SHEET, DAG_ID, INSTANCES, PREVIEW, RENDER, SHOTS
from dev.demo.run_monitor import RunResult
from dev.harness.airflow_instance import AirflowInstance
from dev.harness.processes import Programs

LOG = Path("scheduler.log")
FIRST = 35_000_001
ALL_DONE = {"total": 24, "done": 24, "failed": 0, "running": 0, "aborted": 0}


def run_failures(result, airflow):
    return list(check_run(result, airflow, DAG_ID, INSTANCES))


@pytest.fixture
def airflow(tmp_path):
    return AirflowInstance(tmp_path / "airflow", tmp_path, Programs())


@pytest.fixture
def result():
    ids = {index: FIRST + index for index in range(len(SHOTS))}
    renders = {
        (RENDER, index): {
            "render_task_id": render_task_id,
            "state": "FINISHED",
            "frames": ALL_DONE,
            "cost": "0.54",
            "duration_seconds": 13.0,
            "output_folders": [f"{render_task_id}_{SHOTS[index]}"],
        }
        for index, render_task_id in ids.items()
    }
    return RunResult(
        state="success",
        other_runs=(),
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
        return_values=renders | {(CONTACT_SHEET, -1): "sheet.png", (PREVIEW, -1): "preview.webp"},
        tasks={
            render_task_id: TaskInfo(
                render_task_id, 25, scene_name=f"{SHOTS[index]}.blend", render_consume=Decimal("0.54")
            )
            for index, render_task_id in ids.items()
        },
    )


def test_checks_correct_run_passes(result, airflow):
    assert not run_failures(result, airflow)
    assert not list(check_return_values(result, LOG))


def test_check_run_failed_and_second_runs_are_found(result, airflow):
    bad = replace(result, state="failed", other_runs=("manual__1 (queued)",))
    assert [failure.actual for failure in run_failures(bad, airflow)] == [
        "failed",
        "also manual__1 (queued)",
    ]


def test_check_run_missing_map_index_is_found(result, airflow):
    instances = {key: value for key, value in result.instances.items() if key != (RENDER, 2)}
    (failure,) = run_failures(replace(result, instances=instances), airflow)
    assert "render[2]" in failure.expected
    assert "render[2]" not in failure.actual


def test_check_run_failed_task_is_found_with_its_log(result, airflow):
    failed = {**result.instances[RENDER, 1], "state": "failed", "try_number": 2}
    log = airflow.task_log(failed)
    log.parent.mkdir(parents=True)
    error = {"event": "Task failed", "error_detail": [{"exc_type": "OSError", "exc_value": "no space left"}]}
    log.write_text(
        "".join(f"{json.dumps(line)}\n" for line in ({"event": "begun"}, error, {"event": "ended"}))
    )
    (failure,) = run_failures(replace(result, instances={**result.instances, (RENDER, 1): failed}), airflow)
    assert str(failure).splitlines() == [
        "render[1]",
        "  expected  success",
        "  actual    failed, OSError: no space left",
        f"  see       {log}",
    ]
    assert log.match("dag_id=nightly_render/run_id=scheduled__1/task_id=render/map_index=1/attempt=2.log")


@pytest.mark.parametrize(
    "change",
    [
        {"state": "FINISHED_HAS_FAILED"},
        {"frames": {**ALL_DONE, "done": 23, "failed": 1}},
        {"frames": None},
        {"cost": "0.53"},
        {"duration_seconds": None},
        {"output_folders": []},
    ],
    ids=str,
)
def test_check_return_values_wrong_result_is_found(change, result):
    return_values = {**result.return_values, (RENDER, 1): {**result.return_values[RENDER, 1], **change}}
    (failure,) = check_return_values(replace(result, return_values=return_values), LOG)
    assert failure.subject == "the result of sh020"


def test_check_return_values_render_without_cost_is_found(result):
    task = replace(result.tasks[FIRST], render_consume=Decimal(0))
    return_values = {**result.return_values, (RENDER, 0): {**result.return_values[RENDER, 0], "cost": "0"}}
    bad = replace(result, return_values=return_values, tasks={**result.tasks, FIRST: task})
    assert [failure.subject for failure in check_return_values(bad, LOG)] == ["the cost of sh010"]


@pytest.mark.parametrize("render_task_id", [None, "35000002", FIRST, 36_000_000])
def test_check_return_values_shot_without_a_task_of_its_own_is_found(render_task_id, result):
    render = {**result.return_values[RENDER, 1], "render_task_id": render_task_id}
    return_values = {**result.return_values, (RENDER, 1): render}
    assert "of sh020" in [
        failure.expected for failure in check_return_values(replace(result, return_values=return_values), LOG)
    ]


def test_check_return_values_missing_result_is_found(result):
    return_values = {key: value for key, value in result.return_values.items() if key != (RENDER, 2)}
    failures = list(check_return_values(replace(result, return_values=return_values), LOG))
    assert {failure.subject for failure in failures} == {"render None"}


def test_check_report_finds_a_shot_that_is_not_done(tmp_path):
    page = tmp_path / "report.html"
    results = [{"name": shot, "render_task_id": 1, "console_url": "http://a/1"} for shot in SHOTS]
    page.write_text(report([{**result, "state": "FINISHED"} for result in results]).html)
    (failure,) = check_report(page)
    assert failure.actual == "3 done, 0 pictures, without none"
    (failure,) = check_report(tmp_path / "none")
    assert "without sh010, sh020, sh030" in failure.actual
