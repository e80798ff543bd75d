"""Reading a job's file, given as a mapping, as JSON text or as a path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_renderbus.jobs.words import kind

if TYPE_CHECKING:
    from os import PathLike


def load(name: str, given: Mapping[str, Any] | str | PathLike[str]) -> dict[str, Any]:
    """Return a job's file as a dict of its own, which holds nothing but JSON.

    :param name: what the file is called in messages, e.g. "upload.json" or the name of an argument.
    :param given: its content as a mapping or as JSON text, or where it is: a path, or text that ends in
        ``.json``. A byte order mark is skipped.
    :raises ValueError: there is no such file, it is not UTF-8, not JSON, or not an object.
    """
    content: Any = given
    if isinstance(given, Mapping):
        content = _parsed(name, _written(name, given))
    elif isinstance(given, str) and not given.rstrip().lower().endswith(".json"):
        content = _parsed(name, given.removeprefix("\ufeff"))
    elif isinstance(given, str):
        content = _parsed(name, _read(name, Path(given.strip())))
    elif hasattr(given, "__fspath__"):
        content = _parsed(name, _read(name, Path(given)))
    if not isinstance(content, dict):
        raise ValueError(f"{name}: a JSON object is wanted, not {kind(content)}")
    return content


def _read(name: str, path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except OSError as problem:
        raise ValueError(f"{name}: {path} cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError as problem:
        raise ValueError(f"{name}: {path} is not UTF-8: {problem.reason} at byte {problem.start}") from None


def _parsed(name: str, text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as problem:
        place = f"line {problem.lineno}, column {problem.colno}"
        raise ValueError(f"{name}: JSON text is wanted; {place}: {problem.msg}") from None
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{name}: JSON text is wanted; {problem}") from None


def _written(name: str, content: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(content), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as problem:
        raise ValueError(f"{name}: a mapping of JSON values is wanted; {problem}") from None


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")
