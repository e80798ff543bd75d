import pickle
from decimal import Decimal

import pytest

from airflow_provider_renderbus.api import validation
from airflow_provider_renderbus.api.errors import UnknownTask
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.api.validation import (
    parse_decimal,
    parse_int,
    parse_seconds,
    parse_task_statuses,
)

HUGE = pytest.param(10**5000, id="more digits than Python prints")
MINUS_HUGE = pytest.param(-(10**5000), id="minus more digits than Python prints")
OTHER_DIGITS = "\u0663\u0665"  # Arabic-Indic
NO_NUMBERS = [
    None,
    True,
    b"1",
    HUGE,
    MINUS_HUGE,
    float("nan"),
    float("inf"),
    "",
    "1_0",
    OTHER_DIGITS,
    [1],
    {},
]
NO_LISTS = ["12", b"12", bytearray(b"12"), memoryview(b"12"), {"1": 2}, 12, None]


def test_parse_seconds_and_parse_int_accept_text():
    assert (parse_seconds("timeout", "1.5"), parse_seconds("timeout", 2)) == (1.5, 2.0)
    assert (parse_int("count", "3"), parse_int("count", 3)) == (3, 3)


@pytest.mark.parametrize("value", [0, -1, "often", 1e10, "1e300", *NO_NUMBERS])
def test_parse_seconds_with_invalid_value_raises_value_error(value):
    with pytest.raises(
        ValueError, match=r"^timeout: must be (a positive number of|at most [0-9,]+) seconds.*, got"
    ):
        parse_seconds("timeout", value)


@pytest.mark.parametrize("value", ["three", 1.5, "1.5", 2**63, str(2**63), *NO_NUMBERS])
def test_parse_int_with_invalid_value_raises_value_error(value):
    with pytest.raises(ValueError, match=r"^count: must be an integer, got"):
        parse_int("count", value)


def test_parse_task_statuses_accepts_codes_names_and_members():
    assert parse_task_statuses("states", [25, "30", "finished_test", TaskStatus.FAILED]) == {25, 30, 40, 45}


@pytest.mark.parametrize(
    "values", [[], 25, [99], [True], ["done"], [-1], [None], [10**40], [b"25"], ["\u0662\u0665"], *NO_LISTS]
)
def test_parse_task_statuses_with_invalid_value_raises_value_error(values):
    with pytest.raises(ValueError, match=r"^states: must be "):
        parse_task_statuses("states", values)


def test_unknown_task_pickled_and_unpickled_is_equal():
    unpickled = pickle.loads(pickle.dumps(UnknownTask(7)))
    assert (unpickled.task_id, str(unpickled)) == (7, str(UnknownTask(7)))


@pytest.mark.parametrize("value", [12, "12", 12.0, Decimal(12)])
def test_parse_decimal_accepts_numbers_and_text(value):
    assert parse_decimal("max_cost", value) == Decimal(12)


@pytest.mark.parametrize("value", ["much", "NaN", "inf", "1E+999999", *NO_NUMBERS])
def test_parse_decimal_with_invalid_value_raises_value_error(value):
    with pytest.raises(ValueError, match=r"^max_cost: must be a finite number, got "):
        parse_decimal("max_cost", value)


@pytest.mark.parametrize("value", ["1000000000000.01", Decimal("1E+99")])
def test_parse_decimal_with_too_much_money_names_the_limit(value):
    with pytest.raises(ValueError, match=r"^max_cost: must be at most 1,000,000,000,000, got "):
        parse_decimal("max_cost", value)


def test_parse_decimal_with_negative_amount_raises_value_error():
    with pytest.raises(ValueError, match=r"^max_cost: must be at least 0, got '-0\.5'$"):
        parse_decimal("max_cost", "-0.5")


def test_parse_decimal_of_a_float_is_what_python_prints():
    assert parse_decimal("max_cost", 0.1) == Decimal("0.1")


