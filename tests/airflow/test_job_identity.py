"""A later try of RenderbusRenderOperator renders its own job, on the embedded farm."""

import json
import logging
import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException
from airflow_provider_renderbus.operators.reattach import NEVER_EXPIRE
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from airflow_provider_renderbus.renders.fingerprint import JobFingerprint
from airflow_provider_renderbus.renders.reattach import PreviousRender, RenderStore
from airflow_provider_renderbus.sensors import RenderbusFundsSensor, RenderbusTaskSensor
from tests.airflow.airflow_task import AirflowTask, start_render
from tests.airflow_version import LINE
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection")

SHOT_A, SHOT_B = make_task_json("shot_A", "1-4[1]"), make_task_json("shot_B", "1-8[1]")


@pytest.fixture
def render_of(client):
    """Returns what the farm has of a render."""

    def render_of(task_id):
        return client.run(flows.get_task(task_id))

    return render_of


def stop(client, task_id):
    client.send(calls.stop_task([task_id]))


@pytest.fixture(params=["active", "stopped", "finished and not delivered"])
def first_render(request, airflow_task, farm, client):
    """A render of shot A whose worker was lost while it waited."""
    task_id = start_render(airflow_task, task_json=SHOT_A)
    farm.advance(7200 if request.param.startswith("finished") else 30)
    if request.param == "stopped":
        stop(client, task_id)
    return task_id


def test_retry_with_another_job_fails_and_pays_nothing(
    first_render, airflow_task, submitted_ids, render_of, farm
):
    with pytest.raises(AirflowFailException, match="submitted by an earlier try for another job") as failure:
        airflow_task.try_once(task_json=SHOT_B)
    message = str(failure.value)
    assert "on_job_change" in message
    if airflow_task.store is not None:
        assert "task_json.scene_info_render.common.frames" in message
    assert submitted_ids() == [first_render]
    assert not farm.request_counts["start_task"]
    assert render_of(first_render).is_terminal


def test_retry_with_another_job_rerenders_if_asked(first_render, airflow_task, submitted_ids, render_of):
    result = airflow_task.try_once(task_json=SHOT_B, on_job_change="rerender")
    assert "shot_B" in result["output_folders"][0]
    assert result["frames"]["done"] == 8
    assert sorted(submitted_ids()) == [first_render, result["render_task_id"]]
    assert render_of(first_render).is_terminal


def test_retry_with_another_job_reattaches_if_asked(first_render, airflow_task, submitted_ids):
    for _ in range(2):
        result = airflow_task.try_once(task_json=SHOT_B, on_job_change="reattach")
        assert result["render_task_id"] == first_render
    assert submitted_ids() == [first_render]


def test_clear_with_another_job_renders_it(first_render, airflow_task, submitted_ids, render_of):
    airflow_task.clear()
    result = airflow_task.try_once(task_json=SHOT_B)
    assert "shot_B" in result["output_folders"][0]
    assert sorted(submitted_ids()) == [first_render, result["render_task_id"]]
    assert render_of(first_render).is_terminal


def test_clear_with_the_same_job_reattaches_unless_delivered(
    first_render, airflow_task, submitted_ids, request
):
    airflow_task.clear()
    result = airflow_task.try_once(task_json=SHOT_A)
    counts_as_delivered = airflow_task.store is None and "finished" in request.node.callspec.id
    assert (result["render_task_id"] != first_render) == counts_as_delivered
    assert len(submitted_ids()) == (2 if counts_as_delivered else 1)


def test_clear_stop_not_confirmed_pays_nothing(airflow_task, farm, submitted_ids):
    task_id = start_render(airflow_task, task_json=SHOT_A)
    farm.advance(30)
    farm.inject("code", code=500, calls=["stop_task"], times=1000)
    airflow_task.clear()
    with pytest.raises(AirflowException, match="No new render was started"):
        airflow_task.try_once(task_json=SHOT_B)
    assert submitted_ids() == [task_id]


@pytest.mark.parametrize(
    "change", [{"artist": "Bob"}, {"labels": ["wip"]}, {"priority": 60}, {"max_cost": "100"}]
)
def test_retry_with_other_label_or_budget_is_the_same_job(change, airflow_task, submitted_ids):
    task_id = start_render(airflow_task, task_json=SHOT_A)
    assert airflow_task.try_once(task_json=SHOT_A, **change)["render_task_id"] == task_id
    assert submitted_ids() == [task_id]


