import importlib
import json
from importlib.metadata import distribution, entry_points
from pathlib import Path

import airflow
import jsonschema
import pytest
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

from airflow_provider_renderbus.provider_info import get_provider_info

INFO = get_provider_info()


@pytest.mark.parametrize("schema", ["provider_info.schema.json", "provider.yaml.schema.json"])
def test_the_information_is_as_airflow_wants_it(schema):
    wanted = json.loads(Path(airflow.__file__).with_name(schema).read_text("utf-8"))
    properties = wanted["properties"]
    for name, value in INFO.items():
        if name in properties:
            jsonschema.validate(value, {**properties[name], "definitions": wanted.get("definitions", {})})


def test_the_package_is_named_as_it_is_distributed():
    (entry,) = [
        entry
        for entry in entry_points(group="apache_airflow_provider")
        if entry.dist and entry.dist.name == INFO["package-name"]
    ]
    assert entry.load() is get_provider_info
    assert distribution(INFO["package-name"]).version == INFO["versions"][0]


@pytest.mark.parametrize("room", ["hooks", "operators", "sensors", "triggers"])
def test_every_module_that_is_named_is_there(room):
    for entry in INFO[room]:
        for module in entry["python-modules"]:
            importlib.import_module(module)


def test_airflow_finds_the_connection_type():
    assert ProvidersManagerTaskRuntime().hooks["renderbus"].hook_name == "Renderbus"
