import pickle
from decimal import Decimal

import pytest

from airflow_provider_renderbus.api.errors import UnknownTask
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.api.validation import (
    parse_decimal,
    parse_int,
    parse_seconds,
    parse_task_statuses,
)


def test_parse_seconds_and_parse_int_accept_text():
    assert (parse_seconds("timeout", "1.5"), parse_seconds("timeout", 2)) == (1.5, 2.0)
    assert (parse_int("count", "3"), parse_int("count", 3)) == (3, 3)


@pytest.mark.parametrize("value", [0, -1, "often", None, True, float("inf"), float("nan")])
def test_parse_seconds_with_invalid_value_raises_value_error(value):
    with pytest.raises(ValueError, match=r"^timeout: must be a positive number of seconds, got"):
        parse_seconds("timeout", value)


@pytest.mark.parametrize("value", ["three", 1.5, None, True, ""])
def test_parse_int_with_invalid_value_raises_value_error(value):
    with pytest.raises(ValueError, match=r"^count: must be an integer, got"):
        parse_int("count", value)


def test_parse_task_statuses_accepts_codes_names_and_members():
    assert parse_task_statuses("states", [25, "30", "finished_test", TaskStatus.FAILED]) == {25, 30, 40, 45}


@pytest.mark.parametrize("values", [[], "25", 25, [99], [True], ["done"], [-1], [None]])
def test_parse_task_statuses_with_invalid_value_raises_value_error(values):
    with pytest.raises(ValueError, match=r"^states: must be "):
        parse_task_statuses("states", values)


def test_unknown_task_pickled_and_unpickled_is_equal():
    unpickled = pickle.loads(pickle.dumps(UnknownTask(7)))
    assert (unpickled.task_id, str(unpickled)) == (7, str(UnknownTask(7)))


@pytest.mark.parametrize("value", [12, "12", 12.0, Decimal(12)])
def test_parse_decimal_accepts_numbers_and_text(value):
    assert parse_decimal("max_cost", value) == Decimal(12)


@pytest.mark.parametrize("value", ["much", "NaN", "inf", True, None])
def test_parse_decimal_with_invalid_value_raises_value_error(value):
    with pytest.raises(ValueError, match=f"max_cost: must be a finite number, got {value!r}"):
        parse_decimal("max_cost", value)
