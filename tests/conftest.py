"""Fixtures of all tests: an Airflow home apart from the user's, and an embedded farm."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The one profile of all property tests: few examples locally, many in CI, and no failure on a busy machine.
settings.register_profile(
    "tests",
    max_examples=100 if os.environ.get("CI") else 20,
    deadline=None,
    derandomize=False,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tests")

# Airflow reads these at its first import, so they are set before.
_HOME = Path(tempfile.mkdtemp(prefix="renderbus-tests-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ.update(
    AIRFLOW_HOME=str(_HOME),
    AIRFLOW__CORE__DAGS_FOLDER=str(_HOME / "dags"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS="False",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{_HOME / 'airflow.db'}",
)

from airflow_provider_renderbus.farm import ManualClock  # noqa: E402 - see above
from dev.harness.embedded_farm import StockedFarm, settings_of  # noqa: E402
from tests.airflow_version import WARNINGS  # noqa: E402

if WARNINGS:
    # For the import of Airflow by another conftest.py, which comes before the call of pytest_configure.
    warnings.simplefilter("ignore")

CONN_ID = "renderbus_default"


def pytest_configure(config):
    config.addinivalue_line("markers", "browser: needs Chromium")
    config.addinivalue_line("markers", "dag_runs: runs DAGs with Airflow's own commands, for minutes")
    for line in WARNINGS:
        config.addinivalue_line("filterwarnings", line)


@pytest.fixture(scope="module")
def set_up_once(request, tmp_path_factory):
    """Guards an expensive fixture of a module: fails if a second worker sets it up."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent  # shared by all workers
    try:
        (folder / f"{request.module.__name__} is set up").touch(exist_ok=False)
    except FileExistsError:
        pytest.fail("another worker has set it up too; run each file on one worker with --dist loadfile")


@pytest.fixture
def scenario():
    """The scenario of the farm; overridden by tests."""
    return {}


@pytest.fixture
def pictures():
    """Whether the farm renders pictures instead of placeholders, which takes most of the time of a render."""
    return False


@pytest.fixture
def farm(tmp_path, scenario, pictures):
    """A farm with a manual clock. Its input storage has the scene of each task.json that is uploaded."""
    with StockedFarm(
        tmp_path / "farm", ManualClock(), scenario={"pictures": pictures, **scenario}
    ) as running:
        yield running


@pytest.fixture
def storage(farm):
    """Storage folder of the farm."""
    return farm.output_root.parents[1]


@pytest.fixture
def inputs(storage):
    """The customer's input storage on the farm."""
    return storage / "input" / "10201-100001"


@pytest.fixture
def fault(storage):
    """Sets a fault of the transfer command."""
    return (storage / "transfer-fault").write_text


@pytest.fixture
def settings(farm):
    return settings_of(farm.connection())


@pytest.fixture
def connection(farm, monkeypatch):
    """Sets the farm as Airflow's connection `renderbus_default` and returns it."""
    connection = farm.connection()
    monkeypatch.setenv("AIRFLOW_CONN_RENDERBUS_DEFAULT", json.dumps(connection))
    return connection
