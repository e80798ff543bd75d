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
from tests.airflow_version import FORM_HAS_NUMBERS, connection_form, connection_types

INFO = get_provider_info()


def schema(name):
    return json.loads(Path(airflow.__file__).with_name(name).read_text("utf-8"))


def test_the_information_is_what_airflow_accepts():
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


def test_the_information_is_as_airflows_own_providers_write_it():
    wanted = schema("provider.yaml.schema.json")
    # Only Airflow's own release tools read these.
    own = {"state", "source-date-epoch", "dependencies"}
    wanted["required"] = [name for name in wanted["required"] if name not in own]
    jsonschema.validate(INFO, wanted)


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
    assert connection_types()["renderbus"].hook_name == "Renderbus"


def test_the_connection_form_has_the_fields_of_the_table():
    form = connection_form("renderbus")
    assert {name: label for name, (label, _, _) in form.items()} == {
        name: extra.label for name, extra in EXTRA_FIELDS.items()
    }
    for name, (_, default, choices) in form.items():
        wanted = EXTRA_FIELDS[name].schema.get("default")
        is_text = isinstance(wanted, int | float) and not isinstance(wanted, bool) and not FORM_HAS_NUMBERS
        assert default == (str(wanted) if is_text else wanted)
        assert choices == EXTRA_FIELDS[name].schema.get("enum")


def test_the_hook_says_of_the_other_fields_what_the_information_says():
    behaviour = RenderbusHook.get_ui_field_behaviour()
    jsonschema.validate(behaviour, schema("customized_form_field_behaviours.schema.json"))
    assert {name.replace("_", "-"): value for name, value in behaviour.items()} == UI_FIELD_BEHAVIOUR
