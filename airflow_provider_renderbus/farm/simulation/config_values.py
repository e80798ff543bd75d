"""Parsers for the values of a scenario. Their errors name the key, the valid values and the value."""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Parser = Callable[[Any], Any]


MAX_INT = 10**9
"""The largest integer if a key has no other limit: as seconds, about thirty years."""
MAX_SEED = 2**63 - 1
MAX_AMOUNT = Decimal("1e9")
MAX_DECIMALS = 4
_STATE_CODE = re.compile("-?[0-9]{1,3}")


def parse_object(name: str, value: Any, parsers: Mapping[str, Parser]) -> dict[str, Any]:
    """Parse a JSON object.

    :param name: its place in the scenario, for errors.
    :param value: the object.
    :param parsers: for each key a function that returns the parsed value, or raises a ValueError with the
        description of valid values.
    :return: the parsed values of the keys that are present.
    :raises ValueError: it is not an object, a key is unknown or a value is invalid.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{name}: must be a JSON object, got {_describe(value)}")
    parsed = {}
    for key, item in value.items():
        if key not in parsers:
            raise ValueError(f"{name}: keys must be among {', '.join(sorted(parsers))}, got {_describe(key)}")
        try:
            parsed[key] = parsers[key](item)
        except ValueError as error:
            raise ValueError(f"{name}.{key}: must be {error}, got {_describe(item)}") from None
    return parsed


def _describe(value: Any) -> str:
    return repr(value)[:80]


def int_in(minimum: int, maximum: int = MAX_INT) -> Parser:
    """Return a parser of integers in a range."""

    def parse(value: Any) -> int:
        if type(value) is not int or not minimum <= value <= maximum:
            raise ValueError(f"an integer from {minimum} to {maximum}")
        return value

    return parse


def float_in(minimum: float, maximum: float = math.inf) -> Parser:
    """Return a parser of finite numbers in a range."""
    limits = f"a number from {minimum:g}" + (f" to {maximum:g}" if maximum < math.inf else "")

    def parse(value: Any) -> float:
        if type(value) not in {int, float} or not minimum <= value <= maximum or math.isinf(value):
            raise ValueError(limits)
        return float(value)

    return parse


def money_amount(value: Any) -> Decimal:
    """Parse an amount of money: a string such as "0.67", or an integer; at most four decimals."""
    try:
        amount = Decimal(value if isinstance(value, str) or type(value) is int else "NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -MAX_DECIMALS or not 0 <= amount < MAX_AMOUNT:
        raise ValueError(f'an amount from 0 as a string with at most {MAX_DECIMALS} decimals, such as "0.67"')
    return amount


def string(value: Any) -> str:
    """Parse a string."""
    if not isinstance(value, str):
        raise ValueError("a string")
    return value


def boolean(value: Any) -> bool:
    """Parse true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def one_of(*choices: str) -> Parser:
    """Return a parser of one of some strings."""

    def parse(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return str(value)

    return parse


def strings(*choices: str) -> Parser:
    """Return a parser of a list of strings, each of them one of the choices if there are any."""

    def parse(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or any(
            not isinstance(item, str) or (choices and item not in choices) for item in value
        ):
            raise ValueError("a list of " + (", ".join(choices) if choices else "strings"))
        return tuple(value)

    return parse


def int_range(value: Any) -> tuple[int, int]:
    """Parse a pair of integers, minimum and maximum."""
    if (
        not isinstance(value, list)
        or [type(item) for item in value] != [int, int]
        or not 1 <= value[0] <= value[1] <= MAX_INT
    ):
        raise ValueError(f"two integers from 1 to {MAX_INT}, minimum and maximum, such as [90, 150]")
    return value[0], value[1]


def state_map(value: Any) -> dict[int, int]:
    """Parse an object that maps state codes to state codes."""
    if not isinstance(value, dict) or any(
        not _STATE_CODE.fullmatch(str(key)) or type(item) is not int for key, item in value.items()
    ):
        raise ValueError('an object of state codes to state codes, such as {"0": 50}')
    return {int(key): item for key, item in value.items()}