@pytest.mark.parametrize("value", ["2W35", " 35 ", "W35", 35, "012ABC35"])
def test_parse_task_id_accepts_ids_and_aliases(value):
    assert validation.parse_task_id("task_id", value) == 35


@pytest.mark.parametrize(
    "value", [0, -1, 10**40, str(10**40), "2w35", f"2W{OTHER_DIGITS}", "35.0", *NO_NUMBERS]
)
def test_parse_task_id_with_invalid_value_raises_value_error(value):
    with pytest.raises(ValueError, match=r"^task_id: must be a task id \(35736251\) or an alias "):
        validation.parse_task_id("task_id", value)


@pytest.mark.parametrize("values", NO_LISTS)
@pytest.mark.parametrize(
    "check", [validation.parse_task_ids, validation.non_empty_strs, validation.require_ints]
)
def test_list_given_as_anything_else_raises_value_error(check, values):
    with pytest.raises(ValueError, match=r"^values: must be a list of "):
        check("values", values)


@pytest.mark.parametrize("value", [2**63, MINUS_HUGE, True, 1.0, "1", b"1", None])
def test_require_int_with_invalid_value_raises_value_error(value):
    with pytest.raises(ValueError, match=r"^count: must be an integer, got "):
        validation.require_int("count", value)


@pytest.mark.parametrize("value", [0, 2**63, True, "1", HUGE])
def test_positive_int_with_invalid_value_raises_value_error(value):
    with pytest.raises(ValueError, match=r"^count: must be an integer of at least 1, got "):
        validation.positive_int("count", value)


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb"])
@pytest.mark.parametrize("check", [validation.require_str, validation.non_empty_str])
def test_string_that_cannot_be_encoded_raises_value_error(check, value):
    with pytest.raises(ValueError, match=r"^artist: must be a string without lone surrogates, got '.*ud"):
        check("artist", value)


def test_error_shows_the_beginning_of_a_long_value():
    with pytest.raises(ValueError, match=r"^label: must be ") as caught:
        validation.one_of("label", "x" * 10_000, ("a",))
    assert len(str(caught.value)) < 200
    assert validation.excerpt(10**5000) == "an integer of 16610 bits"
    assert validation.excerpt([10**5000]) == "list"


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("a\nb", "must be on one line"),
        ("a\x1bb", "must be on one line"),
        ("a\u2028b", "must be on one line"),
        ("x" * (validation.MAX_LINE_CHARS + 1), r"must have at most \d+ characters"),
    ],
)
def test_one_line_refuses_control_characters_and_long_texts(value, fault):
    with pytest.raises(ValueError, match=f"^artist: {fault}"):
        validation.one_line("artist", value)


def test_one_line_accepts_empty_and_unprintable_but_harmless_text():
    assert validation.one_line("artist", "") == ""
    assert validation.one_line("artist", "Zo\u00eb\u200b") == "Zo\u00eb\u200b"


@pytest.mark.parametrize("value", ["", "  ", None, 7])
def test_non_blank_line_refuses_what_is_no_text_or_blank(value):
    with pytest.raises(ValueError, match=r"^labels: must be a non-empty string"):
        validation.non_blank_lines("labels", ["sh010", value])


def test_non_blank_lines_returns_texts():
    assert validation.non_blank_lines("labels", ["sh010", "night"]) == ["sh010", "night"]


@pytest.mark.parametrize("value", ["false", 0, None])
def test_require_bool_refuses_everything_else(value):
    assert validation.require_bool("deferrable", True) is True
    with pytest.raises(ValueError, match=r"^deferrable: must be True or False"):
        validation.require_bool("deferrable", value)


@pytest.mark.parametrize("value", [0, 8, "8", "1.5", None, True])
def test_parse_int_from_refuses_what_is_out_of_range(value):
    assert validation.parse_int_from("count", " 7 ", 1, 7) == 7
    with pytest.raises(ValueError, match=r"^count: must be an integer from 1 to 7"):
        validation.parse_int_from("count", value, 1, 7)
