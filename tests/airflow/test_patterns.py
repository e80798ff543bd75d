"""A decorated, mapped night, and budgets in every pattern, in a real Airflow of each line."""

from pathlib import Path

import psutil
import pytest

from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.metrics import METRICS
from dev.harness.embedded_farm import StockedFarm
from tests.airflow.real_airflow import instances, real_airflow, wait_for_final_state
from tests.airflow_version import LINE
from tests.dags.patterns import FRAMES, MAX_COST, MODES, NOT_RENDERED, RETRIES, SHOTS
from tests.farm.raw_client import LIST, RawClient
from tests.notification_servers import web_hook
from tests.statsd_server import StatsdServer

pytestmark = pytest.mark.dag_runs

ROOT = Path(__file__).parents[2]
# Only its environment has the package statsd and the notifiers.
IS_NEWEST = LINE >= (3, 3)
TIMEOUT = 240  # seconds
PRICE = 0.01
SCENARIO = {
    "pictures": False,
    "renders": [
        {"scene": "night_*", "seconds": [600, 600]},
        # All its frames take 5,000 farm seconds on four machines, in which 50 polls could stop it.
        {"scene": "*", "cost": str(PRICE), "seconds": [100, 100]},
    ],
}
PATTERNS = ("one_operator", "steps", "decorated")


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    with StockedFarm(tmp_path_factory.mktemp("farm") / "storage", speed=100.0, scenario=SCENARIO) as running:
        yield running


@pytest.fixture(scope="module")
def statsd():
    with StatsdServer() as server:
        yield server


@pytest.fixture(scope="module")
def web():
    with web_hook() as server:
        yield server


@pytest.fixture(scope="module")
def airflow(set_up_once, farm, statsd, web, tmp_path_factory):
    with real_airflow(
        tmp_path_factory.mktemp("patterns") / "airflow",
        [ROOT / "tests" / "dags" / f"{name}.py" for name in ("patterns", "deadline")[: 1 + IS_NEWEST]],
        {
            "renderbus_default": farm.connection(),
            "http_default": {"conn_type": "http", "host": f"http://127.0.0.1:{web.server_address[1]}"},
        },
        AIRFLOW__CORE__PARALLELISM="6",
        PYTHONPATH=str(ROOT),
        **(statsd.settings("night") if IS_NEWEST else {}),
    ) as airflow:
        for dag_id in ("decorated_night", "budgets", "late_night")[: 2 + IS_NEWEST]:
            airflow.unpause(dag_id)
            airflow.trigger(dag_id, "run")
        yield airflow


@pytest.fixture(scope="module")
def renders(airflow, farm):
    """The renders of both DAGs after their end, by scene."""
    state = wait_for_final_state(airflow, "decorated_night", "run", TIMEOUT)
    tries = airflow.get_all("/dags/decorated_night/dagRuns/run/taskInstances", "task_instances")
    assert state == "success", [
        airflow.task_log(each).read_text() for each in tries if each["state"] == "failed"
    ]
    assert wait_for_final_state(airflow, "budgets", "run", TIMEOUT) == "failed"
    items = RawClient(farm).call(LIST, pageSize=100)["items"]
    return {item["sceneName"].removesuffix(".hip"): item for item in items}


@pytest.mark.parametrize("shot", SHOTS)
def test_decorated_night_shot_is_rendered_once(renders, shot):
    render = renders[f"night_{shot}{NOT_RENDERED}"]
    assert (render["taskStatus"], render["doneFrames"]) == (TaskStatus.FINISHED, 2)
    assert render["producer"].startswith(shot)


def test_decorated_night_task_has_name_of_its_shot(renders, airflow):
    tries = airflow.get_all("/dags/decorated_night/dagRuns/run/taskInstances", "task_instances")
    names = {each["map_index"]: each["rendered_map_index"] for each in tries}
    assert names == dict(enumerate(SHOTS))


@pytest.mark.skipif(not IS_NEWEST, reason="only the newest line is tested with them")
def test_metrics_arrive_from_tasks_and_triggerer_without_ids(renders, statsd):
    requests = statsd.ports["night.renderbus.requests"]
    triggerer = {
        connection.laddr.port
        for process in psutil.process_iter(["cmdline"])
        if any("triggerer" in word for word in process.info["cmdline"] or ())
        for connection in process.net_connections("udp4")
    }
    assert requests & triggerer
    assert requests - triggerer
    received = {name.removeprefix("night.") for name in statsd.ports if ".renderbus." in name}
    assert received <= set(METRICS)
    assert received >= {
        "renderbus.renders.succeeded",
        "renderbus.renders.failed",
        "renderbus.frames.done",
        "renderbus.cost_cents",
        "renderbus.queue_time",
        "renderbus.render_time",
    }
    count = "night.renderbus.renders.succeeded:1|c"
    assert statsd.lines.count(count) == len(SHOTS)


def test_decorated_night_has_one_render_per_shot_and_one_per_budget(renders):
    budgets = {f"{pattern}.{mode}" for pattern in PATTERNS for mode in MODES}
    assert set(renders) == {f"night_{shot}{NOT_RENDERED}" for shot in SHOTS} | budgets


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_budget_exceeded_stops_render_in_time_without_retries(renders, airflow, pattern, mode):
    render = renders[f"{pattern}.{mode}"]
    assert render["taskStatus"] == TaskStatus.STOP
    cost = render["couponConsume"]
    assert float(MAX_COST) < cost < PRICE * FRAMES / 2
    instance = instances(airflow, "budgets", "run")[f"{pattern}.{mode}"]
    log = airflow.task_log(instance).read_text()
    assert f"exceeds max_cost {MAX_COST}" in log
    assert instance["state"] == "failed", log
    # More than one try is allowed: under load, Airflow on SQLite sometimes loses a try.
    assert instance["try_number"] <= RETRIES, log


@pytest.mark.skipif(not IS_NEWEST, reason="only the newest line is tested with them")
def test_deadline_alert_calls_a_web_hook(renders, airflow, web):
    airflow.programs.wait_until("the deadline alert", lambda: web.received, TIMEOUT, interval=0.5)
    assert web.received[0] == ("/late", {"summary": "The night is not done by 08:00"})
