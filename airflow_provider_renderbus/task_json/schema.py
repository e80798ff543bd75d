"""Validates a render's JSON files: task.json by `task_schema`, the others by those in the folder ``schemas``.

The vendor's documentation contradicts itself, so only what no reader of a file could accept is an error: a
missing object, or a value of the wrong type. Unknown fields and values are warnings.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.validation import TASK_FILE_NAMES, excerpt, one_of
from airflow_provider_renderbus.task_json.doubts import find_doubts
from airflow_provider_renderbus.task_json.files import EXCERPT_CHARS, json_type
from airflow_provider_renderbus.task_json.task_schema import task_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jsonschema import ValidationError

MAX_REPORTED = 20
"""Errors reported per file, and warnings."""

_TYPES = {
    "array": "a list",
    "integer": "an integer",
    "object": "an object",
    "string": "a string",
}
_FORMATS = {
    "frames": "frames such as '1-24[1]' or '1-10[2],15'",
    "test-frames": "test frames such as '000', '101' or '000:1,3-4[1]'",
    "whole-number": "a whole number",
}
_PLAIN_FIELD = re.compile(r"[A-Za-z_]\w*")


def validate(name: str, content: Mapping[str, Any]) -> tuple[str, ...]:
    """Validate the content of a file, given by its name, e.g. task.json.

    :return: warnings: a line for each unknown field or value, for each missing field that the farm's render
        script reads, and for what does not fit together; at most 20 of them.
    :raises ValueError: an object is missing or a value has the wrong type. A line for each such place, at
        most 20, has its JSON path and says what it must be.
    """
    # Imported at first use: a DAG file that is parsed validates nothing and need not wait for jsonschema.
    from airflow_provider_renderbus.task_json import schema_keywords as keywords  # noqa: PLC0415

    validator = keywords.make_validator(_load_schema(one_of("name", name, TASK_FILE_NAMES)))
    errors: list[ValidationError] = []
    warnings: list[ValidationError] = []
    for error in validator.iter_errors(content):
        (warnings if error.validator in keywords.WARNINGS else errors).append(error)
        if len(errors) > MAX_REPORTED:
            break
    if errors:
        raise ValueError("\n".join(_truncate(name, _lines(name, errors))))
    lines = _lines(name, warnings)
    if name == "upload.json":
        lines += _duplicate_targets(content["asset"])
    if name == "task.json":
        lines += find_doubts(content)
    return tuple(_truncate(name, lines))


@lru_cache
def _load_schema(name: str) -> dict[str, Any]:
    if name == "task.json":
        return task_schema()
    schema: dict[str, Any] = json.loads((files(__package__) / "schemas" / name).read_text("utf-8"))
    return schema


def _lines(name: str, errors: Iterable[ValidationError]) -> list[str]:
    def sort_key(error: ValidationError) -> list[str]:
        return [part if isinstance(part, str) else f"{part:09}" for part in error.absolute_path]

    # jsonschema visits the fields of an object in any order.
    ordered = sorted(errors, key=sort_key)
    return [f"{name}: {_json_path(error.absolute_path)}: {_describe(error)}" for error in ordered]


def _truncate(name: str, lines: list[str]) -> list[str]:
    return lines if len(lines) <= MAX_REPORTED else [*lines[:MAX_REPORTED], f"{name}: … and more"]


def _describe(error: ValidationError) -> str:
    """Return a message that quotes no more of a value than its beginning."""
    schema: Any = error.schema
    match error.validator:
        case "type":
            types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
            types = [each for each in types if each != "null"]
            return f"must be {' or '.join(_TYPES[each] for each in types)}, got {json_type(error.instance)}"
        case "format":
            return f"should be {_FORMATS[schema['format']]}, got {excerpt(error.instance, EXCERPT_CHARS)}"
        case "anyOf" | "minProperties":
            return f"must have {schema['description']}"
    return error.message


def _json_path(parts: Iterable[str | int]) -> str:
    path = "$"
    for part in parts:
        is_plain = isinstance(part, str) and _PLAIN_FIELD.fullmatch(part)
        path += f".{part}" if is_plain else f"[{excerpt(part, EXCERPT_CHARS)}]"
    return path


def _duplicate_targets(assets: Iterable[Mapping[str, str]]) -> Iterator[str]:
    local_by_server: dict[str, str] = {}
    for index, asset in enumerate(assets):
        if local_by_server.setdefault(asset["server"], asset["local"]) != asset["local"]:
            path = f"upload.json: $.asset[{index}].server"
            server = excerpt(asset["server"], EXCERPT_CHARS)
            yield f"{path}: should be unique, got {server} for another local file too"
