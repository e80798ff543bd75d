"""Validates the arguments of a call before anything is sent.

Each function returns the value in the form that the farm accepts. If the value is invalid it raises a
`ValueError` that names the argument: "<name>: must be ..., got ...".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias, TypeVar

from airflow_provider_renderbus.api.states import TaskStatus

T = TypeVar("T")
TaskId: TypeAlias = int | str

_ALIAS = re.compile(r"(?:\d{0,3}[A-Z]{1,3})?(\d+)")
TASK_FILE_NAMES = ("task.json", "upload.json", "asset.json", "tips.json")
USER_LEVELS = (50, 60)
LANGUAGES = ("0", "1")
ZONES = (1, 2)
MAX_PAGE_SIZE = 100
"""The farm returns no more records per page, and accepts no more task ids per query."""


def optional(check: Callable[..., T], name: str, value: Any, *args: Any) -> T | None:
    """Return a value that one of the other functions checks, or None if the argument is omitted."""
    return None if value is None else check(name, value, *args)


def parse_task_id(name: str, value: Any) -> int:
    """Return a task id, given as such or as its alias, e.g. 35736251 or "2W35736251"."""
    task_id: Any = value
    if isinstance(value, str):
        match = _ALIAS.fullmatch(value.strip())
        task_id = int(match[1]) if match else value
    if type(task_id) is not int or task_id <= 0:
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
    if type(value) is not int or value < 1 or (maximum is not None and value > maximum):
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
    return value


def require_str(name: str, value: Any) -> str:
    """Return a string, which may be empty."""
    if not isinstance(value, str):
        raise _invalid(name, "a string", value)
    return value


def non_empty_strs(name: str, values: Iterable[str]) -> list[str]:
    """Return a list of strings, none of them empty."""
    _require_list(name, values, "strings")
    return [non_empty_str(name, value) for value in values]


def require_int(name: str, value: Any) -> int:
    """Return an integer; a member of an enumeration counts as one."""
    if isinstance(value, bool) or not isinstance(value, int):
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
    """Return a positive number of seconds, given as a number or as text."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = 0.0
    if isinstance(value, bool) or not 0 < seconds < float("inf"):
        raise _invalid(name, "a positive number of seconds", value)
    return seconds


def parse_int(name: str, value: Any) -> int:
    """Return an integer, given as such or, as a template renders it, as text."""
    try:
        return require_int(name, int(value) if isinstance(value, str) else value)
    except ValueError:
        raise _invalid(name, "an integer", value) from None


def parse_decimal(name: str, value: Any) -> Decimal:
    """Return an amount of money, given as a number or as text."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if isinstance(value, bool) or not amount.is_finite():
        raise _invalid(name, "a finite number", value)
    return amount


def _invalid(name: str, allowed: str, value: Any) -> ValueError:
    return ValueError(f"{name}: must be {allowed}, got {value!r}")


def _require_list(name: str, values: Any, item_kind: str) -> None:
    """Refuse a single string too: its characters would be taken for items."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise _invalid(name, f"a list of {item_kind}", values)


def _parse_task_status(name: str, value: Any) -> TaskStatus:
    known = [status for status in TaskStatus if status is not TaskStatus.UNKNOWN]
    key = "" if isinstance(value, bool) else str(int(value) if isinstance(value, int) else value).upper()
    for status in known:
        if key in {status.name, str(status.value)}:
            return status
    states = ", ".join(f"{status.value} {status.name}" for status in known)
    raise ValueError(f"{name}: must be codes or names of states, got {value!r}; the states are {states}")
