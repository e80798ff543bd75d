"""Tests of the arguments of operators and sensors, and that templated ones accept another task's output."""

import inspect

import pytest

from airflow_provider_renderbus.get_provider_info import get_provider_info
from tests.airflow_version import HAS_APPROVAL

CLASSES = [
    value
    for package in ("operators", "sensors")
    for entry in get_provider_info()[package]
    for module in entry["python-modules"]
    if HAS_APPROVAL or not module.endswith(".approval")
    for value in vars(__import__(module, fromlist=["_"])).values()
    if isinstance(value, type) and value.__module__ == module and value.__name__.startswith("Renderbus")
]


@pytest.mark.parametrize("operator_class", CLASSES, ids=lambda each: each.__name__)
def test_templated_field_accepts_xcom_arg(operator_class):
    types = {}
    for base in reversed(operator_class.__mro__):
        types |= getattr(vars(base).get("__init__"), "__annotations__", {})
    fields = {*operator_class.template_fields} - {"renderbus_conn_id"}
    assert {field for field in fields if "XComArg" not in str(types[field])} == set()


def arguments_of(function):
    named = inspect.signature(function).parameters.values()
    return {argument.name for argument in named if argument.kind is inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("operator_class", CLASSES, ids=lambda each: each.__name__)
def test_operator_init_names_every_argument_of_its_base_classes(operator_class):
    """An editor shows the arguments of the class itself only."""
    bases = [
        base for base in operator_class.__mro__ if base.__module__.startswith("airflow_provider_renderbus.")
    ]
    arguments = {name for base in bases if "__init__" in vars(base) for name in arguments_of(base.__init__)}
    assert arguments <= arguments_of(operator_class.__init__)
    assert {*operator_class.template_fields} <= arguments
    assert len(bases) <= 4, "a reader of an operator should need no more than three base classes"
