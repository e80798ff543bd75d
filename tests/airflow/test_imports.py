"""A DAG file that is parsed loads nothing that only a running task needs."""

import subprocess
import sys

from airflow_provider_renderbus.provider_info import get_provider_info

PROGRAM = """
import importlib, sys
from airflow.providers.common.compat.sdk import BaseHook, BaseOperator, BaseSensorOperator, conf
from airflow.triggers.base import BaseTrigger
before = set(sys.modules)
for module in sys.argv[1:]:
    importlib.import_module(module)
print(*sorted(set(sys.modules) - before))
"""


def test_operators_and_sensors_load_no_client_and_no_models():
    info = get_provider_info()
    modules = [
        name for room in ("operators", "sensors") for entry in info[room] for name in entry["python-modules"]
    ]
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, *modules]
    loaded = subprocess.check_output(command, text=True).splitlines()[-1].split()
    assert set(modules) <= set(loaded)
    assert not {"requests", "httpx", "jsonschema"} & set(loaded)
    ours = [name.removeprefix("airflow_provider_renderbus.") for name in loaded]
    models = {name for name in ours if name.startswith(("api.calls.", "api.models."))}
    assert models <= {"api.models.page"}
    assert not {"clients.blocking", "clients.asynchronous"} & set(ours)