def test_retry_fingerprint_of_other_version_reattaches(farm, hook_sleeps, caplog, capsys):
    caplog.set_level(logging.INFO)
    hook_sleeps(farm.advance)
    airflow_task = AirflowTask(farm, has_store=True)
    task_id = start_render(airflow_task, task_json=SHOT_A)
    airflow_task.store["renderbus_render"]["fingerprint"] |= {"version": 0}
    assert airflow_task.try_once(task_json=SHOT_B)["render_task_id"] == task_id
    # Airflow 3 writes the log of an operator to standard output.
    assert "stored by another version of the provider" in caplog.text + capsys.readouterr().out


def test_retry_with_unreadable_job_reattaches(airflow_task, tmp_path, submitted_ids):
    path = tmp_path / "task.json"
    path.write_text(json.dumps(SHOT_A))
    task_id = start_render(airflow_task, task_json=str(path))
    path.unlink()
    assert airflow_task.try_once(task_json=str(path))["render_task_id"] == task_id
    assert submitted_ids() == [task_id]


class TestLostStore:
    """``airflow state-store clean`` has removed the row, or an administrator has."""

    def test_retry_finds_render_by_marker(self, farm, hook_sleeps, submitted_ids, caplog):
        hook_sleeps(farm.advance)
        airflow_task = AirflowTask(farm, has_store=True)
        task_id = start_render(airflow_task, task_json=SHOT_A)
        airflow_task.store.clear()
        assert airflow_task.try_once(task_json=SHOT_A)["render_task_id"] == task_id
        assert submitted_ids() == [task_id]
        assert f"Render {task_id}: found by the marker" in caplog.text

    @pytest.mark.parametrize(
        "stored",
        [
            "35000001",
            [35000001],
            {"render_task_id": 35000001},
            {"render_task_id": None, "max_tries": 2},
            {"render_task_id": 0, "max_tries": 2},
            {"render_task_id": 35000001, "max_tries": "2"},
            # These can be read, at least in part.
            {"render_task_id": "35000001", "max_tries": 2},
            {"render_task_id": 35000001, "max_tries": 2, "fingerprint": "b2013002eb"},
            {
                "render_task_id": 35000001,
                "max_tries": 2,
                "fingerprint": {"job": "b2013002eb", "assets": "", "fields": None, "version": 1},
            },
        ],
        ids=ascii,
    )
    def test_retry_with_odd_row_finds_render(self, stored, farm, hook_sleeps, submitted_ids):
        hook_sleeps(farm.advance)
        airflow_task = AirflowTask(farm, has_store=True)
        task_id = start_render(airflow_task, task_json=SHOT_A)
        airflow_task.store["renderbus_render"] = stored
        assert airflow_task.try_once(task_json=SHOT_A)["render_task_id"] == task_id == 35000001
        assert submitted_ids() == [task_id]
        assert airflow_task.store["renderbus_render"]["delivered"] is True

    def test_retry_with_another_job_fails(self, farm, hook_sleeps, submitted_ids):
        hook_sleeps(farm.advance)
        airflow_task = AirflowTask(farm, has_store=True)
        task_id = start_render(airflow_task, task_json=SHOT_A)
        airflow_task.store.clear()
        with pytest.raises(AirflowFailException, match=r"fingerprint [0-9a-f]+ instead of"):
            airflow_task.try_once(task_json=SHOT_B)
        assert submitted_ids() == [task_id]


def test_retry_finds_submit_that_the_list_shows_late(farm, hook_sleeps, submitted_ids):
    """The farm's list shows a render only at the third search."""
    hook_sleeps(farm.advance)
    airflow_task = AirflowTask(farm, has_store=False)
    task_id = start_render(airflow_task, task_json=SHOT_A)
    before = farm.request_counts["get_task_list"]
    farm.inject("code", code=700, calls=["get_task_list"], times=2)
    assert airflow_task.try_once(task_json=SHOT_A)["render_task_id"] == task_id
    assert farm.request_counts["get_task_list"] >= before + 3
    assert submitted_ids() == [task_id]


