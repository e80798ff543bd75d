"""Reads a render's JSON files, completes task.json, and checks the findings in tips.json."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_renderbus.api.call import drop_none
from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.api.validation import MAX_INT, excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_renderbus.api.models.account import HardwareConfig
    from airflow_provider_renderbus.api.models.tasks import ErrorDetail

MAX_EXAMPLES = 3
_MAX_FINDING_CHARS = 1000
"""Places named per finding of tips.json: an analysis can list thousands."""
EXCERPT_CHARS = 60
"""Characters of a wrong value that a message quotes."""
MISSING = object()
"""Stands for a value that is missing. It has no JSON type."""

_JSON_TYPES = {
    type(None): "null",
    bool: "boolean",
    str: "string",
    int: "number",
    float: "number",
    list: "list",
    dict: "object",
}


def load_json(name: str, source: Mapping[str, Any] | str | PathLike[str]) -> dict[str, Any]:
    """Return a JSON file's content as a new dict.

    :param name: name of the file or argument in error messages, e.g. "upload.json".
    :param source: its content as a mapping or as JSON text, or where it is: a path, or a string that ends in
        ``.json``. A byte order mark is skipped.
    :raises ValueError: there is no such file, or it is not UTF-8, not JSON, or not an object.
    """
    content: Any = source
    if isinstance(source, Mapping):
        content = _parse(name, _to_json(name, source))
    elif isinstance(source, str) and not source.rstrip().lower().endswith(".json"):
        text = source.removeprefix("\ufeff").lstrip()
        if text and text[0] not in "{[":
            raise ValueError(f"{name}: must be JSON text or a path ending in .json, got {excerpt(source)}")
        content = _parse(name, source.removeprefix("\ufeff"))
    elif isinstance(source, str):
        content = _parse(name, _read_text(name, Path(source.strip())))
    elif isinstance(source, PathLike):
        content = _parse(name, _read_text(name, Path(os.fsdecode(source))))
    if not isinstance(content, dict):
        raise ValueError(f"{name}: must be a JSON object, got {json_type(content)}")
    _check_encodable(name, content)
    return content


def _check_encodable(name: str, content: dict[str, Any]) -> None:
    """Refuse text that UTF-8 cannot encode: it can be neither signed nor sent."""
    text = json.dumps(content, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        around = text[max(0, error.start - EXCERPT_CHARS // 2) : error.start + EXCERPT_CHARS // 2]
        raise ValueError(f"{name}: must be without lone surrogates, got {around!r}") from None


def _read_text(name: str, path: Path) -> str:
    try:
        # Reading a pipe would block.
        text = None if path.exists() and not path.is_file() else path.read_text("utf-8-sig")
    except OSError as error:
        raise ValueError(f"{name}: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: {path} must be UTF-8, got {error.reason} at byte {error.start}") from None
    except ValueError:  # NUL, or a character that no file name has
        raise ValueError(f"{name}: must be the path of a file, got {excerpt(str(path))}") from None
    if text is None:
        raise ValueError(f"{name}: must be a file, not a folder, pipe or device, got {excerpt(str(path))}")
    return text


def _parse(name: str, text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_reject_constant,
            parse_int=_parse_int,
            parse_float=_parse_float,
        )
    except json.JSONDecodeError as error:
        position = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"{name}: must be JSON; {position}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: must be JSON; {error}") from None


def _to_json(name: str, content: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(content), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{name}: must be a mapping of JSON values; {error}") from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise ValueError(f"the key {excerpt(counts.most_common(1)[0][0])} must be given once, got more")
    return content


def _parse_int(digits: str) -> int:
    if len(digits) > len(str(MAX_INT)) or abs(int(digits)) > MAX_INT:
        raise ValueError(f"an integer of {len(digits)} digits is no 64-bit integer")
    return int(digits)


def _parse_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{excerpt(digits)} is too large for a number")
    return number


def _reject_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


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
    """Return a task.json as text, with the values that only the farm and the connection know.

    What is omitted stays as it is in the file. `hardware` sets ``hardwareConfigIds``, ``ram`` and
    ``graphics_cards_num``; it is all of one kind.

    :raises ValueError: it is not a JSON object, or has no object `task_info`.
    """
    content = load_json("task_json", task_json)
    info = content.get("task_info", MISSING)
    if not isinstance(info, dict):
        raise ValueError(f"task_json: task_info must be an object, got {json_type(info)}")
    if isinstance(content.get("software_config"), dict):
        replace_nulls(content)
    # Every value in task_info is a string on the farm, ids and numbers too.
    info |= {"task_id": str(task_id), "user_id": str(user_id), "platform": str(platform)}
    info |= drop_none(
        project_id=None if project_id is None else str(project_id),
        project_name=project_name,
    )
    if hardware:
        info.pop("hardwareConfigId", None)  # the field's name in older files
        info |= _hardware_fields(hardware)
    return json.dumps(content, ensure_ascii=False)


def _hardware_fields(hardware: Sequence[HardwareConfig]) -> dict[str, Any]:
    """Return the fields of machines. The farm's list has "64GB" and "2*GPU", task.json has "64" and "2"."""
    ram, gpu_num = hardware[0].ram, hardware[0].gpu_num
    return drop_none(
        hardwareConfigIds=[str(each.id) for each in hardware],
        ram=ram and ram.upper().removesuffix("GB"),
        graphics_cards_num=gpu_num and gpu_num.partition("*")[0],
    )


