"""Validates the arguments of a call before anything is sent.

Each function returns the value in the form that the farm accepts. If the value is invalid it raises a
`ValueError` that names the argument: "<name>: must be ..., got ...".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar

from airflow_provider_renderbus.api.states import TaskStatus

T = TypeVar("T")
TaskId: TypeAlias = int | str

TASK_FILE_NAMES = ("task.json", "upload.json", "asset.json", "tips.json")
USER_LEVELS = (50, 60)
LANGUAGES = ("0", "1")
ZONES = (1, 2)
MAX_PAGE_SIZE = 100
"""The farm returns no more records per page, and accepts no more task ids per query."""
MAX_INT = 2**63 - 1
"""Ids and counts are 64-bit integers on the farm."""
MAX_SECONDS = 1_000 * 24 * 3600
"""1,000 days. A database of Airflow may store no date after 2038."""
MAX_AMOUNT = 10**12
"""More money than this is taken for a typing error."""
MAX_LINE_CHARS = 4096
"""The longest path that Linux takes."""
MAX_LAYOUT_CHARS = 1000
"""A longer layout of a download is taken for an error."""
MAX_ARTIST_CHARS = 100
"""A longer name of an artist is taken for an error.

Behind the name of a submit is a marker of 82 characters, without which a retry may not find its render. How
long both may be together is not documented; 255 characters are a common limit.
"""

# Digits are ASCII digits: the farm reads no others, and str.isdigit, int and float accept many scripts.
_ALIAS = re.compile(r"(?:[0-9]{0,3}[A-Z]{1,3})?([0-9]{1,19})")
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,2})?")
_EXCERPT_CHARS = 100


def optional(check: Callable[..., T], name: str, value: Any, *args: Any) -> T | None:
    """Return a value that one of the other functions checks, or None if the argument is omitted."""
    return None if value is None else check(name, value, *args)


def parse_task_id(name: str, value: Any) -> int:
    """Return a task id, given as such or as its alias, e.g. 35736251 or "2W35736251"."""
    task_id: Any = value
    if isinstance(value, str):
        match = _ALIAS.fullmatch(value.strip())
        task_id = int(match[1]) if match else value
    if type(task_id) is not int or not 0 < task_id <= MAX_INT:
        raise _invalid(name, "a task id (35736251) or an alias ('2W35736251')", value)
    return task_id


def parse_task_ids(name: str, values: Iterable[TaskId], maximum: int | None = None) -> list[int]:
    """Return one or more task ids, at most `maximum`."""
    _require_list(name, values, "task ids")
    task_ids = [parse_task_id(name, value) for value in values]
    if not task_ids:
        raise _invalid(name, "at least one task id", task_ids)
    if maximum is not None and len(task_ids) > maximum:
        raise ValueError(f"{name}: must be at most {maximum} task ids, got {len(task_ids)}")
    return task_ids


def positive_int(name: str, value: int, maximum: int | None = None) -> int:
    """Return an integer of at least 1."""
    if type(value) is not int or not 1 <= value <= (MAX_INT if maximum is None else maximum):
        allowed = "an integer of at least 1" if maximum is None else f"an integer from 1 to {maximum}"
        raise _invalid(name, allowed, value)
    return value


def page_size(name: str, value: int) -> int:
    """Return the number of records per page."""
    return positive_int(name, value, MAX_PAGE_SIZE)


def one_of(name: str, value: Any, choices: tuple[Any, ...]) -> Any:
    """Return a value that is one of the choices, in type too."""
    if type(value) not in {type(choice) for choice in choices} or value not in choices:
        raise _invalid(name, f"one of {', '.join(map(repr, choices))}", value)
    return value


def non_empty_str(name: str, value: str) -> str:
    """Return a string that is not empty."""
    if not isinstance(value, str) or not value:
        raise _invalid(name, "a non-empty string", value)
    return require_str(name, value)


def require_str(name: str, value: Any) -> str:
    """Return a string, which may be empty. A string that UTF-8 cannot encode cannot be signed or sent."""
    if not isinstance(value, str):
        raise _invalid(name, "a string", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _invalid(name, "a string without lone surrogates", value) from None
    return value


def non_empty_strs(name: str, values: Iterable[str]) -> list[str]:
    """Return a list of strings, none of them empty."""
    _require_list(name, values, "strings")
    return [non_empty_str(name, value) for value in values]


def one_line(name: str, value: Any, max_chars: int = MAX_LINE_CHARS) -> str:
    """Return a string on one line, which may be empty, e.g. the name of an artist."""
    text = require_str(name, value)
    # Most names are printable, which is found out much faster.
    if not text.isprintable() and any(unicodedata.category(char) in {"Cc", "Zl", "Zp"} for char in text):
        raise _invalid(name, "on one line, without control characters", value)
    if len(text) > max_chars:
        raise ValueError(f"{name}: must have at most {max_chars} characters, got {len(text)}")
    return text


def non_blank_line(name: str, value: Any) -> str:
    """Return a string on one line that is more than spaces, e.g. the name of a project or a pattern."""
    if not isinstance(value, str) or not value.strip():
        raise _invalid(name, "a non-empty string", value)
    return one_line(name, value)


def non_blank_lines(name: str, values: Iterable[str]) -> list[str]:
    """Return a list of strings, each on one line and more than spaces, e.g. labels."""
    _require_list(name, values, "strings")
    return [non_blank_line(name, value) for value in values]


def require_bool(name: str, value: Any) -> bool:
    """Return True or False. A text such as "false" would count as true."""
    if not isinstance(value, bool):
        raise _invalid(name, "True or False", value)
    return value


def require_int(name: str, value: Any) -> int:
    """Return a 64-bit integer; a member of an enumeration counts as one."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_INT:
        raise _invalid(name, "an integer", value)
    return int(value)


