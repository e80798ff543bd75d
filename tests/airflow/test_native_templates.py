"""Texts stay texts in a DAG with ``render_template_as_native_obj``, and objects stay objects."""

import inspect
import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path, PurePosixPath

import pytest

from airflow_provider_renderbus.compat import DAG
from airflow_provider_renderbus.decorators import renderbus_task
from airflow_provider_renderbus.operators import RenderbusCreateTaskOperator, RenderbusRenderOperator
from airflow_provider_renderbus.sensors import RenderbusTaskSensor
from airflow_provider_renderbus.task_json import build_task_json
from airflow_provider_renderbus.task_json.schema import validate
from tests.airflow.public_imports import OPERATORS, SENSORS
from tests.task_json.builds import BUILDS

CONTEXT = {
    "params": {
        "artist": "007",
        "year": "2026",
        "version": "4.20",
        "number": 7,
        "job": {"task_info": {"cg_id": "2007"}},
        "listed": "[1, 2]",
        "names": ["a", 7],
        "decimal": Decimal("4.20"),
        "day": date(2026, 1, 2),
        "nothing": None,
        "shot": "sh010",
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
    arguments = {"task_json": "{{ params.job }}", "labels": "{{ params.names }}"}
    assert rendered(RenderbusRenderOperator, **arguments) == {
        "task_json": CONTEXT["params"]["job"],
        "labels": ["a", 7],
    }
    assert rendered(RenderbusTaskSensor, render_task_id="{{ params.number }}") == {"render_task_id": 7}
    assert rendered(RenderbusTaskSensor, render_task_id="2W35") == {"render_task_id": "2W35"}


def test_render_error_names_the_template():
    with pytest.raises(ZeroDivisionError):
        rendered(RenderbusCreateTaskOperator, artist="{{ 1 // (params.number - 7) }}")


def templated_text_fields():
    """Yield the templated fields of all operators and sensors, but ids and numbers."""
    for operator_class in sorted(OPERATORS | SENSORS, key=lambda each: each.__name__):
        types = inspect.signature(operator_class.__init__).parameters
        for field in operator_class.template_fields:
            accepted = str(types[field].annotation)
            if not re.search(r"\b(int|float|Decimal|TaskId)\b", accepted) and field not in OBJECTS:
                yield pytest.param(operator_class, field, id=f"{operator_class.__name__}-{field}")


# Fields with objects: paths, or filters by model, memory and cards.
OBJECTS = {"assets", "hardware"}


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(("operator_class", "field"), list(templated_text_fields()))
@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ params.number }}", "7"),
        ("{{ params.decimal }}", "4.20"),
        ("{{ params.number > 3 }}", "True"),
        ("{{ params.day }}", "2026-01-02"),
        ("{{ params.version }}", "4.20"),
        ("{{ params.artist }}", "007"),
    ],
)
def test_render_number_in_a_text_field_arrives_as_text(operator_class, field, template, text, native):
    required = {
        name: 1
        for name, parameter in inspect.signature(operator_class.__init__).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is inspect.Parameter.empty
    }
    for given, expected in [
        (template, text),
        ([template, "x"], [text, "x"]),
        ({"a": [template]}, {"a": [text]}),
    ]:
        arguments = {**required, field: given}
        assert rendered(operator_class, native, **arguments)[field] == expected


def test_render_number_in_what_a_function_is_called_with_stays_a_number():
    def shot(number):
        return number

    with DAG("d", schedule=None, render_template_as_native_obj=True) as dag:
        operator = renderbus_task(shot, project_name="{{ params.number }}")("{{ params.number }}").operator
    operator.render_template_fields(dict(CONTEXT), dag.get_template_env())
    assert (list(operator.op_args), operator.project_name) == ([7], "7")


PATH_FIELDS = [
    (operator_class, field)
    for operator_class in sorted(OPERATORS | SENSORS, key=lambda each: each.__name__)
    for field in inspect.signature(operator_class.__init__).parameters
    if re.search(
        "PathLike|JsonSource|Assets",
        str(inspect.signature(operator_class.__init__).parameters[field].annotation),
    )
]


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(("operator_class", "field"), PATH_FIELDS)
def test_render_path_object_is_templated_as_text_is(operator_class, field, native):
    required = {
        name: 1
        for name, parameter in inspect.signature(operator_class.__init__).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is inspect.Parameter.empty
    }
    for given, expected in [
        ("/mnt/{{ params.shot }}", "/mnt/sh010"),
        (Path("/mnt/{{ params.shot }}/{{ params.number }}.json"), Path("/mnt/sh010/7.json")),
        (PurePosixPath("{{ params.shot }}"), PurePosixPath("sh010")),
        ([Path("/mnt/{{ params.shot }}"), "/mnt/x"], [Path("/mnt/sh010"), "/mnt/x"]),
        (Path("/mnt/plain"), Path("/mnt/plain")),
    ]:
        assert rendered(operator_class, native, **{**required, field: given})[field] == expected


def test_every_path_argument_of_a_public_operator_is_templated():
    assert len(PATH_FIELDS) == 12
    assert [
        (operator_class.__name__, field)
        for operator_class, field in PATH_FIELDS
        if field not in operator_class.template_fields
    ] == []
