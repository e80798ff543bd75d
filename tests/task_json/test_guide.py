"""docs/task-json.md says what is so: its snippets run, its tables are whole, its messages are real."""

import inspect
import re
from pathlib import Path

import pytest

from airflow_provider_renderbus.task_json import scenes
from airflow_provider_renderbus.task_json.builder import DEFAULTS, build_task_json
from airflow_provider_renderbus.task_json.schema import validate
from airflow_provider_renderbus.task_json.software import software_name
from tests.task_json.shapes import SCENES

GUIDE = (Path(__file__).parents[2] / "docs" / "task-json.md").read_text("utf-8")
ROWS = [
    (re.findall(r"`(\w+)`", first), takes, left_out.strip(' `"'), re.findall(r"`(\w+)`", field))
    for first, takes, left_out, field in re.findall(
        r"^\| (`[^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", GUIDE, re.MULTILINE
    )
]


def test_the_table_has_the_arguments_of_the_builder_in_their_order():
    assert [name for names, *_ in ROWS for name in names] == list(
        inspect.signature(build_task_json).parameters
    )


def test_the_docstring_has_them_too():
    assert re.findall(r":param (\w+):", build_task_json.__doc__) == list(
        inspect.signature(build_task_json).parameters
    )


def test_the_table_tells_the_defaults():
    written = {"none": "", "windows": "1", "False": {"stop_after_test": "2", "render_layer_type": "0"}}
    told = {field: default for _, _, default, fields in ROWS for field in fields if field in DEFAULTS}
    for field, default in told.items():
        value = written.get(default, default)
        assert DEFAULTS[field] == (value[field] if isinstance(value, dict) else value), field


@pytest.mark.parametrize("number", scenes.SUPPORTED_ARGUMENTS)
def test_the_table_tells_which_software_takes_an_argument(number):
    for names, takes, _, _ in ROWS:
        if named := [
            software_name(other) for other in scenes.SUPPORTED_ARGUMENTS if software_name(other) in takes
        ]:
            for name in names:
                assert (name in scenes.SUPPORTED_ARGUMENTS[number]) == (
                    software_name(number) in named
                ) or name == "software", name


def test_the_snippets_run_and_build_what_passes():
    for snippet in re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL):
        names = {"__name__": "guide"}
        exec(compile(snippet, "task-json.md", "exec"), names)
        for value in names.values():
            if isinstance(value, dict) and "task_info" in value:
                validate("task.json", value)


def test_the_messages_are_those_that_come():
    told = re.search(r"^```\n(task\.json: .*?)\n```$", GUIDE, re.MULTILINE | re.DOTALL)[1]
    content = {
        "software_config": {},
        "task_info": {"cg_id": "2007", "frames_per_task": 1},
        "scene_info_render": {"x": {}},
    }
    with pytest.raises(ValueError, match=r"^task.json: ") as caught:
        validate("task.json", content)
    assert str(caught.value) == told


def test_the_software_with_a_shape_of_its_own_is_told():
    table = GUIDE.partition("| software | the scene holds |")[2]
    for software in set(SCENES) - {"2008 V-Ray Standalone", "2012 KeyShot"}:
        assert software[5:] in table
