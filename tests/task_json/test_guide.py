"""docs/task-json.md and docs/software.md agree with the code: snippets run, tables are complete."""

import inspect
import re
from pathlib import Path

import pytest

from airflow_provider_renderbus.task_json import build_task_json
from airflow_provider_renderbus.task_json.fields import DEFAULTS
from airflow_provider_renderbus.task_json.schema import validate
from airflow_provider_renderbus.task_json.software import BUILDABLE, SOFTWARE
from dev import software_reference

GUIDE = (Path(__file__).parents[2] / "docs" / "task-json.md").read_text("utf-8")
ROWS = [
    (re.findall(r"`(\w+)`", first), values, default.strip(' `"'), re.findall(r"`(\w+)`", field))
    for first, values, default, field in re.findall(
        r"^\| (`[^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", GUIDE, re.MULTILINE
    )
]


def test_guide_table_has_the_parameters_of_the_builder_in_order():
    assert [name for names, *_ in ROWS for name in names] == list(
        inspect.signature(build_task_json).parameters
    )


def test_builder_docstring_has_its_parameters_in_order():
    assert re.findall(r":param (\w+):", build_task_json.__doc__) == list(
        inspect.signature(build_task_json).parameters
    )


def test_guide_table_has_the_defaults():
    fields_by_default = {
        "none": "",
        "not shared": "3",
        "by software and path": "1",
        "False": {"stop_after_test": "2", "render_layer_type": "0"},
    }
    documented = {field: default for _, _, default, fields in ROWS for field in fields if field in DEFAULTS}
    for field, default in documented.items():
        value = fields_by_default.get(default, default)
        assert DEFAULTS[field] == (value[field] if isinstance(value, dict) else value), field


def test_guide_table_names_the_software_that_takes_an_argument():
    for names, values, _, _ in ROWS:
        named = {each.name for each in SOFTWARE.values() if re.search(rf"\b{each.name}\b", values)}
        for name in names:
            takers = {each.name for each in SOFTWARE.values() if name in each.scene_arguments()}
            assert not takers or named == (takers if len(takers) <= 4 else set()), name


def test_software_page_is_made_from_the_tables():
    assert software_reference.PAGE.read_text("utf-8") == software_reference.render_page() + "\n", (
        "run python -m dev.software_reference"
    )


def test_guide_snippets_build_valid_files():
    for snippet in re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL):
        names = {"__name__": "guide"}
        exec(compile(snippet, "task-json.md", "exec"), names)
        for value in names.values():
            if isinstance(value, dict) and "task_info" in value:
                validate("task.json", value)


def test_guide_messages_are_those_of_validate():
    documented = re.search(r"^```\n(task\.json: .*?)\n```$", GUIDE, re.MULTILINE | re.DOTALL)[1]
    content = {
        "software_config": {},
        "task_info": {"cg_id": "2007", "frames_per_task": 1},
        "scene_info_render": {"x": {}},
    }
    with pytest.raises(ValueError, match=r"^task.json: ") as caught:
        validate("task.json", content)
    assert str(caught.value) == documented


def test_guide_table_has_all_software_with_a_required_scene():
    table = GUIDE.partition("| software | required in the scene |")[2]
    for each in BUILDABLE.values():
        assert each.name in table or not each.groups
