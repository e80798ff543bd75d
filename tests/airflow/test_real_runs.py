"""Budgets, funds, recommits, test frames and Asset events in DAG runs of a real Airflow.

`dag.test()` loses the resume arguments of a deferred task, so these need a scheduler and a triggerer.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from airflow_provider_renderbus.api.states import TaskStatus
from dev.harness.embedded_farm import StockedFarm
from tests.airflow.real_airflow import instances, real_airflow, wait_for_final_state
from tests.airflow_version import LINE
from tests.dags.costs_and_recommits import (
    CASES_WITH_LOW_FUNDS,
    FRAMES_OVER_BUDGET,
    JOBS,
    MODES,
    RETRIES,
    connection_of,
)
from tests.farm.raw_client import LIST, RawClient

pytestmark = [
    pytest.mark.dag_runs,
    pytest.mark.skipif(LINE < (3, 3), reason="starts a real Airflow, only of the newest line"),
]

ROOT = Path(__file__).parents[2]
DAGS = [ROOT / "tests" / "dags" / "costs_and_recommits.py", ROOT / "example_dags" / "composite_on_render.py"]
FARM_SPEED = 100.0
TIMEOUT = 400  # seconds
DEFAULT_SCENARIO = {
    "renders": [
        {"scene": "over_budget*", "cost": "0.01", "seconds": [300, 300]},
        {"scene": "recommit*", "fail_frames": "2-3", "fail_times": 1},
        {"scene": "accept*", "fail_frames": "2"},
        {"scene": "failed*", "fail_frames": "2"},
    ]
}
LOW_FUNDS = {"account": {"coupon": "0", "balance": "0.05"}, "renders": [{"cost": "0.02"}]}
CASE_SUFFIXES = [f"{job}.{mode}" for job in JOBS for mode in MODES]
TOPPED_UP = [f"top_up.{suffix}" for suffix in CASE_SUFFIXES]
SCENARIOS = {"renderbus_default": DEFAULT_SCENARIO} | {
    connection_of(f"{case}.{suffix}"): LOW_FUNDS for case in CASES_WITH_LOW_FUNDS for suffix in CASE_SUFFIXES
}
each_suffix = pytest.mark.parametrize("suffix", CASE_SUFFIXES)


class Runs:
    """Farms, an Airflow, and the results of the two DAGs."""

    def __init__(self, farms, airflow, pictures):
        self.farms, self.airflow, self.pictures = farms, airflow, pictures
        self.clients = {name: RawClient(farm) for name, farm in farms.items()}

    def run(self):
        """Run both DAGs; the accounts are topped up after all their renders have stopped."""
        for dag_id in ("composite_on_render", "render_passes", "costs_and_recommits"):
            self.airflow.unpause(dag_id)
        self.airflow.trigger("render_passes", "run")
        self.airflow.trigger("costs_and_recommits", "run")
        self.airflow.programs.wait_until(
            "four stops for insufficient funds", self.all_stopped, TIMEOUT, interval=1.0
        )
        for name in TOPPED_UP:
            self.farms[connection_of(name)].top_up("50")
        self.airflow.wait_for_run("costs_and_recommits", "run", TIMEOUT)
        self.instances = instances(self.airflow, "costs_and_recommits", "run")

    def all_stopped(self):
        if not all(self.submitted(connection_of(name)) for name in TOPPED_UP):
            return False
        states = {state for name in TOPPED_UP for state in self.leaves(name)["taskStatus"]}
        return states == {TaskStatus.ARREARAGE_STOP}

    def submitted(self, farm):
        """Renders that an account has submitted, by scene."""
        items = self.clients[farm].call(LIST, pageSize=100)["items"]
        return {item["sceneName"].rpartition(".")[0]: item for item in items}

    def leaves(self, name):
        """Values of a render's leaves by field, or of the render itself if it has none."""
        item = self.submitted(connection_of(name))[name]
        leaves = item["respRenderingTaskList"] or [item]
        assert len(leaves) == (2 if ".layered." in name else 1)
        return {field: [leaf[field] for leaf in leaves] for field in item}

    def log(self, name):
        return self.airflow.task_log(self.instances[name]).read_text()

    def returned(self, name):
        """The result of a task, which must have succeeded."""
        assert self.instances[name]["state"] == "success", self.log(name)
        return self.airflow.return_value(self.instances[name])

    def failure_log(self, name, *, permanently):
        """The log of a task, which must have failed; permanently if tries are left, or by its class.

        More than one try is allowed: under load, Airflow on SQLite sometimes loses a try.
        """
        instance, log = self.instances[name], self.log(name)
        assert instance["state"] == "failed", log
        has_tries_left = instance["try_number"] <= RETRIES
        assert (has_tries_left or "AirflowFailException" in log) if permanently else not has_tries_left, log
        return log


