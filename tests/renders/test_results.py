"""Results: what a state means for a wait, and the line that describes a render."""

import pytest

from airflow_provider_renderbus.api.models.tasks import read_task
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.renders.results import Outcome, classify, describe, evaluate_task


@pytest.mark.parametrize("status", TaskStatus)
def test_classify_status_without_target_states(status):
    permanent = {
        TaskStatus.FINISHED_HAS_FAILED,
        TaskStatus.FAILED,
        TaskStatus.STOP,
        TaskStatus.USER_STOP,
        TaskStatus.ARREARAGE_STOP,
        TaskStatus.ABANDON,
    }
    pending = {
        TaskStatus.UNKNOWN,
        TaskStatus.WAITING,
        TaskStatus.RENDERING,
        TaskStatus.PRE_RENDERING,
        TaskStatus.FINISHED_TEST,
        TaskStatus.ANALYSE,
        TaskStatus.RENDERING_TASK_SUBMITTING,
        TaskStatus.UPDATING,
    }
    expected = (
        Outcome.SUCCEEDED
        if status is TaskStatus.FINISHED
        else Outcome.FAILED_PERMANENTLY
        if status in permanent
        else None
        if status in pending
        else Outcome.FAILED
    )
    assert classify(status) is expected


def test_classify_with_target_states_succeeds_at_them_only():
    assert classify(TaskStatus.FINISHED_TEST, {TaskStatus.FINISHED_TEST}) is Outcome.SUCCEEDED
    assert classify(TaskStatus.FINISHED, {TaskStatus.FINISHED_TEST}) is Outcome.FAILED


@pytest.mark.parametrize(
    ("stop_type", "outcome", "words"),
    [
        (None, Outcome.STALE_STOP, "STOP (stopped by the user or an administrator), 0 of"),
        (0, Outcome.STALE_STOP, "STOP (stopped by the user or an administrator), 0 of"),
        (1, Outcome.FAILED_PERMANENTLY, "stop type: by the user (1)"),
        (2, Outcome.FAILED_PERMANENTLY, "stop type: by an administrator (2)"),
        (3, Outcome.FAILED_PERMANENTLY, "ARREARAGE_STOP (stopped: out of funds), stop type: by billing (3)"),
        (4, Outcome.FAILED_PERMANENTLY, "stop type: in the vendor's client (4)"),
        (5, Outcome.STALE_STOP, "stop type: through the API (5)"),
        (6, None, ""),
        (7, Outcome.FAILED_PERMANENTLY, "stop type: because its project was deleted (7)"),
        (8, Outcome.STALE_STOP, "STOP (stopped by the user or an administrator), 0 of"),
        (9, None, ""),
        (10, Outcome.FAILED, "TIME_OUT_STOP (stopped: time limit exceeded), stop type: because of overtime"),
    ],
)
@pytest.mark.parametrize("is_layered", [False, True])
def test_evaluate_task_stop_depends_on_its_type(stop_type, outcome, words, is_layered):
    leaf = {"id": 35, "taskStatus": 10, "stopType": stop_type}
    finished = {"id": 36, "taskStatus": 25, "stopType": 1}
    data = {"id": 34, "taskStatus": 0, "respRenderingTaskList": [leaf, finished]} if is_layered else leaf
    result = evaluate_task(read_task(data), ignore_stops=True)
    assert (result and result.outcome) is outcome
    assert result is None or words in result.message


@pytest.mark.parametrize("stop_types", [[5], [5, 1], [5, 8], [None], [2]], ids=str)
def test_evaluate_task_only_stop_through_the_api_is_stale_at_any_time(stop_types):
    leaves = [{"id": 35, "taskStatus": 10, "stopType": stop_type} for stop_type in stop_types]
    data = {"id": 34, "taskStatus": 0, "respRenderingTaskList": leaves}
    result = evaluate_task(read_task(data), ignore_api_stop=True)
    is_stale = 5 in stop_types and 1 not in stop_types
    assert result.outcome is (Outcome.STALE_STOP if is_stale else Outcome.FAILED_PERMANENTLY)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"taskStatus": 25}, "Render 35: FINISHED, 0 of 0 frames done, cost 0"),
        (
            {
                "taskStatus": 30,
                "sceneName": "V:\\shots\\sh010.ma",
                "totalFrames": 4,
                "doneFrames": 3,
                "failedFrames": 1,
            },
            (
                "Render 35 (sh010.ma): FINISHED_HAS_FAILED (finished, some frames failed), "
                "3 of 4 frames done, 1 failed, cost 0"
            ),
        ),
        (
            {"taskStatus": 4711, "sceneName": "/shots/sh010.ma", "renderConsume": 0.41},
            (
                "Render 35 (sh010.ma): state 4711 (a code that is not documented), "
                "0 of 0 frames done, cost 0.41"
            ),
        ),
        (
            {"taskStatus": 25, "startTime": 1_767_225_600_000, "completedDate": 1_767_225_700_500},
            "Render 35: FINISHED, 0 of 0 frames done, 100.5 s, cost 0",
        ),
    ],
    ids=["plain", "scene and failed frames", "unknown state", "time"],
)
def test_describe_names_render_scene_and_state_once(fields, line):
    assert describe(read_task({"id": 35, **fields})) == line


@pytest.mark.parametrize(
    ("own", "leaf", "outcome"),
    [(65, 0, Outcome.FAILED), (60, 25, None), (100, 25, None), (0, 25, Outcome.SUCCEEDED)],
)
def test_evaluate_task_layered_task_with_own_state(own, leaf, outcome):
    leaves = [{"id": 36, "taskStatus": leaf}, {"id": 37, "taskStatus": leaf}]
    result = evaluate_task(read_task({"id": 35, "taskStatus": own, "respRenderingTaskList": leaves}))
    assert (result and result.outcome) is outcome


def test_describe_shows_scene_name_on_one_short_line():
    line = describe(read_task({"id": 35, "taskStatus": 25, "sceneName": "a\nb\x1b[2J" + "c" * 5000}))
    assert line.startswith("Render 35 (a b\ufffd[2Jc")
    assert len(line) < 400