def test_retry_that_may_rerender_finds_the_newest_render_that_the_list_shows_late(
    farm, hook_sleeps, submitted_ids, monkeypatch
):
    """The first retry has replaced the render of the first try, and the list does not show that yet."""
    hook_sleeps(farm.advance)
    airflow_task = AirflowTask(farm, has_store=False)
    first = start_render(airflow_task, task_json=SHOT_A)
    second = start_render(airflow_task, task_json=SHOT_B, on_job_change="rerender")
    search, searches = RenderStore._search, []

    def search_late(store):
        searches.append(store)
        if len(searches) > 1:
            return search(store)
        job = JobFingerprint.of({"task_json": SHOT_A})
        return PreviousRender(first, is_cleared=False, is_delivered=None, fingerprint=job), True

    monkeypatch.setattr(RenderStore, "_search", search_late)
    result = airflow_task.try_once(task_json=SHOT_B, on_job_change="rerender")
    assert result["render_task_id"] == second
    assert sorted(submitted_ids()) == [first, second]


def test_first_try_sends_only_what_a_render_needs(airflow_task, farm):
    """Not one request more than before later tries asked whether the render is of their job.

    The first render of an hour has queried the farm's lists.
    """
    start_render(airflow_task, task_json=SHOT_A)
    before = farm.request_counts.copy()
    start_render(AirflowTask(farm, has_store=True), task_json=SHOT_A)
    steps = ("query_user_profile", "create_task", "upload_task_json", "submit_task")
    assert farm.request_counts - before == Counter([*steps, "query_task_info"])


@pytest.mark.parametrize("days", [0, 1.9, 2.5, 30])
def test_retry_logical_date_ahead_reattaches(days, farm, hook_sleeps, submitted_ids):
    """Airflow 2 with ``[scheduler] allow_trigger_in_future``: the date lies after the start of the run."""
    hook_sleeps(farm.advance)
    airflow_task = AirflowTask(farm, has_store=False)
    started = datetime.fromtimestamp(1_767_225_600, UTC)
    airflow_task.values = {
        "dag_run": SimpleNamespace(start_date=started),
        "logical_date": started + timedelta(days=days),
    }
    task_id = start_render(airflow_task, task_json=SHOT_A)
    assert airflow_task.try_once(task_json=SHOT_A)["render_task_id"] == task_id
    assert submitted_ids() == [task_id]


class TestRunMadeAgain:
    """A run is deleted and made again with its id, before Airflow 3.3."""

    def test_first_try_renders_its_own_job(self, farm, hook_sleeps, submitted_ids):
        hook_sleeps(farm.advance)
        first = AirflowTask(farm, has_store=False).try_once(task_json=SHOT_A)
        again = AirflowTask(farm, has_store=False).try_once(task_json=SHOT_A)
        assert sorted(submitted_ids()) == [first["render_task_id"], again["render_task_id"]]

    def test_retry_of_run_with_another_date_finds_nothing_old(self, farm, hook_sleeps):
        hook_sleeps(farm.advance)
        old = AirflowTask(farm, has_store=False).try_once(task_json=SHOT_A)
        again = AirflowTask(farm, has_store=False)
        again.values = {"dag_run": SimpleNamespace(run_after=datetime(2026, 1, 2, tzinfo=UTC))}
        again.try_number = 1
        assert again.try_once(task_json=SHOT_A)["render_task_id"] != old["render_task_id"]

    def test_retry_of_run_with_same_date_and_another_job_pays_nothing(self, farm, hook_sleeps):
        hook_sleeps(farm.advance)
        AirflowTask(farm, has_store=False).try_once(task_json=SHOT_A)
        again = AirflowTask(farm, has_store=False)
        again.try_number = 1
        with pytest.raises(AirflowFailException, match="for another job"):
            again.try_once(task_json=SHOT_B)


