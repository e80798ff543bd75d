"""Tests of what is imported when a DAG file is parsed, and of the public names."""

import importlib
import json
import subprocess
import sys

import pytest

from airflow_provider_renderbus.get_provider_info import get_provider_info
from tests.airflow import public_imports
from tests.airflow_version import DAG_FILES_IMPORT, HAS_APPROVAL, LINE

PACKAGE = "airflow_provider_renderbus"
PROGRAM = """
import importlib, json, sys
baseline, *modules = sys.argv[1:]
exec(baseline)
before = set(sys.modules)
for module in modules:
    importlib.import_module(module)
print(json.dumps([sorted(before), sorted(set(sys.modules) - before)]))
"""
# The farm's responses and their parsing, the network, the files of a job, transfers, the poller, the farm.
RUNTIME_MODULES = (
    *("api.envelope", "api.calls.", "api.models", "api.parsing", "api.secret", "api.signing"),
    *("clients.async_client", "clients.client", "clients.request_flow", "clients.retry", "clients.settings"),
    *("farm", "hooks.masking", "task_json", "operators.file_transfer", "transfer"),
    *("polling.watched_task", "polling.poller", "polling.shared_poller"),
)
# It loads Airflow's own operator, for the DAGs that ask for it.
APPROVAL = f"{PACKAGE}.operators.approval"
PUBLIC_PACKAGES = ("hooks", "operators", "sensors", "triggers")


def imports_of(*modules):
    """Return the modules that any DAG file has loaded, and the modules that importing these adds."""
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, DAG_FILES_IMPORT, *modules]
    before, added = json.loads(subprocess.check_output(command, text=True).splitlines()[-1])
    assert set(modules) <= {*before, *added}
    return before, added


@pytest.fixture(scope="module")
def modules():
    info = get_provider_info()
    return [
        name
        for package in ("operators", "sensors")
        for entry in info[package]
        for name in entry["python-modules"]
        if name != APPROVAL
    ]


@pytest.fixture(scope="module")
def imported(modules):
    before, added = imports_of(*modules)
    assert set(modules) <= set(added)
    return before, added


def top_level(modules):
    return {module.partition(".")[0] for module in modules}


def test_operators_and_sensors_load_no_library_that_airflow_has_not_loaded(imported):
    before, added = imported
    assert top_level(added) - top_level(before) <= {PACKAGE}


def test_operators_and_sensors_load_no_module_that_only_a_running_task_needs(imported):
    _, added = imported
    ours = [module.removeprefix(f"{PACKAGE}.") for module in added if module.startswith(f"{PACKAGE}.")]
    assert not [module for module in ours if module.startswith(RUNTIME_MODULES)]


@pytest.mark.skipif(LINE < (3, 3), reason="older lines load more with airflow.sdk, or less")
def test_operators_and_sensors_load_few_modules(imported):
    _, added = imported
    assert len(added) <= 70, added


def test_plugin_that_task_processes_load_imports_nothing_of_its_pages():
    load_plugins = "airflow.sdk.plugins_manager" if LINE >= (3, 3) else "airflow.plugins_manager"
    _, added = imports_of(load_plugins, f"{PACKAGE}.web.plugin")
    _, without = imports_of(load_plugins)
    ours = {name for name in added if name.startswith(f"{PACKAGE}.")} - {f"{PACKAGE}.compat"}
    assert ours == {f"{PACKAGE}.web", f"{PACKAGE}.web.plugin"}
    assert set(added) - set(without) <= {PACKAGE, f"{PACKAGE}.compat", *ours}
    assert "fastapi" not in added


def test_runtime_modules_exist():
    for name in RUNTIME_MODULES:
        __import__(f"{PACKAGE}.{name}".rstrip("."))


def test_public_packages_load_none_of_their_modules():
    packages = [f"{PACKAGE}.{name}" for name in PUBLIC_PACKAGES]
    before, added = imports_of(*packages)
    assert top_level(added) - top_level(before) <= {PACKAGE}
    submodules = tuple(f"{package}." for package in packages)
    # Airflow itself calls get_provider_info, which needs the fields of the connection form.
    loaded = {name for name in (*before, *added) if name.startswith(submodules)}
    assert loaded <= {f"{PACKAGE}.hooks.connection_fields"}


@pytest.mark.parametrize("name", PUBLIC_PACKAGES)
def test_public_package_exports_every_class_of_the_modules_that_airflow_lists(name):
    package = importlib.import_module(f"{PACKAGE}.{name}")
    classes = {
        member
        for entry in get_provider_info()[name]
        for module in entry["python-modules"]
        if module != APPROVAL or HAS_APPROVAL
        for member in vars(importlib.import_module(module)).values()
        if isinstance(member, type)
        and member.__module__ == module
        and member.__name__.startswith("Renderbus")
    }
    exported = exported_by(package)
    assert {getattr(package, each) for each in exported} == classes
    assert exported == sorted(each.__name__ for each in classes)


@pytest.mark.parametrize("name", PUBLIC_PACKAGES)
def test_file_that_mypy_checks_imports_every_public_class(name):
    package = importlib.import_module(f"{PACKAGE}.{name}")
    assert getattr(public_imports, name.upper()) == {getattr(package, each) for each in exported_by(package)}


def exported_by(package):
    """The names that a package exports on this line of Airflow."""
    return [name for name in package.__all__ if HAS_APPROVAL or name != "RenderbusApproveFramesOperator"]
