"""Reading a job's file, given as a mapping, as JSON text or as a path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_renderbus.api.call import drop_none

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    from airflow_provider_renderbus.api.models.analysis import ErrorDetail
    from airflow_provider_renderbus.api.models.hardware import HardwareConfig


def load_json(name: str, given: Mapping[str, Any] | str | PathLike[str]) -> dict[str, Any]:
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
        raise ValueError(f"{name}: a JSON object is wanted, not {json_type(content)}")
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


def complete_task_json(
    task_json: Mapping[str, Any] | str,
    *,
    task_id: int,
    user_id: int,
    platform: int | str,
    project_id: int | None = None,
    project_name: str | None = None,
    hardware: Sequence[HardwareConfig] = (),
) -> str:
    """Return a task.json as text, with what only the farm and the connection know.

    :param task_json: the file: a mapping, JSON text or a path that ends in ``.json``.
    :param task_id: number of the created task.
    :param user_id: number of the account's user.
    :param platform: number of the render platform.
    :param project_id: number of the project on the farm; left as it is where it is left out.
    :param project_name: the project's name, likewise.
    :param hardware: the machines to render on, all of one kind: ``hardwareConfigIds``, ``ram``
        and ``graphics_cards_num``, likewise.
    :raises ValueError: it is no JSON object, or has no object `task_info`.
    """
    described = load_json("task_json", task_json)
    info = described.get("task_info")
    if not isinstance(info, dict):
        there = "none" if info is None else json_type(info)
        raise ValueError(f"task_json: an object task_info is wanted in it, there is {there}")
    # Every value in task_info is text on the farm, numbers too.
    info |= {"task_id": str(task_id), "user_id": str(user_id), "platform": str(platform)}
    info |= drop_none(
        project_id=None if project_id is None else str(project_id),
        project_name=project_name,
    )
    if hardware:
        info.pop("hardwareConfigId", None)  # the field's name in older files
        info |= _machines(hardware)
    return json.dumps(described, ensure_ascii=False)


def _machines(hardware: Sequence[HardwareConfig]) -> dict[str, Any]:
    """Return the fields of machines. Their list says "64GB" and "2*GPU", task.json "64" and "2"."""
    ram, gpus = hardware[0].ram, hardware[0].gpu_num
    return drop_none(
        hardwareConfigIds=[str(each.id) for each in hardware],
        ram=ram and ram.upper().removesuffix("GB"),
        graphics_cards_num=gpus and gpus.partition("*")[0],
    )


MAX_EXAMPLES = 3
"""Texts told of one finding: an analysis lists each file of thousands."""


def check_findings(tips: Mapping[str, Any], details: Iterable[ErrorDetail]) -> tuple[str, ...]:
    """Check what an analysis found against what the farm says about it.

    :param tips: the content of tips.json: a text or a list of texts by code.
    :param details: what the farm knows about these codes, from ``query_error_detail``.
    :return: a line for each finding that does not stop the job.
    :raises ValueError: a finding is an error that the farm enforces. A line for each of them, with what was
        found and what to do about it.
    """
    known: dict[str, ErrorDetail] = {}
    for detail in details:
        if detail.code not in known or detail.is_blocking:
            known[detail.code] = detail
    stopping: list[str] = []
    others: list[str] = []
    for code, found in tips.items():
        about = known.get(code)
        lines = stopping if about is not None and about.is_blocking else others
        lines.append(_line(code, [found] if isinstance(found, str) else found, about))
    if stopping:
        raise ValueError("\n".join(stopping))
    return tuple(others)


def _line(code: str, found: list[str], about: ErrorDetail | None) -> str:
    description = about.description if about is not None and about.description else "not described"
    line = f"tips.json: {code}: {collapse_whitespace(description)}"
    if found:
        more = f" and {len(found) - MAX_EXAMPLES} more" if len(found) > MAX_EXAMPLES else ""
        line += f"; found: {', '.join(map(collapse_whitespace, found[:MAX_EXAMPLES]))}{more}"
    if about is not None and about.solution:
        line += f"; to do: {collapse_whitespace(about.solution)}"
    return line


MISSING = object()
"""Stands where a value is missing. It is of no JSON type."""

_LONGEST = 60
_KINDS = {
    type(None): "null",
    str: "a text",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def json_type(value: Any) -> str:
    """Return what a value is, e.g. "a list"."""
    if isinstance(value, bool):
        return str(value).lower()
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def excerpt(value: Any) -> str:
    """Return a value as it is written, its beginning only where it is long."""
    written = repr(value)
    return written if len(written) <= _LONGEST else f"{written[:_LONGEST]}…"


def collapse_whitespace(text: str) -> str:
    """Return a text without line breaks."""
    return " ".join(text.split())


def deep_merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with the fields of both; `over` wins, and objects in both are merged in turn.

    Lists and other values are replaced, never merged. Neither argument is changed.

    :param under: the object that gives way.
    :param over: the object that wins.
    """
    result = dict(under)
    for field, value in over.items():
        if isinstance(value, Mapping):
            present = result.get(field)
            result[field] = deep_merge(present if isinstance(present, Mapping) else {}, value)
        else:
            result[field] = value
    return result