class TestAssets:
    @pytest.fixture
    def scene(self, tmp_path):
        scene = tmp_path / "sh010.blend"
        scene.write_text("version 1")
        return scene

    @pytest.fixture
    def job(self, scene):
        return {"task_json": make_task_json(str(scene)), "assets": [str(scene)]}

    def test_retry_scene_saved_again_reattaches(self, airflow_task, scene, job, submitted_ids):
        task_id = start_render(airflow_task, **job)
        scene.write_text("version 2, longer")
        assert airflow_task.try_once(**job)["render_task_id"] == task_id
        assert submitted_ids() == [task_id]

    def test_clear_corrected_scene_is_uploaded_and_rendered(
        self, airflow_task, scene, job, farm, submitted_ids
    ):
        task_id = start_render(airflow_task, **job)
        scene.write_text("version 2, longer")
        airflow_task.clear()
        assert airflow_task.try_once(**job)["render_task_id"] != task_id
        assert len(submitted_ids()) == 2
        inputs = farm.output_root.parents[1] / "input"
        assert [path.read_text() for path in inputs.rglob("sh010.blend")] == ["version 2, longer"]

    @pytest.mark.parametrize("call", ["stop_task", "create_task", "upload_task_json"])
    def test_clear_whose_new_render_fails_before_the_submit_does_not_return_the_old_one(
        self, airflow_task, scene, job, farm, submitted_ids, call
    ):
        """A retry finds only the marker of the old render, and cannot know of the clear."""
        task_id = start_render(airflow_task, **job)
        scene.write_text("version 2, longer")
        airflow_task.clear()
        farm.inject("status", status=503, calls=[call], times=1000 if call == "stop_task" else 5)
        with pytest.raises(AirflowException) as failure:
            airflow_task.try_once(**job)
        has_store = airflow_task.store is not None
        assert ("Clear this task again" in str(failure.value)) == (not has_store)
        assert isinstance(failure.value, AirflowFailException) == (not has_store)
        farm.clear_faults()
        if not has_store:
            airflow_task.clear()
        assert airflow_task.try_once(**job)["render_task_id"] != task_id
        assert len(submitted_ids()) == 2

    def test_clear_scene_unchanged_reattaches(self, airflow_task, job, submitted_ids):
        task_id = start_render(airflow_task, **job)
        airflow_task.clear()
        assert airflow_task.try_once(**job)["render_task_id"] == task_id
        assert submitted_ids() == [task_id]

    def test_clear_after_retry_reattaches(self, airflow_task, scene, job, submitted_ids):
        """A retry does not look at the assets: what it stores must not lack them at the next clear."""
        task_id = start_render(airflow_task, **job)
        assert start_render(airflow_task, **job) == task_id
        airflow_task.clear()
        assert airflow_task.try_once(**job)["render_task_id"] == task_id
        assert submitted_ids() == [task_id]

    def test_missing_asset_creates_no_render(self, airflow_task, job, scene, farm):
        scene.unlink()
        with pytest.raises(AirflowException, match="sh010"):
            airflow_task.try_once(**job)
        assert not farm.request_counts["create_task"]


@pytest.mark.parametrize("days", [1001, 10**7])
@pytest.mark.parametrize("argument", ["timeout", "max_duration"])
def test_wait_that_airflow_cannot_store_is_refused_at_parse(argument, days):
    with pytest.raises(ValueError, match=f"{argument}: must be at most 86,400,000 seconds"):
        RenderbusRenderOperator(task_id="far", task_json=SHOT_A, **{argument: timedelta(days=days)})


@pytest.mark.parametrize("value", [1e8, 10**12, 1e300, math.inf, timedelta(days=1001), timedelta.max])
@pytest.mark.parametrize("argument", ["timeout", "poke_interval"])
@pytest.mark.parametrize(
    ("sensor_class", "options"),
    [(RenderbusTaskSensor, {"render_task_id": 35000001}), (RenderbusFundsSensor, {"min_funds": "5"})],
)
def test_sensor_wait_that_airflow_cannot_store_is_refused_at_parse(sensor_class, options, argument, value):
    with pytest.raises(ValueError, match=rf"{argument}.*: must be at most 86,400,000 seconds"):
        sensor_class(task_id="far", **options, **{argument: value})


def test_retention_is_the_one_that_airflow_recognizes():
    airflow = pytest.importorskip("airflow.sdk.execution_time.context")
    if LINE < (3, 3):
        pytest.skip("Airflow before 3.3 has no task state store")
    assert airflow.NEVER_EXPIRE is NEVER_EXPIRE