def require_ints(name: str, values: Any) -> list[int]:
    """Return a list of integers, e.g. of frame ids."""
    _require_list(name, values, "integers")
    return [require_int(name, value) for value in values]


def parse_task_statuses(name: str, values: Any) -> frozenset[TaskStatus]:
    """Return task statuses, given as codes (25), names ("FINISHED") or members of `TaskStatus`."""
    _require_list(name, values, "states")
    statuses = frozenset(_parse_task_status(name, value) for value in values)
    if not statuses:
        raise _invalid(name, "at least one state", values)
    return statuses


def parse_seconds(name: str, value: Any) -> float:
    """Return a positive number of seconds, given as a number or as text.

    Airflow would refuse to store a later deadline only after the render is paid.
    """
    seconds = _parse_number(value)
    if seconds is None or not seconds > 0:
        raise _invalid(name, "a positive number of seconds", value)
    if seconds > MAX_SECONDS:
        raise _invalid(name, "at most 86,400,000 seconds (1,000 days)", value)
    return float(seconds)


def parse_int(name: str, value: Any) -> int:
    """Return an integer, given as such or, as a template renders it, as text."""
    if isinstance(value, str):
        text = value.strip()
        return require_int(name, int(text) if _INTEGER.fullmatch(text) else value)
    return require_int(name, value)


def parse_int_from(name: str, value: Any, minimum: int, maximum: int) -> int:
    """Return an integer in a range, given as such or as text."""
    try:
        number = parse_int(name, value)
    except ValueError:
        number = minimum - 1
    if not minimum <= number <= maximum:
        raise _invalid(name, f"an integer from {minimum} to {maximum}", value)
    return number


def parse_decimal(name: str, value: Any, *, above_zero: bool = False) -> Decimal:
    """Return an amount of money, at least or above 0, given as a number or as text."""
    amount = _parse_number(value)
    if amount is None:
        raise _invalid(name, "a finite number", value)
    if amount > MAX_AMOUNT:
        raise _invalid(name, f"at most {MAX_AMOUNT:,}", value)
    if amount < 0 or (above_zero and not amount):
        raise _invalid(name, "an amount above 0" if above_zero else "at least 0", value)
    return amount


def excerpt(value: Any, max_chars: int = _EXCERPT_CHARS) -> str:
    """Return the beginning of a value's repr, for an error message."""
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python prints
        text = f"an integer of {value.bit_length()} bits" if isinstance(value, int) else type(value).__name__
    return text if len(text) <= max_chars else f"{text[:max_chars]}…"


def _parse_number(value: Any) -> Decimal | None:
    """Return a finite number, or None if the value is none. Not a float: money must stay exact."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    if isinstance(value, int) and abs(value) > MAX_INT:
        return None
    text = str(value).strip()
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _invalid(name: str, allowed: str, value: Any) -> ValueError:
    return ValueError(f"{name}: must be {allowed}, got {excerpt(value)}")


def _require_list(name: str, values: Any, item_kind: str) -> None:
    """Refuse a single string, bytes or a mapping too: their characters or keys would be taken for items."""
    if isinstance(values, str | bytes | bytearray | memoryview | Mapping) or not _is_iterable(values):
        raise _invalid(name, f"a list of {item_kind}", values)


def _is_iterable(values: Any) -> bool:
    """Return whether a value can be iterated over. The output of an upstream Airflow task only looks so."""
    try:
        iter(values)
    except TypeError:
        return False
    return True


def _parse_task_status(name: str, value: Any) -> TaskStatus:
    known = [status for status in TaskStatus if status is not TaskStatus.UNKNOWN]
    is_code = isinstance(value, int) and not isinstance(value, bool)
    key = value.upper() if isinstance(value, str) else int(value) if is_code else None
    for status in known:
        if key in (status.name, str(status.value), status.value):
            return status
    states = ", ".join(f"{status.value} {status.name}" for status in known)
    raise ValueError(
        f"{name}: must be codes or names of states, got {excerpt(value)}; the states are {states}"
    )
