"""Budgets, funds, arrears, healing, test frames and Asset events in runs of a whole Airflow.

`dag.test()` loses what a deferred task hands on to itself, so these need a scheduler and a triggerer.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.farm import Farm
from tests.airflow.real_airflow import end_of, instances, real_airflow
from tests.airflow_version import LINE
from tests.dags.money_and_healing import CASES, FRAMES_OVER_BUDGET, JOBS, MODES, RETRIES
from tests.farm.raw_client import LIST, RawClient

pytestmark = pytest.mark.skipif(
    LINE < (3, 3), reason="the Airflow that is started here is one of the newest line"
)

ROOT = Path(__file__).parents[2]
DAGS = [ROOT / "tests" / "dags" / "money_and_healing.py", ROOT / "example_dags" / "composite_on_render.py"]
FARM_SPEED = 100.0
SECONDS = 400
RICH = {
    "renders": [
        {"scene": "over_budget*", "cost": "0.01", "seconds": [300, 300]},
        {"scene": "recommit*", "fail_frames": "2-3", "fail_times": 1},
        {"scene": "accept*", "fail_frames": "2"},
        {"scene": "failed*", "fail_frames": "2"},
    ]
}
POOR = {"account": {"coupon": "0", "balance": "0.05"}, "renders": [{"cost": "0.02"}]}
SCENARIOS = {"renderbus_default": RICH, "poor": POOR, "topped_up": POOR}
HOWS = [f"{job}.{mode}" for job in JOBS for mode in MODES]
each_way = pytest.mark.parametrize("how", HOWS)


class Runs:
    """Farms, an Airflow, and what came of the two DAGs."""

    def __init__(self, farms, airflow, pictures):
        self.farms, self.airflow, self.pictures = farms, airflow, pictures
        self.clients = {name: RawClient(farm) for name, farm in farms.items()}

    def render(self):
        """Run both DAGs; the account that is topped up gets its money when all its renders have stopped."""
        for dag_id in ("composite_on_render", "render_passes", "money_and_healing"):
            self.airflow.unpause(dag_id)
        self.airflow.trigger("render_passes", "run")
        self.airflow.trigger("money_and_healing", "run")
        self.airflow.programs.wait_until("four stops for lack of money", self.all_stopped, SECONDS, pause=1.0)
        self.farms["topped_up"].top_up("50")
        self.airflow.wait_for_run("money_and_healing", "run", SECONDS)
        self.instances = instances(self.airflow, "money_and_healing", "run")

    def all_stopped(self):
        states = {state for name in self.listed("topped_up") for state in self.leaves(name)["taskStatus"]}
        return len(self.listed("topped_up")) == len(HOWS) and states == {TaskStatus.ARREARAGE_STOP}

    def listed(self, farm):
        """The renders that an account has submitted, by their scenes."""
        items = self.clients[farm].call(LIST, pageSize=100)["items"]
        return {item["sceneName"].removesuffix(".scene"): item for item in items}

    def leaves(self, name):
        """What the farm tells of a render's leaves, or of the render where it has none: values by field."""
        farm = CASES[name.partition(".")[0]].get("renderbus_conn_id", "renderbus_default")
        item = self.listed(farm)[name]
        leaves = item["respRenderingTaskList"] or [item]
        assert len(leaves) == (2 if ".layered." in name else 1)
        return {field: [leaf[field] for leaf in leaves] for field in item}

    def log(self, name):
        return self.airflow.task_log(self.instances[name]).read_text()

    def returned(self, name):
        """What a task returned that succeeded."""
        assert self.instances[name]["state"] == "success", self.log(name)
        return self.airflow.return_value(self.instances[name])

    def failed(self, name, *, for_good):
        """The log of a task that failed; for good where it did not use all its tries.

        That need not be one try: on SQLite, Airflow itself loses one now and then under load.
        """
        instance = self.instances[name]
        assert instance["state"] == "failed", self.log(name)
        assert (instance["try_number"] <= RETRIES) == for_good, self.log(name)
        return self.log(name)


