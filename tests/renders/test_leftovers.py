"""Which running renders nothing waits for any more."""

import pytest

from airflow_provider_renderbus.api.models.tasks import read_task
from airflow_provider_renderbus.renders.fingerprint import JobFingerprint
from airflow_provider_renderbus.renders.leftovers import AirflowTask, find_leftovers, task_instances
from airflow_provider_renderbus.renders.reattach import RenderMarker, find_task_key, task_key

JOB = JobFingerprint("a1", "b1")
RUNNING = 5


def render(task=("render", "3"), status=RUNNING, dag_id="night", run_id="run", artist="Ada"):
    marker = RenderMarker((dag_id, run_id, "2026-01-01"), task, 2)
    data = {"id": 35, "taskStatus": status, "producer": marker.append_to(artist, JOB), "taskAlias": "2W35"}
    return read_task({**data, "beginTime": 1_700_000_000_000, "submitDate": 1_700_000_000_000})


def leftovers(state, **options):
    return find_leftovers([render(**options)], task_instances("night", {"run": {"render_3": state}}))


def test_marker_has_key_without_the_date():
    tagged = RenderMarker(("night", "run", "2026-01-01"), ("render", "3"), 2).append_to("Ada", JOB)
    assert find_task_key(tagged) == task_key("night", "run", "render", "3")


@pytest.mark.parametrize("artist", [None, "", "Ada", "Ada [airflow 1 2 3 1:a1:b1]", "[task 0123456789ab]"])
def test_artist_without_key_has_none(artist):
    assert find_task_key(artist) is None


@pytest.mark.parametrize("state", ["failed", "success", "skipped", "removed", "upstream_failed"])
def test_render_of_ended_task_is_left_over(state):
    (leftover,) = leftovers(state)
    assert leftover.to_dict() == {
        "render_task_id": 35,
        "dag_id": "night",
        "run_id": "run",
        "task_id": "render",
        "map_index": 3,
        "state": state,
    }


@pytest.mark.parametrize(
    "state",
    ["running", "deferred", "restarting", "queued", "scheduled", "up_for_retry", "up_for_reschedule", None],
)
def test_render_of_task_that_continues_is_kept(state):
    assert leftovers(state) == []


@pytest.mark.parametrize("status", [10, 15, 20, 25, 30, 35, 40, 45])
def test_render_that_does_not_run_is_kept(status):
    assert leftovers("failed", status=status) == []


@pytest.mark.parametrize(
    "other", [{"dag_id": "day"}, {"run_id": "other"}, {"task": ("render", "4")}, {"task": ("other", "3")}]
)
def test_render_of_unknown_task_is_kept(other):
    assert leftovers("failed", **other) == []


def test_render_of_task_whose_name_ends_with_a_number_is_found():
    instances = [*task_instances("night", {"run": {"render_3": "failed"}})]
    assert AirflowTask("night", "run", "render_3", -1, "failed") in instances
    (leftover,) = find_leftovers([render(("render_3", "-1"))], instances)
    assert (leftover.airflow_task.task_id, leftover.airflow_task.map_index) == ("render_3", -1)
