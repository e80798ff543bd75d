"""Tests that templated fields accept the output of another task."""

import pytest

from airflow_provider_renderbus.get_provider_info import get_provider_info

CLASSES = [
    value
    for package in ("operators", "sensors")
    for entry in get_provider_info()[package]
    for module in entry["python-modules"]
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
