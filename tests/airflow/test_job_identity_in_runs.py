"""Later tries render their own job in DAG runs of a real Airflow: 3.3 with its state store, 2.11 without."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from airflow_provider_renderbus.farm import ManualClock
from dev.harness.embedded_farm import StockedFarm
from tests.airflow.real_airflow import real_airflow
from tests.airflow_version import LINE
from tests.farm.raw_client import LIST, RawClient

pytestmark = [
    pytest.mark.dag_runs,
    pytest.mark.skipif(
        (3, 0) <= LINE < (3, 3), reason="starts a real Airflow: with a state store, and the oldest without"
    ),
]

DAG = Path(__file__).parents[1] / "dags" / "job_identity.py"
MODES = ("waiting", "deferrable")
RENDERS = [f"{kind}_{mode}" for mode in MODES for kind in ("mapped", "plain")]
TIMEOUT = 300  # seconds
STOPPED, FINISHED = 10, 25


class Testbed:
    """A farm on a clock driven by hand, an Airflow, and the list of shots."""

    __test__ = False

    def __init__(self, farm, airflow, shots):
        self.farm, self.airflow, self.shots = farm, airflow, shots
        self.client = RawClient(farm)

    def renders(self):
        """The scenes and states of all submitted renders, by id."""
        items = self.client.call(LIST, pageSize=100)["items"]
        return {
            item["id"]: (item["sceneName"].partition(".")[0], item["taskStatus"])
            for item in sorted(items, key=lambda item: item["id"])
        }

    def instances(self, dag_id):
        path = f"/dags/{dag_id}/dagRuns/run/taskInstances"
        return {
            (item["task_id"], item["map_index"]): item
            for item in self.airflow.get_all(path, "task_instances")
        }

    def delete_run(self, dag_id):
        """Delete the run that another test has left, if any."""
        with contextlib.suppress(httpx.HTTPStatusError):
            self.airflow.delete(f"/dags/{dag_id}/dagRuns/run")

    def wait(self, what, condition):
        self.airflow.programs.wait_until(what, condition, TIMEOUT, interval=0.5)

    def polled_by_triggerer(self, dag_id):
        """The number of deferred renders whose first state the triggerer has logged."""
        logs = self.airflow.home.glob(f"logs/dag_id={dag_id}/**/*.trigger.*.log")
        return sum(" frames done" in log.read_text() for log in logs)

    def processed_ends(self, task_id):
        """How many ends of a task's processes the scheduler of Airflow 2 has dealt with.

        The end of a process whose task was marked failed would fail the task once more after a clear.
        """
        log = (self.airflow.home / "scheduler.log").read_text()
        return sum(
            "Received executor event" in line and f"task_id='{task_id}'" in line for line in log.splitlines()
        )

    def finish(self, dag_id):
        """Let the farm's time pass until a run has ended, and return its renders' results."""

        def has_ended():
            self.farm.advance(600)
            return self.airflow.get(f"/dags/{dag_id}/dagRuns/run")["state"] in {"success", "failed"}

        self.wait(f"the end of {dag_id}", has_ended)
        ended = self.instances(dag_id)
        ended = {key: item for key, item in ended.items() if key[0] in {*RENDERS, "render"}}
        assert {key: item["state"] for key, item in ended.items()} == dict.fromkeys(ended, "success")
        return {key: self.airflow.return_value(item) for key, item in ended.items()}

    def scene(self, result):
        """The scene of a returned render."""
        return self.renders()[result["render_task_id"]][0]


@pytest.fixture(scope="module")
def testbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("identity")
    with (
        StockedFarm(folder / "farm", ManualClock(time.time()), scenario={"pictures": False}) as farm,
        real_airflow(
            folder / "airflow",
            [DAG],
            {"renderbus_default": farm.connection()},
            AIRFLOW__CORE__PARALLELISM="8",
            AIRFLOW__SCHEDULER__ALLOW_TRIGGER_IN_FUTURE="True",
        ) as airflow,
    ):
        yield Testbed(farm, airflow, folder / "airflow" / "dags" / "shots.txt")


def test_cleared_run_with_shot_on_top_renders_each_shot(testbed):
    before = len(testbed.renders())
    testbed.shots.write_text("shot_A shot_B")
    testbed.airflow.unpause("shots")
    testbed.airflow.trigger("shots", "run")
    testbed.wait("six submits", lambda: len(testbed.renders()) == before + 6)
    # A task that is killed before the triggerer has read its trigger stops nothing: no process of it runs.
    testbed.wait("three polls by the triggerer", lambda: testbed.polled_by_triggerer("shots") == 3)
    testbed.farm.advance(30)
    for key, item in testbed.instances("shots").items():
        if key[0] in RENDERS:
            testbed.airflow.set_task_state(item, "failed")
    testbed.wait("six stops", lambda: all(state == STOPPED for _, state in testbed.renders().values()))
    testbed.airflow.wait_for_run("shots", "run", TIMEOUT)
    if LINE < (3, 0):
        testbed.wait("the ends of two processes", lambda: testbed.processed_ends("mapped_waiting") == 2)
        testbed.wait("the end of one process", lambda: testbed.processed_ends("plain_waiting") == 1)

    testbed.shots.write_text("shot_NEW shot_A shot_B")
    testbed.airflow.clear("shots", "run", [(name, -1) for name in ("jobs", "first_job", *RENDERS)])
    results = testbed.finish("shots")
    for mode in MODES:
        scenes = [testbed.scene(results[f"mapped_{mode}", index]) for index in range(3)]
        assert scenes == ["shot_NEW", "shot_A", "shot_B"]
        assert testbed.scene(results[f"plain_{mode}", -1]) == "shot_NEW"
    renders = list(testbed.renders().values())[before:]
    assert [state for _, state in renders].count(STOPPED) == 6
    assert [state for _, state in renders].count(FINISHED) == 4 * len(MODES)
    assert len(renders) == 6 + 4 * len(MODES)


@pytest.mark.parametrize("days_ahead", [0, 3] if LINE < (3, 0) else [0])
def test_cleared_task_with_lost_store_reattaches(testbed, days_ahead):
    """The render is found by its marker, also in a run whose logical date is ahead of its start.

    Airflow 3 does not start such a run before that date.
    """
    testbed.delete_run("single")
    before = len(testbed.renders())
    testbed.shots.write_text("long")
    testbed.airflow.unpause("single")
    date = datetime.now(UTC) + timedelta(days_ahead)
    testbed.airflow.trigger("single", "run", logical_date=date.isoformat())
    testbed.wait("a submit", lambda: len(testbed.renders()) == before + 1)
    testbed.wait(
        "a deferral", lambda: testbed.instances("single")["render", -1]["state"] in {"deferred", "queued"}
    )
    if LINE >= (3, 3):
        testbed.airflow.change_database("delete from task_state_store", {})
    testbed.airflow.clear("single", "run", [("render", -1)])
    testbed.wait(
        "the next deferral",
        lambda: (
            (item := testbed.instances("single")["render", -1])["state"] == "deferred"
            and item["try_number"] > 1
        ),
    )
    results = testbed.finish("single")
    assert testbed.scene(results["render", -1]) == "long"
    assert len(testbed.renders()) == before + 1


def test_run_made_again_with_its_id_renders_its_own_job(testbed):
    """It follows the test before, whose run it deletes."""
    testbed.delete_run("single")
    before = len(testbed.renders())
    testbed.shots.write_text("again")
    testbed.airflow.unpause("single")
    testbed.airflow.trigger("single", "run")
    testbed.wait("a submit", lambda: len(testbed.renders()) == before + 1)
    results = testbed.finish("single")
    assert testbed.scene(results["render", -1]) == "again"
    assert len(testbed.renders()) == before + 1
