"""What a DAG may hand to the operators and sensors in place of a value."""

import pytest

from airflow_provider_renderbus.get_provider_info import get_provider_info

KINDS = [
    value
    for place in ("operators", "sensors")
    for room in get_provider_info()[place]
    for module in room["python-modules"]
    for value in vars(__import__(module, fromlist=["_"])).values()
    if isinstance(value, type) and value.__module__ == module and value.__name__.startswith("Renderbus")
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_templated_field_takes_what_another_task_returns(kind):
    types = {}
    for base in reversed(kind.__mro__):
        types |= getattr(vars(base).get("__init__"), "__annotations__", {})
    fields = {*kind.template_fields} - {"renderbus_conn_id"}
    assert {field for field in fields if "XComArg" not in str(types[field])} == set()
