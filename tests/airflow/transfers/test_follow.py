"""The download operator follows a render: frames come in bursts while others are rendered."""

from __future__ import annotations

import functools
import logging

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException, TaskDeferred
from airflow_provider_renderbus.operators.download_frames import RenderbusDownloadFramesOperator
from tests.airflow.context import context
from tests.airflow.run_to_completion import run_to_completion
from tests.airflow.transfers.files import contents
from tests.airflow.transfers.test_download_frames import layered_task_json
from tests.scenes import make_task_json


@pytest.fixture
def make_operator(frames):
    def make_operator(task_id, **options):
        return RenderbusDownloadFramesOperator(
            **{
                "task_id": "download",
                "render_task_id": task_id,
                "folder": str(frames),
                "poll_interval": 20,
                "follow": True,
                **options,
            }
        )

    return make_operator


@pytest.fixture
def arrivals(frames, farm, hook_sleeps):
    """Advances the farm while the operator sleeps, and records how many frames had arrived each time."""
    arrivals = []

    def sleep(seconds):
        arrivals.append(len(list(frames.rglob("*.png"))))
        farm.advance(seconds)

    hook_sleeps(sleep)
    return arrivals


def test_follow_downloads_frames_as_they_are_done(farm, submit, make_operator, arrivals, frames):
    result = make_operator(submit(make_task_json(frames="1-12[1]"))).execute(context())
    assert len(set(arrivals)) > 3
    assert arrivals == sorted(arrivals)
    assert (result["files"], result["missing_frames"]) == (12, [])
    assert contents(frames) == contents(farm.output_root)


def test_follow_waits_for_a_burst_of_frames(submit, make_operator, arrivals, client, farm):
    queries = []
    task_id = submit(make_task_json(frames="1-12[1]"))
    operator = make_operator(task_id, burst_frames=6)
    run = operator.hook.run
    operator.hook.run = lambda flow: (queries.append(flow.__name__), run(flow))[1]
    operator.execute(context())
    # The first look, a burst of six or more, and the end.
    assert queries.count("list_leaf_files") == 3
    assert min(filter(None, arrivals)) >= 6


@pytest.mark.parametrize("task_json", [make_task_json(), layered_task_json("beauty", "shadow")])
def test_follow_deferred_downloads_all(farm, submit, make_operator, frames, task_json, hook_sleeps):
    hook_sleeps(farm.advance)
    task_id = submit(task_json)
    result = run_to_completion(
        farm, functools.partial(make_operator, task_id, deferrable=True, layout="{layer}"), context()
    )
    assert len(contents(frames)) == len(contents(farm.output_root))
    assert result["files"] == len(contents(farm.output_root))
    assert {layer["frames"]["done"] for layer in result["layers"]} <= {3, 4}


def test_follow_deferral_holds_a_condition_and_its_deadline(submit, make_operator):
    with pytest.raises(TaskDeferred) as deferred:
        make_operator(submit(make_task_json()), deferrable=True, burst_frames=3).execute(context())
    condition = deferred.value.trigger.condition
    assert condition == {"kind": "advanced", "task_id": condition["task_id"], "done": 0, "burst": 3}
    assert deferred.value.kwargs.keys() == {"deadline"}


def test_follow_rendered_again_frame_is_downloaded_again(
    submit, make_operator, frames, client, farm, hook_sleeps
):
    task_id = submit(make_task_json())
    recommitted = []

    def sleep(seconds):
        farm.advance(seconds)
        listed = client.run(flows.list_frames(task_id))
        if not recommitted and (done := [frame for frame in listed if frame.status.name == "DONE"]):
            recommitted.append(frames / f"{task_id}_sh010" / f"sh010_{int(done[0].name):04}.png")
            client.send(calls.recommit_frames(ids=[done[0].id]))
            (original,) = farm.output_root.rglob(recommitted[0].name)
            original.write_bytes(b"old")

    hook_sleeps(sleep)
    make_operator(task_id).execute(context())
    assert recommitted[0].read_bytes() != b"old"
    assert contents(frames) == contents(farm.output_root)


class TestFailures:
    @pytest.fixture
    def scenario(self):
        return {"renders": [{"scene": "bad*", "fail_frames": "2"}]}

    def test_follow_failed_render_fails_with_retries_after_its_good_frames(
        self, submit, make_operator, arrivals, frames
    ):
        with pytest.raises(
            AirflowException, match=r"FINISHED_HAS_FAILED.* Its frames that are done are in"
        ) as caught:
            make_operator(submit(make_task_json("bad"))).execute(context())
        assert not isinstance(caught.value, AirflowFailException)
        assert len(contents(frames)) == 3

    def test_follow_stops_no_render(self, submit, make_operator, client, farm):
        task_id = submit(make_task_json())
        operator = make_operator(task_id, timeout=1)
        with pytest.raises(SystemExit):
            operator.on_kill()
        assert client.send(calls.query_task_info([task_id]))[task_id].status.name == "WAITING"

    def test_follow_timeout_fails_with_progress(self, submit, make_operator, arrivals, client):
        task_id = submit(make_task_json())
        with pytest.raises(AirflowException, match=r"Timed out waiting: Render \d+: 0 of 4 frames done"):
            make_operator(task_id, timeout=0.001).execute(context())
        assert client.send(calls.query_task_info([task_id]))[task_id].status.phase.name == "ACTIVE"

    def test_follow_burst_that_fails_is_tried_again(
        self, submit, make_operator, arrivals, fault, caplog, frames, farm
    ):
        fault("after=0 exit=10 times=1")
        make_operator(submit(make_task_json())).execute(context())
        assert "The next download tries it again" in caplog.text
        assert contents(frames) == contents(farm.output_root)
        assert logging.WARNING in {record.levelno for record in caplog.records}

    @pytest.mark.parametrize("seconds", [0, "soon", None])
    def test_follow_invalid_timeout_is_rejected(self, seconds):
        with pytest.raises((ValueError, TypeError)):
            RenderbusDownloadFramesOperator(task_id="d", render_task_id=1, folder="/f", timeout=seconds)


def test_follow_pause_after_test_frames_fetches_them(
    submit, make_operator, farm, frames, client, hook_sleeps
):
    task_json = make_task_json(frames="1-9[1]")
    task_json["task_info"] |= {"pre_frames": "100", "stop_after_test": "1"}
    task_id = submit(task_json)
    seen = []

    def sleep(seconds):
        farm.advance(seconds)
        if client.send(calls.query_task_info([task_id]))[task_id].status.name == "FINISHED_TEST":
            seen.append(len(list(frames.rglob("*.png"))))
            if seen[-1]:
                client.send(calls.full_speed([task_id]))

    hook_sleeps(sleep)
    make_operator(task_id, burst_frames=5).execute(context())
    assert seen[-1] == 1
    assert len(contents(frames)) == 9
