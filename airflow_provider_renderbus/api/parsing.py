"""Reading the farm's JSON into models.

A model is a frozen dataclass whose fields say where their value stands and how it is read::

    @dataclass(frozen=True, slots=True)
    class Frame:
        id: int = required("id", integer)
        cost: Decimal | None = optional("feeAmount", amount)

A field that is missing, null or (where optional) of a wrong type takes its default, so that a farm that
changes its answers does not break a running pipeline. A required one that cannot be read raises
:class:`Unreadable`, which names it.
"""

from __future__ import annotations

import dataclasses
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

_WIRE = "wire"
_CONVERT = "convert"
_STRICT = "strict"
_AMOUNT = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?", re.ASCII)


class ParseError(ValueError):
    """A value of an answer is not what it should be."""


def required_field(wire: str, convert: Callable[[Any], Any]) -> Any:
    """Declare a field without which an answer is of no use.

    :param wire: the vendor's name of the field.
    :param convert: reads the value; raises `Unreadable` where it cannot.
    """
    return dataclasses.field(metadata={_WIRE: wire, _CONVERT: convert, _STRICT: True})


def optional_field(
    wire: str, convert: Callable[[Any], Any], default: Any = None, *, strict: bool = False
) -> Any:
    """Declare a field that takes its default where it is missing, null or of a wrong type.

    :param wire: the vendor's name of the field.
    :param convert: reads the value; raises `Unreadable` where it cannot.
    :param default: the value that stands in.
    :param strict: whether a wrong type makes the whole answer unreadable, because taking the default for it
        would say something else.
    """
    metadata = {_WIRE: wire, _CONVERT: convert, _STRICT: strict}
    return dataclasses.field(default=default, metadata=metadata)


def reader_for(model: type[M]) -> Callable[[Any], M]:
    """Return what reads a JSON object into a model.

    What it returns raises `Unreadable` where it is given no object, or where a required field is missing or
    cannot be read.
    """
    name = model.__name__
    fields = dataclasses.fields(model)
    plan = [
        (
            field.metadata[_WIRE],
            _READ_AS_IT_IS.get(field.metadata[_CONVERT]),
            field.metadata[_CONVERT],
            field.default,
            field.metadata[_STRICT],
        )
        for field in fields
    ]
    draft = dataclasses.make_dataclass(f"{name}Draft", [field.name for field in fields], slots=True)

    def read(data: Any) -> M:
        if type(data) is not dict:
            raise ParseError(f"{name}: an object was expected, not {_shown(data)}")
        values = []
        for wire, right_type, convert, default, strict in plan:
            value = data.get(wire)
            if value is None:
                if default is dataclasses.MISSING:
                    raise ParseError(f"{name}.{wire} is missing")
                value = default
            elif type(value) is not right_type:
                try:
                    value = convert(value)
                except ParseError as problem:
                    if strict:
                        raise ParseError(f"{name}.{wire}: {problem}") from None
                    value = default
            values.append(value)
        # Setting a frozen object's fields would take as long as all the reading: they are set while it is a
        # draft, which has the same slots and is not frozen.
        made: Any = draft(*values)
        made.__class__ = model
        return cast("M", made)

    return read


def read_int(value: Any) -> int:
    """Read a whole number; the farm writes some as text."""
    if type(value) is int:
        return value
    if type(value) is str:
        try:
            return int(value)
        except ValueError:
            pass
    raise ParseError(f"a whole number was expected, not {_shown(value)}")


def read_str(value: Any) -> str:
    """Read a text; the farm writes some as numbers."""
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    raise ParseError(f"a text was expected, not {_shown(value)}")


# Values of these types stay what they are: most of an answer's fields need no call.
_READ_AS_IT_IS: dict[Any, type] = {read_int: int, read_str: str}


def read_decimal(value: Any) -> Decimal:
    """Read an amount of money exactly as the farm wrote it.

    The shortest text of a float is the text that it was read from, up to 15 digits.
    """
    if type(value) is float and math.isfinite(value):
        return Decimal(repr(value))
    if type(value) is int:
        return Decimal(value)
    if type(value) is str and _AMOUNT.fullmatch(value):
        return Decimal(value)
    raise ParseError(f"an amount was expected, not {_shown(value)}")


def read_timestamp_ms(value: Any) -> datetime | None:
    """Read milliseconds since 1970 as an aware time; 0 stands for a time that is not set."""
    if type(value) is not int:
        raise ParseError(f"milliseconds since 1970 were expected, not {_shown(value)}")
    try:
        return datetime.fromtimestamp(value / 1000, UTC) if value else None
    except (OverflowError, ValueError, OSError):
        raise ParseError(f"milliseconds since 1970 were expected, not {_shown(value)}") from None


def read_bool(value: Any) -> bool:
    """Read a yes or no, which the farm writes as true and false, or as 1 and 0."""
    if type(value) is bool or (type(value) is int and value in {0, 1}):
        return bool(value)
    raise ParseError(f"0 or 1 was expected, not {_shown(value)}")


def list_of(convert: Callable[[Any], V]) -> Callable[[Any], tuple[V, ...]]:
    """Return what reads a list, item by item."""

    def convert_each(value: Any) -> tuple[V, ...]:
        if type(value) is not list:
            raise ParseError(f"a list was expected, not {_shown(value)}")
        return tuple([convert(item) for item in value])

    return convert_each


def raw_json(value: Any) -> Any:
    """Read plain JSON, for the calls whose answers no operator looks into."""
    return value


def ignore(_: Any) -> None:
    """Read the answer of a call that has no result: null, or a text such as ``SUCCESS``."""


def _shown(value: Any) -> str:
    """Return a short name for a value that is out of place; never the value, which may be secret."""
    return {dict: "an object", list: "a list", str: "a text", type(None): "null"}.get(
        type(value), f"a {type(value).__name__}"
    )