@pytest.fixture(scope="module")
def runs(set_up_once, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    with ExitStack() as ends:
        farms = {
            name: ends.enter_context(Farm(folder / name, speed=FARM_SPEED, scenario=scenario))
            for name, scenario in SCENARIOS.items()
        }
        pictures = folder / "pictures"
        airflow = ends.enter_context(
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
        runs.render()
        yield runs


@each_way
def test_a_render_over_its_cost_is_stopped_and_not_tried_again(runs, how):
    assert "exceeds max_cost 0.02" in runs.failed(f"over_budget.{how}", for_good=True)
    leaves = runs.leaves(f"over_budget.{how}")
    assert set(leaves["taskStatus"]) == {TaskStatus.STOP}
    assert 0.02 < sum(leaves["couponConsume"]) < 0.01 * FRAMES_OVER_BUDGET * len(leaves["id"])


@each_way
def test_without_the_funds_nothing_is_submitted(runs, how):
    assert "min_funds asks for 100000: nothing was submitted" in runs.failed(f"no_funds.{how}", for_good=True)
    assert f"no_funds.{how}" not in runs.listed("renderbus_default")


@each_way
def test_out_of_money_fails_without_a_retry(runs, how):
    assert "ARREARAGE_STOP" in runs.failed(f"arrears.{how}", for_good=True)
    assert set(runs.leaves(f"arrears.{how}")["taskStatus"]) == {TaskStatus.ARREARAGE_STOP}


@each_way
def test_a_top_up_is_waited_for_and_the_render_goes_on(runs, how):
    result = runs.returned(f"top_up.{how}")
    assert (result["state"], result["frames"]["done"]) == ("FINISHED", result["frames"]["total"])
    assert "has stopped for lack of money; waiting for a top-up" in runs.log(f"top_up.{how}")
    assert set(runs.leaves(f"top_up.{how}")["taskStatus"]) == {TaskStatus.FINISHED}


@each_way
def test_a_failure_names_the_failed_frames_with_the_end_of_their_log(runs, how):
    assert "Frame 2 failed, end of its log" in runs.failed(f"failed.{how}", for_good=True)


@each_way
def test_failed_frames_can_be_accepted(runs, how):
    result = runs.returned(f"accept.{how}")
    assert result["state"] == "FINISHED_HAS_FAILED"
    assert {frame["frame"] for frame in result["failed_frames"]} == {"2"}


@each_way
def test_only_failed_frames_are_rendered_again(runs, how):
    result = runs.returned(f"recommit.{how}")
    assert (result["state"], result["failed_frames"]) == ("FINISHED", [])
    for leaf in runs.leaves(f"recommit.{how}")["id"]:
        frames = runs.clients["renderbus_default"].frames(leaf)["items"]
        assert {frame["frameIndex"] for frame in frames if frame["recommitFlag"]} == {"2", "3"}


@each_way
def test_full_speed_follows_the_test_frames(runs, how):
    result = runs.returned(f"full_speed.{how}")
    assert (result["state"], result["frames"]["done"]) == ("FINISHED", result["frames"]["total"])
    assert "asking for full speed" in runs.log(f"full_speed.{how}")


def test_each_render_is_submitted_once_and_full_speed_asked_for_once(runs):
    assert runs.farms["renderbus_default"].request_counts["submit_task"] == 5 * len(HOWS) + 1
    assert runs.farms["renderbus_default"].request_counts["full_speed"] == len(HOWS)
    assert runs.farms["topped_up"].request_counts["submit_task"] == len(HOWS)


def test_a_render_sets_its_compositing_going_and_tells_what_it_made(runs):
    airflow = runs.airflow
    render = airflow.return_value(instances(airflow, "render_passes", "run")["render"])
    (run,) = airflow.get("/dags/composite_on_render/dagRuns")["dag_runs"]
    assert run["run_type"] == "asset_triggered"
    assert end_of(airflow, "composite_on_render", run["dag_run_id"], 60) == "success"
    tasks = instances(airflow, "composite_on_render", run["dag_run_id"])
    (told,) = airflow.return_value(tasks["renders"])
    assert told == {
        name: render[name]
        for name in ("render_task_id", "state", "frames", "cost", "output_folders", "console_url")
    }
    made = airflow.return_value(tasks["composite"])
    assert (made["render_task_id"], made["cost"]) == (render["render_task_id"], render["cost"])
    pictures = sorted(Path(made["folder"]).iterdir())
    assert [picture.name for picture in pictures] == [
        f"sh010_composite_{number:04}.png" for number in range(1, 9)
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
