"""Checking a job's files against the JSON Schemas that are shipped beside this module.

The vendor's documents contradict each other, so only what no reader of a file could take is refused: an
object that is missing, a value of the wrong type. A field or value that is not known passes with a warning.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.validation import TASK_FILE_NAMES, one_of
from airflow_provider_renderbus.task_json.files import MISSING, excerpt, json_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jsonschema import ValidationError

MAX_REPORTED = 20
"""Places told of one file, wrong ones and doubtful ones each."""

_TYPES = {
    "array": "a list",
    "integer": "a whole number",
    "object": "an object",
    "string": "a text",
}
_FORMATS = {
    "frames": "frames such as '1-24[1]' or '1-10[2],15'",
    "priority-frames": "priority frames such as '000', '101' or '000:1,3-4[1]'",
    "whole-number": "whole numbers",
}
_FIELD = re.compile(r"[A-Za-z_]\w*")


def validate(name: str, content: Mapping[str, Any]) -> tuple[str, ...]:
    """Check a job's file.

    :param name: task.json, upload.json, asset.json or tips.json.
    :param content: the file as a dict, e.g. from :func:`.loading.load`.
    :return: a line for each field or value that is not known, and for each field that the farm's documents
        ask for and that is not there; at most 20 places.
    :raises ValueError: an object is missing or a value is of the wrong type. A line for each such place, at
        most 20, with its JSON path and what is wanted there.
    """
    # Imported when first used: a DAG file that is parsed checks nothing and need not wait for jsonschema.
    from airflow_provider_renderbus.task_json import schema_keywords as keywords  # noqa: PLC0415

    validator = keywords.validator(_schema(one_of("name", name, TASK_FILE_NAMES)))
    wrong: list[ValidationError] = []
    doubtful: list[ValidationError] = []
    for error in validator.iter_errors(content):
        (doubtful if error.validator in keywords.WARNINGS else wrong).append(error)
        if len(wrong) > MAX_REPORTED:
            break
    if wrong:
        raise ValueError("\n".join(_cut(name, _lines(name, wrong))))
    warnings = _lines(name, doubtful)
    if name == "upload.json":
        warnings += _same_places(content["asset"])
    return tuple(_cut(name, warnings))


@lru_cache
def _schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((files(__package__) / "schemas" / name).read_text("utf-8"))
    return schema


def _lines(name: str, errors: Iterable[ValidationError]) -> list[str]:
    def place(error: ValidationError) -> list[str]:
        return [part if isinstance(part, str) else f"{part:09}" for part in error.absolute_path]

    # The library goes through an object's fields in any order.
    ordered = sorted(errors, key=place)
    return [f"{name}: {_path(error.absolute_path)}: {_told(error)}" for error in ordered]


def _cut(name: str, lines: list[str]) -> list[str]:
    return lines if len(lines) <= MAX_REPORTED else [*lines[:MAX_REPORTED], f"{name}: … and more"]


def _told(error: ValidationError) -> str:
    """Return what is wrong in plain words, which hold no more of a value than its beginning."""
    schema: Any = error.schema
    match error.validator:
        case "type":
            types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
            there = "it is missing" if error.instance is MISSING else f"not {json_type(error.instance)}"
            return f"{' or '.join(_TYPES[each] for each in types)} is wanted, {there}"
        case "format":
            return f"{excerpt(error.instance)} is not known; known are {_FORMATS[schema['format']]}"
        case "anyOf" | "minProperties":
            return f"{schema['description']} is wanted"
    return error.message


def _path(parts: Iterable[str | int]) -> str:
    path = "$"
    for part in parts:
        named = isinstance(part, str) and _FIELD.fullmatch(part)
        path += f".{part}" if named else f"[{excerpt(part)}]"
    return path


def _same_places(assets: Iterable[Mapping[str, str]]) -> Iterator[str]:
    taken: dict[str, str] = {}
    for index, asset in enumerate(assets):
        if taken.setdefault(asset["server"], asset["local"]) != asset["local"]:
            place = f"upload.json: $.asset[{index}].server"
            yield f"{place}: {excerpt(asset['server'])} is the place of another local file too"