def replace_nulls(content: dict[str, Any]) -> None:
    """Replace the null that the vendor's packages write for plugins and project if they are omitted.

    :param content: a task.json with both objects; it is changed.
    """
    for section, field, value in (("software_config", "plugins", {}), ("task_info", "project_name", "")):
        if content[section].get(field, MISSING) is None:
            content[section][field] = value


def check_findings(tips: Mapping[str, Any], details: Iterable[ErrorDetail]) -> tuple[str, ...]:
    """Check the findings of an analysis, from tips.json, against what the farm says about their codes.

    :return: a line for each finding that does not block the render.
    :raises ValueError: a finding is an error that the farm enforces. A line for each of them says what was
        found and how to solve it.
    """
    details_by_code: dict[str, ErrorDetail] = {}
    for detail in details:
        if detail.code not in details_by_code or detail.is_blocking:
            details_by_code[detail.code] = detail
    blocking: list[str] = []
    warnings: list[str] = []
    for code, examples in tips.items():
        known = details_by_code.get(code)
        lines = blocking if known is not None and known.is_blocking else warnings
        lines.append(_finding_line(code, [examples] if isinstance(examples, str) else examples, known))
    if blocking:
        raise ValueError("\n".join(blocking))
    return tuple(warnings)


def _finding_line(code: str, examples: list[str], detail: ErrorDetail | None) -> str:
    description = detail.description if detail is not None and detail.description else "no description"
    line = f"tips.json: {code}: {printable(description, _MAX_FINDING_CHARS)}"
    if examples:
        more = f" and {len(examples) - MAX_EXAMPLES} more" if len(examples) > MAX_EXAMPLES else ""
        line += f"; found: {', '.join(map(printable, examples[:MAX_EXAMPLES]))}{more}"
    if detail is not None and detail.solution:
        line += f"; solution: {printable(detail.solution, _MAX_FINDING_CHARS)}"
    return line


def json_type(value: Any) -> str:
    """Return the JSON type of a value, e.g. "list"; "nothing" if the value is missing."""
    return "nothing" if value is MISSING else _JSON_TYPES.get(type(value), type(value).__name__)


def deep_merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with the fields of both; `overrides` wins, and objects in both are merged in turn.

    Lists and other values are replaced, never merged. Neither argument is changed.
    """
    result = dict(base)
    for field, value in overrides.items():
        if isinstance(value, Mapping):
            current = result.get(field)
            result[field] = deep_merge(current if isinstance(current, Mapping) else {}, value)
        else:
            result[field] = value
    return result
