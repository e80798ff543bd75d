"""Parses the farm's JSON into models.

A model is a frozen dataclass. Each field names its JSON key and the function that reads its value::

    @dataclass(frozen=True, slots=True)
    class Frame:
        id: int = required_field("id", read_int)
        price: Decimal | None = optional_field("framePrice", read_decimal)

A field that is missing, null or (if optional) of a wrong type takes its default, so that a change in the
farm's responses does not break a running pipeline. A required field that cannot be read raises
:class:`ParseError`, which names it.

What a later call is built from, e.g. an id or a path, is validated here: a call that is built from what the
farm sent must not fail as if its author had made the mistake.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import DataclassInstance

M = TypeVar("M", bound="DataclassInstance")
V = TypeVar("V")

_JSON_KEY = "json_key"
_READ = "read"
_STRICT = "strict"
_INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)
# With an exponent too: Java writes 100 as "1E+2" if it has stripped the zeros.
_DECIMAL = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
MAX_INT = 2**63 - 1
"""The largest integer that is read: Airflow cannot hand larger ones from one process to another."""
MAX_COUNT = 10**15
"""The largest number of frames or bytes that is read, so that sums of them stay below the other limit."""
_ANY_INT, _COUNT, _ID = (-MAX_INT, MAX_INT), (0, MAX_COUNT), (1, MAX_INT)
_MAX_DECIMAL = 10**20


class ParseError(ValueError):
    """A value of a response does not have the type that its model declares."""


def required_field(json_key: str, read: Callable[[Any], Any]) -> Any:
    """Declare a field, by the farm's name, without which a response is useless."""
    return dataclasses.field(metadata={_JSON_KEY: json_key, _READ: read, _STRICT: True})


def optional_field(
    json_key: str, read: Callable[[Any], Any], default: Any = None, *, strict: bool = False
) -> Any:
    """Declare a field, by the farm's name, that has its default if it is missing, null or of a wrong type.

    :param strict: whether a wrong type is an error of the whole response, because the default would be a
        wrong statement.
    """
    return dataclasses.field(default=default, metadata={_JSON_KEY: json_key, _READ: read, _STRICT: strict})


def reader_for(model: type[M]) -> Callable[[Any], M]:
    """Return a function that reads a JSON object into a model.

    The function raises `ParseError` if its argument is not an object, or if a required field is missing or
    cannot be read.
    """
    name = model.__name__

    @functools.cache
    def prepare() -> tuple[list[Any], type[Any]]:
        # At the first object: most of a process's models are never read, and a class takes a millisecond.
        fields = dataclasses.fields(model)
        readers = [
            (
                field.metadata[_JSON_KEY],
                *_NO_CONVERSION.get(field.metadata[_READ], (None, None, None)),
                field.metadata[_READ],
                field.default,
                field.metadata[_STRICT],
            )
            for field in fields
        ]
        draft = dataclasses.make_dataclass(f"{name}Draft", [field.name for field in fields], slots=True)
        return readers, draft

    def read_model(data: Any) -> M:
        if type(data) is not dict:
            raise ParseError(f"{name}: must be an object, got {_json_type(data)}")
        readers, draft = prepare()
        values = []
        for json_key, final_type, low, high, read, default, strict in readers:
            value = data.get(json_key)
            if value is None:
                if default is dataclasses.MISSING:
                    raise ParseError(f"{name}.{json_key} is missing")
                value = default
            elif type(value) is not final_type or (low is not None and not low <= value <= high):
                try:
                    value = read(value)
                except ParseError as error:
                    if strict:
                        raise ParseError(f"{name}.{json_key}: {error}") from None
                    value = default
            values.append(value)
        # Setting the fields of a frozen object would take as long as all the reading. They are set on a
        # draft, which has the same slots and is not frozen, and then the draft becomes the model.
        instance: Any = draft(*values)
        instance.__class__ = model
        return cast("M", instance)

    return read_model


def read_int(value: Any) -> int:
    """Read an integer; the farm sends some as text."""
    return _read_integer(value, _ANY_INT)


def read_count(value: Any) -> int:
    """Read a number of things, or of bytes: 0 or more."""
    return _read_integer(value, _COUNT)


def read_id(value: Any) -> int:
    """Read the id of a task or frame: 1 or more, as calls take it."""
    return _read_integer(value, _ID)


def _read_integer(value: Any, bounds: tuple[int, int]) -> int:
    number = value
    if type(value) is str and _INTEGER.fullmatch(value.strip()):
        number = int(value)
    if type(number) is not int:
        raise ParseError(f"must be an integer, got {_json_type(value)}")
    if not bounds[0] <= number <= bounds[1]:
        raise ParseError(f"must be an integer from {bounds[0]} to {bounds[1]}, got one out of range")
    return number


def read_str(value: Any) -> str:
    """Read a string; the farm sends some as numbers."""
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    raise ParseError(f"must be a string, got {_json_type(value)}")


def read_non_empty_str(value: Any) -> str:
    """Read a string that a later call is built from, e.g. a path."""
    text = read_str(value)
    if not text:
        raise ParseError("must not be an empty string")
    return text


# Values of these types and within these bounds stay as they are: most fields need no function call.
_NO_CONVERSION: dict[Any, tuple[type, int | None, int | None]] = {
    read_int: (int, *_ANY_INT),
    read_count: (int, *_COUNT),
    read_id: (int, *_ID),
    read_str: (str, None, None),
}


def read_decimal(value: Any) -> Decimal:
    """Read an amount of money exactly as the farm sent it.

    The shortest text of a float is the text from which it was parsed, up to 15 digits.
    """
    if type(value) is float and math.isfinite(value) and abs(value) < _MAX_DECIMAL:
        return Decimal(repr(value))
    if type(value) is int and abs(value) < _MAX_DECIMAL:
        return Decimal(value)
    if type(value) is str and _DECIMAL.fullmatch(value.strip()):
        number = Decimal(value.strip())
        if abs(number) < _MAX_DECIMAL:
            return number
    raise ParseError(f"must be a decimal number below 1e20, got {_json_type(value)}")


def read_timestamp_ms(value: Any) -> datetime | None:
    """Read milliseconds since 1970 as an aware time; 0 means that the time is not set."""
    if type(value) is int and value >= 0:
        try:
            return datetime.fromtimestamp(value / 1000, UTC) if value else None
        except (OverflowError, ValueError, OSError):
            pass
    raise ParseError(f"must be milliseconds since 1970, got {_json_type(value)}")


def read_bool(value: Any) -> bool:
    """Read a boolean, which the farm sends as true and false, or as 1 and 0."""
    if type(value) is bool or (type(value) is int and value in {0, 1}):
        return bool(value)
    raise ParseError(f"must be a boolean, 0 or 1, got {_json_type(value)}")


def list_of(read: Callable[[Any], V]) -> Callable[[Any], tuple[V, ...]]:
    """Return a function that reads a list item by item."""

    def read_list(value: Any) -> tuple[V, ...]:
        if type(value) is not list:
            raise ParseError(f"must be a list, got {_json_type(value)}")
        return tuple([read(item) for item in value])

    return read_list


def raw_json(value: Any) -> Any:
    """Return plain JSON, for calls whose responses no operator interprets."""
    return value


def ignore(_: Any) -> None:
    """Ignore the data of a call that has no result: null, or a text such as ``SUCCESS``."""


def _json_type(value: Any) -> str:
    """Return the JSON type of a value; never the value, which may be secret."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
