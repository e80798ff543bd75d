"""Whole DAG runs on this line of Airflow, as `airflow dags test` makes them: templates, XComs, deferrals."""

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
from airflow_provider_renderbus.farm import Farm, ManualClock
from dev.harness.embedded_farm import settings_of
from dev.harness.secret_scan import check_files
from tests.airflow_command import AirflowCommand
from tests.readme import SCENE, as_dag_file
from tests.transfer_command import transfer_command

ROOT = Path(__file__).parents[2]
FARM_SPEED = 300.0  # a render of four frames takes less than a second
NO_PICTURES = {"pictures": False}
ORDERS = (
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
    with Farm(tmp_path_factory.mktemp("farm") / "storage", speed=FARM_SPEED, scenario=NO_PICTURES) as running:
        yield running


@pytest.fixture(scope="module")
def still_farm(tmp_path_factory):
    """A farm on which nothing goes on by itself."""
    with Farm(tmp_path_factory.mktemp("farm") / "storage", ManualClock(), scenario=NO_PICTURES) as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("airflow")
    shutil.copytree(ROOT / "tests" / "dags", home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    (home / "dags" / "readme.py").write_text(as_dag_file(home / "mnt"))
    return home


@pytest.fixture(scope="module")
def airflow(farm, still_farm, home):
    """Airflow's command, with a database and the farms' connections."""
    connection = farm.connection()
    connection["extra"]["transfer_command"] = str(transfer_command(home / "command"))
    return AirflowCommand(
        sys.executable,
        home,
        {"renderbus_default": connection, "renderbus_still": still_farm.connection()},
        PYTHONPATH=str(ROOT),
        RETURNED=str(home / "returned.json"),
    )


@pytest.fixture
def run(airflow, home):
    """Run a DAG and return what its tasks returned."""

    def run(dag_id):
        airflow("dags", "test", dag_id)
        return json.loads((home / "returned.json").read_text())

    return run


@pytest.fixture
def client_of():
    """Return a client of a farm."""
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
    """The key of a farm's account, and what the farm hands out in confidence."""
    asked = [calls.get_transfer_config(), calls.get_raysync_user_key()]
    handed_out = dict.fromkeys(
        (secret.get_secret_value() for secret in find_secrets(client.send_all(asked))), "a transfer password"
    )
    assert handed_out
    return {farm.connection()["password"]: "the access key", **handed_out}


def test_airflow_can_test_the_connection(airflow):
    assert "Connection success!" in airflow("connections", "test", "renderbus_default")


def test_a_render_is_waited_for_in_every_mode(run, home, farm, client_of):
    returned = run("every_mode")
    number = returned["create"]
    assert list(returned.pop("upload")) == ["task.json"]
    end = returned["submit"]
    assert (end["render_task_id"], end["state"], end["output_folders"]) == (
        number,
        "FINISHED",
        [f"{number}_every_mode"],
    )
    for mode in ("poke", "reschedule", "deferred"):
        assert returned[f"RenderbusTaskSensor.{mode}"] == end
        assert returned[f"RenderbusFramesSensor.{mode}"] == {
            "render_task_id": number,
            "done": 4,
            "required": 2,
            "total": 4,
        }
        assert returned[f"RenderbusOutputSensor.{mode}"] == {"render_task_id": number, "files": 4}
        assert float(returned[f"RenderbusFundsSensor.{mode}"]["available_funds"]) > 1
    assert not list(check_files(home, secrets_of(farm, client_of(farm)), private=()))


def test_every_operator_does_its_work(run, home, farm, still_farm, client_of):
    returned = run("every_operator")

    first, second = returned["create"]
    assert returned["submit"] == [first, second]
    assert [list(sizes) for sizes in returned["upload"]] == [["task.json"], ["task.json"]]
    assert {name: returned[name] for name in ORDERS} == {name: [first, second] for name in ORDERS}
    assert (returned["AbandonTask"], returned["DeleteTask"]) == ([first], [second])
    still = client_of(still_farm)
    infos = still.run(flows.get_tasks([first, second]))
    assert (infos[first].status, infos[first].task_limit) == (TaskStatus.ABANDON, 3)
    assert infos[second].is_delete == 0
    assert infos[first].producer == "every_operator"

    for mode in ("waiting", "deferred"):
        end = returned[f"render_{mode}"]
        assert end["state"] == "FINISHED"
        assert end["output_folders"] == [f"{end['render_task_id']}_every_operator_{mode}"]
    number = returned["create_one"]
    assert (returned["submit_one"]["render_task_id"], returned["submit_one"]["state"]) == (number, "FINISHED")
    assert [file["path"] for file in returned["outputs"]] == [f"/{number}_sh010/sh010_0003.png"]

    scene = Path(home / "dags/every_operator.py")
    assert returned["send"] == {"files": 1, "bytes": scene.stat().st_size}
    assert (inputs_of(farm) / str(scene).lstrip("/")).read_bytes() == scene.read_bytes()
    fetched = home / "every_operator" / f"{number}_sh010" / "sh010_0003.png"
    assert (returned["fetch"]["folder"], returned["fetch"]["files"]) == (str(home / "every_operator"), 1)
    assert fetched.read_bytes() == (farm.output_root / f"{number}_sh010" / "sh010_0003.png").read_bytes()

    assert returned["confide"] == ["password: ***"] * 6
    for each in (farm, still_farm):
        assert not list(check_files(home, secrets_of(each, client_of(each)), private=()))


def test_the_readmes_dags_run(airflow, farm, home, client_of):
    airflow("dags", "test", "one_shot")
    (last, *_) = client_of(farm).send(calls.get_task_list()).items
    assert (last.status, last.progress.done) == (TaskStatus.FINISHED, 24)
    assert len(list((home / "mnt" / "frames").glob(f"{last.id}_*/*.png"))) == 24
    assert (inputs_of(farm) / str(home).lstrip("/") / "mnt" / SCENE).read_text() == "a scene"

    airflow("dags", "test", "in_steps")
    (last, *_) = client_of(farm).send(calls.get_task_list()).items
    assert (last.status, last.progress.done) == (TaskStatus.FINISHED, 4)

    assert "RMB" in airflow("dags", "test", "hook_in_a_task")
