"""Texts stay texts in a DAG with ``render_template_as_native_obj``, and objects stay objects."""

import json

import pytest

from airflow_provider_renderbus.compat import DAG
from airflow_provider_renderbus.operators import RenderbusCreateTaskOperator, RenderbusRenderOperator
from airflow_provider_renderbus.sensors import RenderbusTaskSensor
from airflow_provider_renderbus.task_json import build_task_json
from airflow_provider_renderbus.task_json.schema import validate
from tests.task_json.builds import BUILDS

CONTEXT = {
    "params": {
        "artist": "007",
        "year": "2026",
        "version": "4.20",
        "number": 7,
        "job": {"task_info": {"cg_id": "2007"}},
        "listed": "[1, 2]",
    }
}


def rendered(operator_class, native=True, **arguments):
    """Return the arguments of an operator as Airflow renders them before `execute`."""
    with DAG("d", schedule=None, render_template_as_native_obj=native) as dag:
        operator = operator_class(task_id="t", **arguments)
    operator.render_template_fields(dict(CONTEXT), dag.get_template_env())
    return {name: getattr(operator, name) for name in arguments}


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("software", BUILDS)
def test_render_what_the_builder_makes_is_unchanged(software, native):
    content = build_task_json(software=software, **BUILDS[software], test_frames="100", project_name="007")
    assert rendered(RenderbusRenderOperator, native, task_json=content) == {"task_json": content}
    text = json.dumps(content)
    assert rendered(RenderbusRenderOperator, native, task_json=text) == {"task_json": text}
    assert validate("task.json", content) == ()


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("007", "007"),
        ("1001", "1001"),
        ("4.20", "4.20"),
        ("000", "000"),
        ("1e5", "1e5"),
        ("None", "None"),
        ("True", "True"),
        ("[wip]", "[wip]"),
        ("[2026]", "[2026]"),
        ("{'a': 1}", "{'a': 1}"),
        ("'quoted'", "'quoted'"),
        ("{{ params.artist }}", "007"),
        ("{{ params.version }}", "4.20"),
        ("{{ params.listed }}", "[1, 2]"),
        ("{{ params.year }}{{ params.artist }}", "2026007"),
        ("v{{ params.number }}", "v7"),
    ],
)
def test_render_text_stays_text(given, text, native):
    arguments = {"artist": given, "labels": [given], "task_json": {"task_info": {"project_name": given}}}
    assert rendered(RenderbusRenderOperator, native, **arguments) == {
        "artist": text,
        "labels": [text],
        "task_json": {"task_info": {"project_name": text}},
    }


def test_render_expression_gives_its_object():
    arguments = {"task_json": "{{ params.job }}", "labels": ["{{ params.number }}"]}
    assert rendered(RenderbusRenderOperator, **arguments) == {
        "task_json": CONTEXT["params"]["job"],
        "labels": [7],
    }
    assert rendered(RenderbusTaskSensor, render_task_id="{{ params.number }}") == {"render_task_id": 7}
    assert rendered(RenderbusTaskSensor, render_task_id="2W35") == {"render_task_id": "2W35"}


def test_render_error_names_the_template():
    with pytest.raises(ZeroDivisionError):
        rendered(RenderbusCreateTaskOperator, artist="{{ 1 // (params.number - 7) }}")
