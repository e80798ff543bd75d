"""The example night_budget in a real Airflow with two workers: what five shots of different cost spend."""

from decimal import Decimal
from pathlib import Path

import pytest

from dev.harness.embedded_farm import StockedFarm
from tests.airflow.real_airflow import real_airflow, wait_for_final_state
from tests.airflow_version import LINE
from tests.farm.raw_client import LIST, RawClient

pytestmark = [
    pytest.mark.dag_runs,
    pytest.mark.skipif(LINE < (3, 3), reason="starts a real Airflow, only of the newest line"),
]
ROOT = Path(__file__).parents[2]
DAG_ID = "night_budget"
TIMEOUT = 240  # seconds
SPEED, MACHINES = 100.0, 4
# A second of a machine costs 0.01. With this seed, the test frames of sh010 are much cheaper than its others.
SECONDS = {"sh010": (20, 300), "sh020": (90, 150), "sh030": (90, 150), "sh040": (200, 260), "sh050": (40, 80)}
SCENARIO = {
    "seed": 163,
    "pictures": False,
    "machines": MACHINES,
    "account": {"price": "36"},
    "renders": [{"scene": f"{shot}*", "seconds": list(limits)} for shot, limits in SECONDS.items()],
}
BUDGET = Decimal(154)
FINISHED, STOPPED, PAUSED = 25, 10, 40


@pytest.fixture(scope="module")
def night(set_up_once, tmp_path_factory):
    """The renders on the farm by shot, and the task instances by task and map index, after the night."""
    folder = tmp_path_factory.mktemp(DAG_ID)
    with (
        StockedFarm(folder / "farm", speed=SPEED, scenario=SCENARIO) as farm,
        real_airflow(
            folder / "airflow",
            [ROOT / "example_dags" / f"{DAG_ID}.py"],
            {"renderbus_default": farm.connection()},
            AIRFLOW__CORE__PARALLELISM="2",
        ) as airflow,
    ):
        airflow.unpause(DAG_ID)
        airflow.trigger(DAG_ID, "night", {"budget": float(BUDGET)})
        assert wait_for_final_state(airflow, DAG_ID, "night", TIMEOUT) == "failed"
        items = RawClient(farm).call(LIST, pageSize=100)["items"]
        assert len(items) == len(SECONDS)
        renders = {item["sceneName"].removesuffix(".blend"): item for item in items}
        tries = airflow.get_all(f"/dags/{DAG_ID}/dagRuns/night/taskInstances", "task_instances")
        instances = {(each["task_id"], each["map_index"]): each for each in tries}
        limits = airflow.return_value(instances["give_out", -1])
        report = airflow.return_value(instances["report", -1])
        logs = {key: airflow.task_log(each).read_text() for key, each in instances.items() if key[1] >= 0}
        yield renders, instances, limits, report, logs


def cost_of(render):
    return Decimal(str(render["couponConsume"])) + Decimal(str(render["userAccountConsume"]))


def test_night_spends_no_more_than_budget_and_running_frames(night):
    renders, _, limits, _, _ = night
    # A trigger polls each second. This is what the machines of a render end in two of them, and run then.
    late = {
        shot: MACHINES * (1 + 2 * Decimal(SPEED) / (sum(seconds) // 2)) * max(seconds) / 100
        for shot, seconds in SECONDS.items()
    }
    over = sum(late[shot] for shot, render in renders.items() if render["taskStatus"] == STOPPED)
    assert over < BUDGET / 5
    for shot, limit in limits.items():
        assert limit is None or cost_of(renders[shot]) <= Decimal(limit) + late[shot]
    total = sum(map(cost_of, renders.values()))
    assert total <= BUDGET + over
    assert sum(Decimal(limit) for limit in limits.values() if limit) < BUDGET
    # Nothing that was granted is left unspent by much either.
    assert total > BUDGET * Decimal("0.9")


def test_night_important_and_cheap_shots_are_rendered(night):
    renders, _, limits, _, _ = night
    assert [shot for shot, limit in limits.items() if limit] == ["sh040", "sh010", "sh050"]
    for shot in ("sh040", "sh050"):
        assert renders[shot]["taskStatus"] == FINISHED


def test_night_shot_above_its_limit_is_stopped(night):
    renders, instances, limits, _, logs = night
    assert renders["sh010"]["taskStatus"] == STOPPED
    assert Decimal(limits["sh010"]) < cost_of(renders["sh010"])
    failed = [key for key, each in instances.items() if each["state"] == "failed"]
    assert [task for task, _ in failed] == ["render_rest"], instances
    assert f"exceeds max_cost {limits['sh010']}" in logs[failed[0]]


def test_night_shots_without_money_stay_paused_and_are_reported(night):
    renders, _, limits, report, _ = night
    for shot in ("sh020", "sh030"):
        assert limits[shot] is None
        assert (renders[shot]["taskStatus"], renders[shot]["doneFrames"]) == (PAUSED, 3)
        (line,) = [line for line in report.splitlines() if line.startswith(shot)]
        assert "stays FINISHED_TEST: no money tonight, http" in line
