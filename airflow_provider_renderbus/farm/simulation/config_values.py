"""Reading what a person wrote into a scenario: each key by its kind, with errors that say what is wrong."""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Parser = Callable[[Any], Any]


MAX_INT = 10**9
"""The largest whole number where no other is told: as seconds, some thirty years."""

MAX_SEED = 2**63 - 1
STATE_CODE = re.compile("-?[0-9]{1,3}")


def parse_object(where: str, entry: Any, table: Mapping[str, Parser]) -> dict[str, Any]:
    """Read a JSON object.

    :param where: what it is, for errors.
    :param entry: the object.
    :param table: its keys, and for each the function that reads the value or raises a ValueError that says
        what is expected.
    :return: the values that are there.
    :raises ValueError: it is not an object, has a key that is not in the table, or a value of a wrong kind.
    """
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: expected a JSON object")
    values = {}
    for key, value in entry.items():
        if key not in table:
            raise ValueError(
                f"{where} has an unknown key {key!r}; expected one of {', '.join(sorted(table))}"
            )
        try:
            values[key] = table[key](value)
        except ValueError as error:
            raise ValueError(f"{where}: {key} is {str(value)[:80]!r}; expected {error}") from None
    return values


def int_in(least: int, most: int = MAX_INT) -> Parser:
    """Return the reader of whole numbers in a range."""
    bounds = f"a whole number from {least} to {most}"

    def read(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(bounds)
        return value

    return read


def float_in(least: float, most: float = math.inf) -> Parser:
    """Return the reader of numbers in a range."""
    bounds = f"a number from {least:g}" + (f" to {most:g}" if most < math.inf else "")

    def read(value: Any) -> float:
        if type(value) not in {int, float} or not least <= value <= most or math.isinf(value):
            raise ValueError(bounds)
        return float(value)

    return read


def money_amount(value: Any) -> Decimal:
    """Read an amount of money: a text such as "0.67", or a whole number; at most four decimals."""
    try:
        read = Decimal(value if isinstance(value, str) or type(value) is int else "NaN")
    except InvalidOperation:
        read = Decimal("NaN")
    exponent = read.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -4 or not 0 <= read < Decimal("1e9"):  # noqa: PLR2004 - told below
        raise ValueError('an amount from 0 as text with at most four decimals, such as "0.67"')
    return read


def string(value: Any) -> str:
    """Read a text."""
    if not isinstance(value, str):
        raise ValueError("a text")
    return value


def boolean(value: Any) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def one_of(*choices: str) -> Parser:
    """Return the reader of one of some texts."""

    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return str(value)

    return read


def strings(*choices: str) -> Parser:
    """Return the reader of a list of texts, each of the choices where there are any."""

    def read(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or any(
            not isinstance(item, str) or (choices and item not in choices) for item in value
        ):
            raise ValueError("a list of " + (", ".join(choices) if choices else "texts"))
        return tuple(value)

    return read


def int_range(value: Any) -> tuple[int, int]:
    """Read a pair of whole numbers, the first not above the second."""
    if (
        not isinstance(value, list)
        or [type(item) for item in value] != [int, int]
        or not 1 <= value[0] <= value[1] <= MAX_INT
    ):
        raise ValueError(f"two whole numbers from 1 to {MAX_INT}, the least and the most, such as [90, 150]")
    return value[0], value[1]


def state_map(value: Any) -> dict[int, int]:
    """Read an object of state codes to state codes."""
    if not isinstance(value, dict) or any(
        not STATE_CODE.fullmatch(str(key)) or type(item) is not int for key, item in value.items()
    ):
        raise ValueError('state codes to state codes, such as {"0": 50}')
    return {int(key): item for key, item in value.items()}
