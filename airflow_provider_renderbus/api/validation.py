"""Checking what a caller hands to a call, before anything is sent.

Each function returns the value as the farm takes it, or raises a `ValueError` that names the argument and
says what it takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from airflow_provider_renderbus.api.states import TaskStatus

TaskId: TypeAlias = int | str

_ALIAS = re.compile(r"(?:\d{0,3}[A-Z]{1,3})?(\d+)")
TASK_FILE_NAMES = ("task.json", "upload.json", "asset.json", "tips.json")
USER_LEVELS = (50, 60)
LANGUAGES = ("0", "1")
ZONES = (1, 2)
MAX_PAGE_SIZE = 100
"""The farm cuts longer pages, and lists of task numbers are as long at most."""


def parse_task_id(argument: str, value: Any) -> int:
    """Return a task's number, given as such or by its alias, e.g. 35736251 or "2W35736251"."""
    number: Any = value
    if isinstance(value, str):
        match = _ALIAS.fullmatch(value.strip())
        number = int(match[1]) if match else value
    if type(number) is not int or number <= 0:
        raise ValueError(
            f"{argument}: a task's number (35736251) or alias ('2W35736251') is wanted, not {value!r}"
        )
    return number


def parse_task_ids(argument: str, values: Iterable[TaskId], most: int | None = None) -> list[int]:
    """Return the numbers of one or more tasks, at most `most` of them."""
    _check_list(argument, values, "task numbers")
    numbers = [parse_task_id(argument, value) for value in values]
    if not numbers:
        raise ValueError(f"{argument}: at least one task number is wanted")
    if most is not None and len(numbers) > most:
        raise ValueError(f"{argument}: at most {most} task numbers go in one request, not {len(numbers)}")
    return numbers


def _check_list(argument: str, values: Any, of_what: str) -> None:
    """Refuse a single text too, whose letters would be taken for the items."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"{argument}: a list of {of_what} is wanted, not {values!r}")


def optional_task_id(argument: str, value: TaskId | None) -> int | None:
    """Return a task's number, or None where the argument is left out."""
    return None if value is None else parse_task_id(argument, value)


def positive_int(argument: str, value: int, most: int | None = None) -> int:
    """Return a number of things, at least 1."""
    if type(value) is not int or value < 1 or (most is not None and value > most):
        wanted = "a whole number of at least 1" if most is None else f"a whole number from 1 to {most}"
        raise ValueError(f"{argument}: {wanted} is wanted, not {value!r}")
    return value


def page_size(argument: str, value: int) -> int:
    """Return a page's size."""
    return positive_int(argument, value, MAX_PAGE_SIZE)


def one_of(argument: str, value: Any, choices: tuple[Any, ...]) -> Any:
    """Return a value that is one of a few."""
    if type(value) not in {type(choice) for choice in choices} or value not in choices:
        raise ValueError(f"{argument}: one of {', '.join(map(repr, choices))} is wanted, not {value!r}")
    return value


def non_empty_str(argument: str, value: str) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{argument}: a text is wanted, not {value!r}")
    return value


def optional_str(argument: str, value: Any) -> str | None:
    """Return a text, which may be empty, or None where the argument is left out."""
    return None if value is None else require_str(argument, value)


def require_str(argument: str, value: Any) -> str:
    """Return a text, which may be empty."""
    if not isinstance(value, str):
        raise ValueError(f"{argument}: a text is wanted, not {value!r}")
    return value


def non_empty_strs(argument: str, values: Iterable[str]) -> list[str]:
    """Return a list of texts, none of them empty."""
    _check_list(argument, values, "texts")
    return [non_empty_str(argument, value) for value in values]


def require_ints(argument: str, values: Any) -> list[int]:
    """Return a list of whole numbers, e.g. of states or of frame ids."""
    _check_list(argument, values, "whole numbers")
    return [require_int(argument, value) for value in values]


def require_int(argument: str, value: Any) -> int:
    """Return a whole number, also one given as an enumeration's member."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{argument}: a whole number is wanted, not {value!r}")
    return int(value)


def parse_task_statuses(argument: str, values: Any) -> frozenset[TaskStatus]:
    """Return states of tasks, given as codes (25), names ("FINISHED") or members of `TaskStatus`."""
    _check_list(argument, values, "states")
    states = frozenset(_task_state(argument, value) for value in values)
    if not states:
        raise ValueError(f"{argument}: at least one state is wanted")
    return states


def _task_state(argument: str, value: Any) -> TaskStatus:
    known = [state for state in TaskStatus if state is not TaskStatus.UNKNOWN]
    wanted = "" if isinstance(value, bool) else str(int(value) if isinstance(value, int) else value).upper()
    for state in known:
        if wanted in {state.name, str(state.value)}:
            return state
    there = ", ".join(f"{state.value} {state.name}" for state in known)
    raise ValueError(f"{argument}: {value!r} is no state of a task; there are {there}")


def parse_seconds(argument: str, value: Any) -> float:
    """Return a positive time in seconds, given as a number or as text."""
    try:
        time = float(value)
    except (TypeError, ValueError):
        time = 0.0
    if isinstance(value, bool) or not 0 < time < float("inf"):
        raise ValueError(f"{argument}: a positive number of seconds is wanted, not {value!r}")
    return time


def parse_int(argument: str, value: Any) -> int:
    """Return a whole number, given as such or, as a template renders it, as text."""
    try:
        return require_int(argument, int(value) if isinstance(value, str) else value)
    except ValueError:
        raise ValueError(f"{argument}: a whole number is wanted, not {value!r}") from None


def parse_decimal(argument: str, value: Any) -> Decimal:
    """Return an amount of money, given as a number or as text."""
    try:
        money = Decimal(str(value))
    except InvalidOperation:
        money = Decimal("NaN")
    if isinstance(value, bool) or not money.is_finite():
        raise ValueError(f"{argument}: an amount is wanted, not {value!r}")
    return money
