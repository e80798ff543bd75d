"""What all tests share: an Airflow that touches nothing of the user's, and a farm on this machine."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine must not fail a property test.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")

# Airflow reads these when it is first imported, so they stand before any such import.
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

from airflow_provider_renderbus.farm import Farm, ManualClock  # noqa: E402 - see above
from dev.harness.embedded_farm import settings_of  # noqa: E402
from tests.airflow_version import WARNINGS  # noqa: E402

CONN_ID = "renderbus_default"


def pytest_configure(config):
    config.addinivalue_line("markers", "browser: needs Chromium")
    for line in WARNINGS:
        config.addinivalue_line("filterwarnings", line)


@pytest.fixture(scope="module")
def set_up_once(request, tmp_path_factory):
    """For what a module's tests share because it is costly: it fails where a second worker sets it up."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent  # that of all workers
    try:
        (folder / f"{request.module.__name__} is set up").touch(exist_ok=False)
    except FileExistsError:
        pytest.fail("another worker has set it up too: let each file stay with one, by --dist loadfile")


@pytest.fixture
def scenario():
    """How the farm is to behave: as usual, where a test says nothing else."""
    return {}


@pytest.fixture
def pictures():
    """Whether the farm renders real pictures."""
    return True


@pytest.fixture
def farm(tmp_path, scenario, pictures):
    """A farm whose time stands still until a test advances it."""
    with Farm(tmp_path / "farm", ManualClock(), scenario={"pictures": pictures, **scenario}) as running:
        yield running


@pytest.fixture
def storage(farm):
    """The farm's storage folder."""
    return farm.output_root.parents[1]


@pytest.fixture
def inputs(storage):
    """Where scenes and assets lie on the farm."""
    return storage / "input" / "10201-100001"


@pytest.fixture
def fault(storage):
    """Orders a fault of the transfer command."""
    return (storage / "transfer-fault").write_text


@pytest.fixture
def settings(farm):
    return settings_of(farm.connection())


@pytest.fixture
def connection(farm, monkeypatch):
    """The farm as Airflow's connection `renderbus_default`."""
    connection = farm.connection()
    monkeypatch.setenv("AIRFLOW_CONN_RENDERBUS_DEFAULT", json.dumps(connection))
    return connection
