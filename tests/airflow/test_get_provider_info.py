import importlib
import json
from importlib.metadata import distribution, entry_points
from pathlib import Path

import airflow
import jsonschema
import pytest

from airflow_provider_renderbus.get_provider_info import get_provider_info
from airflow_provider_renderbus.hooks.connection_fields import EXTRA_FIELDS, UI_FIELD_BEHAVIOUR
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from tests.airflow_version import (
    FORM_HAS_NUMBERS,
    HAS_APPROVAL,
    connection_form,
    connection_form_labels,
    connection_types,
)

INFO = get_provider_info()


def schema(name):
    return json.loads(Path(airflow.__file__).with_name(name).read_text("utf-8"))


def test_provider_info_is_valid_for_airflow():
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


def test_provider_info_is_valid_as_provider_yaml():
    rules = schema("provider.yaml.schema.json")
    # Only Airflow's own release tools read these.
    release_fields = {"state", "source-date-epoch", "dependencies"}
    rules["required"] = [name for name in rules["required"] if name not in release_fields]
    jsonschema.validate(INFO, rules)


def test_provider_info_has_name_and_version_of_the_distribution():
    (entry,) = [
        entry
        for entry in entry_points(group="apache_airflow_provider")
        if entry.dist and entry.dist.name == INFO["package-name"]
    ]
    assert entry.load() is get_provider_info
    assert distribution(INFO["package-name"]).version == INFO["versions"][0]


@pytest.mark.parametrize("package", ["hooks", "operators", "sensors", "triggers"])
def test_provider_info_modules_can_be_imported(package):
    for entry in INFO[package]:
        for module in entry["python-modules"]:
            if HAS_APPROVAL or not module.endswith(".approval"):
                importlib.import_module(module)


def test_airflow_lists_the_connection_type():
    assert connection_types()["renderbus"].hook_name == "Renderbus"


def test_connection_form_has_the_extra_fields():
    form = connection_form("renderbus")
    assert {name: label for name, (label, _, _) in form.items()} == {
        name: extra.label for name, extra in EXTRA_FIELDS.items()
    }
    for name, (_, default, choices) in form.items():
        expected = EXTRA_FIELDS[name].schema.get("default")
        is_text = (
            isinstance(expected, int | float) and not isinstance(expected, bool) and not FORM_HAS_NUMBERS
        )
        assert default == (str(expected) if is_text else expected)
        assert choices == EXTRA_FIELDS[name].schema.get("enum")


def test_connection_form_relabels_the_standard_fields():
    relabeling = UI_FIELD_BEHAVIOUR["relabeling"]
    labels = connection_form_labels("renderbus")
    assert {name: labels[name] for name in relabeling} == relabeling


def test_hook_field_behaviour_equals_provider_info():
    behaviour = RenderbusHook.get_ui_field_behaviour()
    jsonschema.validate(behaviour, schema("customized_form_field_behaviours.schema.json"))
    assert {name.replace("_", "-"): value for name, value in behaviour.items()} == UI_FIELD_BEHAVIOUR
