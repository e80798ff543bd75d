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


def test_times_and_numbers_may_be_text_as_a_template_renders_them():
    assert (parse_seconds("timeout", "1.5"), parse_seconds("timeout", 2)) == (1.5, 2.0)
    assert (parse_int("count", "3"), parse_int("count", 3)) == (3, 3)


@pytest.mark.parametrize("value", [0, -1, "often", None, True, float("inf"), float("nan")])
def test_what_is_no_time_is_named(value):
    with pytest.raises(ValueError, match=r"^timeout: a positive number of seconds is wanted"):
        parse_seconds("timeout", value)


@pytest.mark.parametrize("value", ["three", 1.5, None, True, ""])
def test_what_is_no_whole_number_is_named(value):
    with pytest.raises(ValueError, match=r"^count: a whole number is wanted"):
        parse_int("count", value)


def test_states_may_be_codes_names_or_members():
    assert parse_task_statuses("states", [25, "30", "finished_test", TaskStatus.FAILED]) == {25, 30, 40, 45}


@pytest.mark.parametrize("values", [[], "25", 25, [99], [True], ["done"], [-1], [None]])
def test_what_is_no_state_is_named(values):
    with pytest.raises(ValueError, match=r"^states: "):
        parse_task_statuses("states", values)


def test_the_error_for_a_missing_task_can_be_pickled():
    again = pickle.loads(pickle.dumps(UnknownTask(7)))
    assert (again.task_id, str(again)) == (7, str(UnknownTask(7)))


@pytest.mark.parametrize("value", [12, "12", 12.0, Decimal(12)])
def test_an_amount_of_money(value):
    assert parse_decimal("max_cost", value) == Decimal(12)


@pytest.mark.parametrize("value", ["much", "NaN", "inf", True, None])
def test_what_is_no_amount_of_money(value):
    with pytest.raises(ValueError, match=f"max_cost: an amount is wanted, not {value!r}"):
        parse_decimal("max_cost", value)
