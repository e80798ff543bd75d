"""A DAG file that is parsed loads nothing that only a running task needs."""

import json
import subprocess
import sys

import pytest

from airflow_provider_renderbus.get_provider_info import get_provider_info
from tests.airflow_version import DAG_FILES_IMPORT

OURS = "airflow_provider_renderbus"
PROGRAM = """
import importlib, json, sys
baseline, *modules = sys.argv[1:]
exec(baseline)
before = set(sys.modules)
for module in modules:
    importlib.import_module(module)
print(json.dumps([sorted(before), sorted(set(sys.modules) - before)]))
"""
# The farm's answers and how they are read, the network, the files of a job, transfers, the poller, the farm.
OF_A_RUNNING_TASK = (
    *("api.envelope", "api.calls.", "api.models", "api.parsing", "api.secret", "api.signing"),
    *("clients.async_client", "clients.client", "clients.request_flow", "clients.retry", "clients.settings"),
    *("farm", "hooks.masking", "task_json", "operators.file_transfer", "transfer"),
    *("polling.watched_task", "polling.poller", "polling.shared_poller"),
)


@pytest.fixture(scope="module")
def modules():
    info = get_provider_info()
    return [
        name for room in ("operators", "sensors") for entry in info[room] for name in entry["python-modules"]
    ]


@pytest.fixture(scope="module")
def imported(modules):
    """What Airflow has loaded before all operators and sensors are imported, and what they add."""
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, DAG_FILES_IMPORT, *modules]
    before, added = json.loads(subprocess.check_output(command, text=True).splitlines()[-1])
    assert set(modules) <= set(added)
    return before, added


def packages(modules):
    return {module.partition(".")[0] for module in modules}


def test_operators_and_sensors_load_no_library_that_airflow_has_not_loaded(imported):
    before, added = imported
    assert packages(added) - packages(before) <= {OURS}


def test_they_load_of_this_package_only_what_a_dag_file_needs(imported):
    _, added = imported
    ours = [module.removeprefix(f"{OURS}.") for module in added if module.startswith(f"{OURS}.")]
    assert not [module for module in ours if module.startswith(OF_A_RUNNING_TASK)]


def test_what_only_a_running_task_needs_is_named_as_it_is_there():
    for name in OF_A_RUNNING_TASK:
        __import__(f"{OURS}.{name}".rstrip("."))