@pytest.fixture(scope="module")
def runs(set_up_once, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    with ExitStack() as exit_stack:
        farms = {
            name: exit_stack.enter_context(StockedFarm(folder / name, speed=FARM_SPEED, scenario=scenario))
            for name, scenario in SCENARIOS.items()
        }
        pictures = folder / "pictures"
        airflow = exit_stack.enter_context(
            real_airflow(
                folder / "airflow",
                DAGS,
                {name: farm.connection() for name, farm in farms.items()},
                AIRFLOW__CORE__PARALLELISM="6",
                PYTHONPATH=str(ROOT),
                RENDERBUS_FRAMES_FOLDER=str(farms["renderbus_default"].output_root),
                RENDERBUS_PICTURES_FOLDER=str(pictures),
            )
        )
        runs = Runs(farms, airflow, pictures)
        runs.run()
        yield runs


@each_suffix
def test_max_cost_exceeded_stops_render_without_retries(runs, suffix):
    assert "exceeds max_cost 0.02" in runs.failure_log(f"over_budget.{suffix}", permanently=True)
    leaves = runs.leaves(f"over_budget.{suffix}")
    assert set(leaves["taskStatus"]) == {TaskStatus.STOP}
    assert 0.02 < sum(leaves["couponConsume"]) < 0.01 * FRAMES_OVER_BUDGET * len(leaves["id"])


@each_suffix
def test_min_funds_not_available_submits_nothing(runs, suffix):
    assert "below min_funds 100000 RMB: nothing was submitted" in runs.failure_log(
        f"no_funds.{suffix}", permanently=True
    )
    assert f"no_funds.{suffix}" not in runs.submitted("renderbus_default")


@each_suffix
def test_insufficient_funds_fails_without_retries(runs, suffix):
    assert "ARREARAGE_STOP" in runs.failure_log(f"insufficient_funds.{suffix}", permanently=True)
    assert set(runs.leaves(f"insufficient_funds.{suffix}")["taskStatus"]) == {TaskStatus.ARREARAGE_STOP}


@each_suffix
def test_insufficient_funds_wait_top_up_finishes(runs, suffix):
    result = runs.returned(f"top_up.{suffix}")
    assert (result["state"], result["frames"]["done"]) == ("FINISHED", result["frames"]["total"])
    assert "stopped for lack of funds, waiting until" in runs.log(f"top_up.{suffix}")
    assert set(runs.leaves(f"top_up.{suffix}")["taskStatus"]) == {TaskStatus.FINISHED}


@each_suffix
def test_failed_frames_message_has_log_tail(runs, suffix):
    log = runs.failure_log(f"failed.{suffix}", permanently=True)
    assert " 2: Error: rendering of frame 2 has failed (1 log read)" in log


@each_suffix
def test_failed_frames_accept_returns_them(runs, suffix):
    result = runs.returned(f"accept.{suffix}")
    assert result["state"] == "FINISHED_HAS_FAILED"
    assert {group["frames"] for group in result["failed_frames"]} == {"2"}


@each_suffix
def test_failed_frames_recommit_renders_only_those(runs, suffix):
    result = runs.returned(f"recommit.{suffix}")
    assert (result["state"], result["failed_frames"]) == ("FINISHED", [])
    for leaf in runs.leaves(f"recommit.{suffix}")["id"]:
        frames = runs.clients["renderbus_default"].frames(leaf)["items"]
        assert {frame["frameIndex"] for frame in frames if frame["recommitFlag"]} == {"2", "3"}


@each_suffix
def test_pause_full_speed_finishes(runs, suffix):
    result = runs.returned(f"full_speed.{suffix}")
    assert (result["state"], result["frames"]["done"]) == ("FINISHED", result["frames"]["total"])
    assert "requesting full speed" in runs.log(f"full_speed.{suffix}")


def test_submit_and_full_speed_are_requested_once_per_render(runs):
    assert runs.farms["renderbus_default"].request_counts["submit_task"] == 5 * len(CASE_SUFFIXES) + 1
    assert runs.farms["renderbus_default"].request_counts["full_speed"] == len(CASE_SUFFIXES)
    for name in TOPPED_UP:
        assert runs.farms[connection_of(name)].request_counts["submit_task"] == 1


def test_asset_event_starts_compositing_with_result(runs):
    airflow = runs.airflow
    render = airflow.return_value(instances(airflow, "render_passes", "run")["render"])
    (run,) = airflow.get("/dags/composite_on_render/dagRuns")["dag_runs"]
    assert run["run_type"] == "asset_triggered"
    assert wait_for_final_state(airflow, "composite_on_render", run["dag_run_id"], 60) == "success"
    tasks = instances(airflow, "composite_on_render", run["dag_run_id"])
    (event_extra,) = airflow.return_value(tasks["renders"])
    assert event_extra == {
        name: render[name]
        for name in ("render_task_id", "state", "frames", "cost", "output_folders", "layers", "console_url")
    }
    composite_result = airflow.return_value(tasks["composite"])
    assert (composite_result["render_task_id"], composite_result["cost"]) == (
        render["render_task_id"],
        render["cost"],
    )
    pictures = sorted(Path(composite_result["folder"]).iterdir())
    assert [picture.name for picture in pictures] == [
        f"sh010_composite_{frame:04}.png" for frame in range(1, 9)
    ]
    with ExitStack() as files:
        frames = runs.farms["renderbus_default"].output_root
        colour, shadow, composite = (
            files.enter_context(Image.open(path))
            for path in (
                frames / render["output_folders"][0] / "sh010_colour_0008.png",
                frames / render["output_folders"][1] / "sh010_shadow_0008.png",
                pictures[-1],
            )
        )
        assert ImageChops.multiply(colour, shadow).tobytes() == composite.tobytes()
