"""DAG runs by `airflow dags test` on this line of Airflow: templates, XComs, deferrals."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.secret import find_secrets
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.farm import ManualClock
from airflow_provider_renderbus.live_check.command import FREE
from dev.harness.embedded_farm import StockedFarm, settings_of
from dev.harness.secret_scan import check_files
from tests.airflow_command import AirflowCommand
from tests.airflow_version import copy_dag_file
from tests.transfer_command import transfer_command

pytestmark = pytest.mark.dag_runs

ROOT = Path(__file__).parents[2]
FARM_SPEED = 300.0  # a render of four frames takes less than a second
NO_PICTURES = {"pictures": False}
ACTIONS = (
    "StopFrames",
    "RecommitFrames",
    "StopTask",
    "StartTask",
    "FullSpeed",
    "SetPriority",
    "SetMachineLimit",
)


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    with StockedFarm(
        tmp_path_factory.mktemp("farm") / "storage", speed=FARM_SPEED, scenario=NO_PICTURES
    ) as running:
        yield running


@pytest.fixture(scope="module")
def idle_farm(tmp_path_factory):
    """A farm with a manual clock that nobody advances."""
    with StockedFarm(
        tmp_path_factory.mktemp("farm") / "storage", ManualClock(), scenario=NO_PICTURES
    ) as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("airflow")
    shutil.copytree(ROOT / "tests" / "dags", home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    return home


@pytest.fixture(scope="module")
def airflow(farm, idle_farm, home):
    """The airflow command, with a database and the connections of the farms."""
    connection = farm.connection()
    connection["extra"]["transfer_command"] = str(transfer_command(home / "command"))
    return AirflowCommand(
        sys.executable,
        home,
        {"renderbus_default": connection, "renderbus_idle": idle_farm.connection()},
        PYTHONPATH=str(ROOT),
        RESULTS_FILE=str(home / "results.json"),
    )


@pytest.fixture
def run(airflow, home):
    """Runs a DAG and returns the results of its tasks."""

    def run(dag_id):
        airflow("dags", "test", dag_id)
        return json.loads((home / "results.json").read_text())

    return run


@pytest.fixture
def client_of():
    """Returns a client of a farm."""
    clients = []

    def client_of(farm):
        clients.append(Client(settings_of(farm.connection())))
        return clients[-1]

    yield client_of
    for client in clients:
        client.close()


def inputs_of(farm):
    return farm.output_root.parents[1] / "input" / "10201-100001"


def secrets_of(farm, client):
    """The access key of a farm's account, and the secrets in its responses."""
    requests = [calls.get_transfer_config(), calls.get_raysync_user_key()]
    secrets = dict.fromkeys(
        (secret.get_secret_value() for secret in find_secrets(client.send_all(requests))),
        "a transfer password",
    )
    assert secrets
    return {farm.connection()["password"]: "the access key", **secrets}


def test_connection_test_succeeds(airflow):
    assert "Connection success!" in airflow("connections", "test", "renderbus_default")


def test_check_of_the_live_farm_uses_a_connection_of_the_database(airflow, farm, home):
    connection = farm.connection()
    connection["extra"]["transfer_command"] = str(home / "command" / "renderbus-farm-transmitter")
    airflow.run_python("-m", "airflow", "connections", "add", "stored", "--conn-json", json.dumps(connection))
    program = "import sys; from airflow_provider_renderbus.live_check.command import main; sys.exit(main())"
    output = airflow.run_python("-c", program, "--conn-id", "stored")
    assert f"{len(FREE)} of {len(FREE)} assumptions hold" in output


@pytest.mark.parametrize(("name", "renders"), [("preflight_night", 3), ("stop_leftovers", 0)])
def test_example_runs_to_its_end(airflow, home, farm, client_of, name, renders):
    copy_dag_file(ROOT / "example_dags" / f"{name}.py", home / "dags")
    client = client_of(farm)
    before = len(client.send(calls.get_task_list(page_size=100)).items)
    airflow("dags", "test", name)
    tasks = client.send(calls.get_task_list(page_size=100)).items
    assert len(tasks) - before == renders
    assert {task.status for task in tasks[:renders]} <= {TaskStatus.FINISHED}


def test_dag_every_sensor_mode_returns_result(run, home, farm, client_of):
    results = run("every_mode")
    render_task_id = results["create"]
    assert list(results.pop("upload")) == ["task.json"]
    result = results["submit"]
    assert (result["render_task_id"], result["state"], result["output_folders"]) == (
        render_task_id,
        "FINISHED",
        [f"{render_task_id}_every_mode"],
    )
    for mode in ("poke", "reschedule", "deferred"):
        assert results[f"RenderbusTaskSensor.{mode}"] == result
        assert results[f"RenderbusFramesSensor.{mode}"] == {
            "render_task_id": render_task_id,
            "frames": "1-4",
            "done": 4,
            "required": 2,
            "total": 4,
        }
        assert results[f"RenderbusOutputSensor.{mode}"] == {"render_task_id": render_task_id, "files": 4}
        assert float(results[f"RenderbusFundsSensor.{mode}"]["available_funds"]) > 1
    assert not list(check_files(home, secrets_of(farm, client_of(farm)), private=()))


def test_dag_every_operator_runs(run, home, farm, idle_farm, client_of):
    results = run("every_operator")

    first, second = results["create"]
    assert results["submit"] == [first, second]
    assert results["leftovers"] == []
    assert [list(sizes) for sizes in results["upload"]] == [["task.json"], ["task.json"]]
    assert {name: results[name] for name in ACTIONS} == {name: [first, second] for name in ACTIONS}
    assert (results["AbandonTask"], results["DeleteTask"]) == ([first], [second])
    idle_client = client_of(idle_farm)
    infos = idle_client.run(flows.get_tasks([first, second]))
    assert (infos[first].status, infos[first].task_limit) == (TaskStatus.ABANDON, 3)
    assert infos[second].is_delete == 0
    assert infos[first].producer == "every_operator"

    for mode in ("waiting", "deferred"):
        result = results[f"render_{mode}"]
        assert result["state"] == "FINISHED"
        assert result["output_folders"] == [f"{result['render_task_id']}_every_operator_{mode}"]
    render_task_id = results["create_one"]
    assert (results["submit_one"]["render_task_id"], results["submit_one"]["state"]) == (
        render_task_id,
        "FINISHED",
    )
    assert [file["path"] for file in results["outputs"]] == [f"/{render_task_id}_sh010/sh010_0003.png"]

    scene = Path(home / "dags/every_operator.py")
    assert results["send"] == {"files": 1, "bytes": scene.stat().st_size}
    assert (inputs_of(farm) / str(scene).lstrip("/")).read_bytes() == scene.read_bytes()
    fetched = home / "every_operator" / f"{render_task_id}_sh010" / "sh010_0003.png"
    assert (results["fetch"]["folder"], results["fetch"]["files"]) == (str(home / "every_operator"), 1)
    assert (
        fetched.read_bytes() == (farm.output_root / f"{render_task_id}_sh010" / "sh010_0003.png").read_bytes()
    )

    assert results["redact_secrets"] == ["password: ***"] * 6
    for each in (farm, idle_farm):
        assert not list(check_files(home, secrets_of(each, client_of(each)), private=()))
