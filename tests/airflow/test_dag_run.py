"""A whole DAG run on this line of Airflow, as `airflow dags test` makes it: templates, XComs, deferrals."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_renderbus.farm import Farm
from demo.airflow_instance import inherited_environment
from demo.secrecy import check_files
from tests.airflow_version import is_leak_of_airflow

ROOT = Path(__file__).parents[2]
FARM_SPEED = 200.0  # its render takes a second


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    with Farm(tmp_path_factory.mktemp("farm") / "storage", speed=FARM_SPEED) as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="module")
def airflow(farm, home):
    """Airflow's command, with a database and the farm's connection; it returns what is printed."""
    environment = {
        **inherited_environment(),
        "AIRFLOW_CONN_RENDERBUS_DEFAULT": json.dumps(farm.connection()),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "tests" / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "PYTHONPATH": str(ROOT),
        "RETURNED": str(home / "returned.json"),
    }

    def airflow(*arguments):
        ended = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        lines = [line for line in ended.stdout.splitlines() if not is_leak_of_airflow(line)]
        printed = "\n".join(lines)
        assert ended.returncode == 0, printed
        (home / f"{arguments[0]}.log").write_text(printed)
        return printed

    airflow("db", "migrate")
    return airflow


def test_airflow_can_test_the_connection(airflow):
    assert "Connection success!" in airflow("connections", "test", "renderbus_default")


def test_a_render_is_waited_for_in_every_mode(airflow, home, farm):
    airflow("dags", "test", "every_mode")
    returned = json.loads((home / "returned.json").read_text())
    number = returned["create"]
    assert list(returned.pop("upload")) == ["task.json"]
    end = returned["submit"]
    assert (end["number"], end["state"], end["outputs"]) == (number, "FINISHED", [f"{number}_every_mode"])
    for mode in ("poke", "reschedule", "deferred"):
        assert returned[f"RenderbusTaskSensor.{mode}"] == end
        assert returned[f"RenderbusFramesSensor.{mode}"] == {"number": number, "done": 4, "wanted": 4}
        assert returned[f"RenderbusOutputSensor.{mode}"] == {"number": number, "files": 4}
        assert float(returned[f"RenderbusFundsSensor.{mode}"]["means"]) > 1
    assert not list(check_files(home, farm.connection()["password"], private=()))
