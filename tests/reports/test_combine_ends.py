"""Results of shots from the ends of their Airflow tasks."""

from __future__ import annotations

import time

import pytest

from airflow_provider_renderbus.reports import report
from airflow_provider_renderbus.reports.collect import TaskEnd, combine_ends


def record(task_id, outcome, *renders, map_index=-1, name=None, error="", reason=""):
    return {
        "task_id": task_id,
        "map_index": map_index,
        "outcome": outcome,
        "name": name,
        "error": error,
        "reason": reason,
        "renders": list(renders),
    }


def end(task_id, state, *renders, outcome=None, upstream=(), map_index=-1, **options):
    recorded = record(task_id, outcome, *renders, map_index=map_index, **options) if outcome else None
    return TaskEnd(task_id, map_index, state, recorded, frozenset(upstream))


CREATED = {"render_task_id": 35}
FINISHED = {"render_task_id": 35, "state": "FINISHED", "cost": "1.5"}
STEPS = ["create", "upload", "submit"]


def rows(*ends):
    results = combine_ends(ends)
    return sorted((row.name, row.outcome.value) for row in report(results).rows)


def test_steps_of_a_shot_are_one_result():
    (result,) = combine_ends(
        [
            end("create", "success", CREATED, outcome="started", name="sh010"),
            end("upload", "success", upstream=["create"]),
            end("submit", "success", CREATED, outcome="started", upstream=["create", "upload"]),
            end("wait", "success", FINISHED, outcome="succeeded", upstream=STEPS),
        ]
    )
    assert (result["name"], result["state"], result["cost"], result["task"]) == (
        "sh010",
        "FINISHED",
        "1.5",
        "wait",
    )
    assert "error" not in result


def test_mapped_steps_are_one_result_per_shot():
    ends = []
    for index, state in enumerate(("FINISHED", "ABANDON")):
        render = {"render_task_id": 35 + index}
        create = end("create", "success", render, outcome="started", name=f"sh0{index}", map_index=index)
        wait = {**render, "state": state}
        ends += [
            create,
            end("wait", "success", wait, outcome="succeeded", upstream=["create"], map_index=index),
        ]
    assert rows(*ends) == [("sh00", "done"), ("sh01", "rejected")]


def test_step_that_fails_before_there_is_a_render_is_one_result():
    failed = end(
        "create", "failed", outcome="failed", name="sh010", error="no money", reason="insufficient_funds"
    )
    others = [end(name, "upstream_failed", upstream=["create"]) for name in ("upload", "submit", "wait")]
    assert rows(failed, *others) == [("sh010", "no funds")]


def test_step_that_fails_after_the_create_is_not_submitted_elsewhere():
    (result,) = combine_ends(
        [
            end("create", "success", CREATED, outcome="started", name="sh010"),
            end(
                "upload", "failed", CREATED, outcome="failed", upstream=["create"], error="task_json: must be"
            ),
            end("submit", "upstream_failed", upstream=["create", "upload"]),
        ]
    )
    assert (result["name"], result["error"], result["task"]) == ("sh010", "task_json: must be", "upload")


@pytest.mark.parametrize(
    ("state", "outcome"),
    [("upstream_failed", "not submitted"), ("skipped", "skipped"), ("removed", "skipped")],
)
def test_shot_that_never_ran_has_one_result(state, outcome):
    ends = [end(name, state, upstream=["create"][:index]) for index, name in enumerate(("create", "wait"))]
    assert rows(*ends) == [("create", outcome)]


def test_mapped_shots_that_never_ran_have_a_result_each():
    funds = end("funds", "failed", outcome="failed", error="too low")
    shots = [end("shot", "upstream_failed", upstream=["funds"], map_index=index) for index in range(3)]
    assert rows(funds, *shots) == [
        ("funds", "failed"),
        *((f"shot[{index}]", "not submitted") for index in range(3)),
    ]


@pytest.mark.parametrize("state", ["running", "deferred", "queued", None])
def test_task_that_is_under_way_is_rendering(state):
    assert rows(end("shot", state, CREATED, outcome="started", name="sh010")) == [("sh010", "rendering")]


def test_task_that_is_killed_says_so():
    assert rows(end("shot", "failed", CREATED, outcome="started", name="sh010")) == [("sh010", "killed")]
    assert rows(end("shot", "failed")) == [("shot", "killed")]


def test_killed_step_after_the_create_says_so_of_its_render():
    create = end("create", "success", CREATED, outcome="started", name="sh010")
    assert rows(create, end("submit", "failed", upstream=["create"])) == [("sh010", "killed")]


def test_successful_task_without_a_render_has_no_result():
    assert rows(end("funds", "success"), end("assets", "success")) == []


def test_skipped_branch_leaves_the_shot_as_it_is():
    paused = {"render_task_id": 35, "state": "FINISHED_TEST"}
    test_frames = end("test_frames", "success", paused, outcome="succeeded", name="sh010")
    others = [end(name, "skipped", upstream=["test_frames"]) for name in ("full_speed", "wait")]
    assert rows(test_frames, *others) == [("sh010", "paused")]


def test_forecast_of_the_pause_stays():
    paused = {"render_task_id": 35, "state": "FINISHED_TEST", "forecast": {"cost": "4"}}
    (result,) = combine_ends(
        [
            end("test_frames", "success", paused, outcome="succeeded"),
            end(
                "rest",
                "success",
                {**FINISHED, "forecast": None},
                outcome="succeeded",
                upstream=["test_frames"],
            ),
        ]
    )
    assert (result["forecast"], result["cost"]) == ({"cost": "4"}, "1.5")


@pytest.mark.parametrize("reason", ["", "over_budget"])
def test_success_of_a_later_task_replaces_the_failure_of_an_earlier_one(reason):
    paused = {"render_task_id": 35, "state": "FINISHED_TEST", "cost": "0.5"}
    first = end("first", "failed", paused, outcome="failed", error="too dear", reason=reason)
    (result,) = combine_ends(
        [first, end("rest", "success", FINISHED, outcome="succeeded", upstream=["first"])]
    )
    assert (report(result).rows[0].outcome, report(result).rows[0].why) == ("done", "")


def test_success_of_a_task_beside_a_failed_one_hides_no_failure():
    failed = end("download", "failed", {"render_task_id": 35}, outcome="failed", error="disk full")
    beside = end("wait", "success", FINISHED, outcome="succeeded")
    for order in ([failed, beside], [beside, failed]):
        assert [row.outcome for row in report(combine_ends(order)).rows] == ["failed"]


def test_sensor_for_several_renders_has_a_result_each():
    two = [{"render_task_id": each, "scene": f"sh{each}.ma", "state": "FINISHED"} for each in (35, 36)]
    assert rows(end("wait", "success", *two, outcome="succeeded")) == [("sh35", "done"), ("sh36", "done")]


def test_record_that_somebody_has_edited_is_left_out():
    broken = TaskEnd("shot", -1, "success", {"renders": [{}, {"render_task_id": None}], "outcome": 7})
    assert len(combine_ends([broken])) == 1


def test_thousands_of_mapped_shots_are_combined_in_linear_time():
    ends = []
    for index in range(3000):
        render = {"render_task_id": index + 1, "state": "FINISHED"}
        ends.append(end("create", "success", render, outcome="started", map_index=index))
    for name, upstream in (("upload", STEPS[:1]), ("submit", STEPS[:2]), ("wait", STEPS)):
        ends += [end(name, "success", upstream=upstream, map_index=index) for index in range(3000)]
    began = time.process_time()
    assert len(combine_ends(ends)) == 3000
    assert time.process_time() - began < 5
