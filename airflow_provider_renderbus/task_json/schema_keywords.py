"""The keywords of the shipped schemas: those of JSON Schema 2020-12, and four that tell what is doubtful.

| keyword | tells |
| --- | --- |
| `format` | a text that is not of the named form |
| `x-known` | a text that is not in its list |
| `x-known-fields` | a field that is not under `properties` |
| `x-wanted` | a field of its list that is not there |

Another validator passes over them and finds what is refused. `x-judged-by-types` says that an entry of a list
is judged by the types of its fields alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import create

from airflow_provider_renderbus.task_json.files import MISSING, excerpt
from airflow_provider_renderbus.task_json.frame_ranges import TEST_FRAMES_PATTERN, parse_ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jsonschema.protocols import Validator

WARNINGS = frozenset({"format", "x-known", "x-known-fields", "x-wanted"})


def validator(schema: Mapping[str, Any]) -> Validator:
    """Return what checks content against a schema.

    :param schema: the schema.
    :return: a validator of the library jsonschema. Errors of the keywords in `WARNINGS` are warnings.
    """
    keywords: dict[str, Any] = {
        "items": _items,
        "required": _required,
        "x-known": _known,
        "x-known-fields": _known_fields,
        "x-wanted": _wanted,
    }
    made = create(Draft202012Validator.META_SCHEMA, {**Draft202012Validator.VALIDATORS, **keywords})
    return made(schema, format_checker=_formats())


def _formats() -> FormatChecker:
    checker = FormatChecker(())
    checker.checks("frames", ValueError)(_are_frames)
    checker.checks("priority-frames", ValueError)(_are_priority_frames)
    checker.checks("whole-number")(_is_whole_number)
    return checker


def _are_frames(value: object) -> bool:
    return not isinstance(value, str) or bool(parse_ranges("frames", value))


def _are_priority_frames(value: object) -> bool:
    if not isinstance(value, str):
        return True
    match = TEST_FRAMES_PATTERN.fullmatch(value)
    return match is not None and (match[1] is None or _are_frames(match[1]))


def _is_whole_number(value: object) -> bool:
    return not isinstance(value, str) or (value.isascii() and value.isdigit())


def _items(
    validator: Draft202012Validator, items: Mapping[str, Any], instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """Check a list's entries; where only their types count, the entries of one shape once.

    A scene can need 100,000 files: this takes a tenth of a second, checking each for itself takes two.
    """
    if not validator.is_type(instance, "array"):
        return
    passed: set[tuple[tuple[str, type], ...]] = set()
    for index, item in enumerate(instance):
        shape: tuple[tuple[str, type], ...] = ()
        if isinstance(item, dict) and schema.get("x-judged-by-types"):
            shape = tuple((field, type(value)) for field, value in item.items())
            if shape in passed:
                continue
        errors = list(validator.descend(item, items, path=index))
        yield from errors
        if shape and all(error.validator in WARNINGS for error in errors):
            passed.add(shape)


def _required(
    validator: Draft202012Validator, fields: Iterable[str], instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """Tell a missing field at its own place, where its schema says what is wanted."""
    if validator.is_type(instance, "object"):
        for field in fields:
            if field not in instance:
                wanted = schema.get("properties", {}).get(field, True)
                yield from [*validator.descend(MISSING, wanted, path=field)] or [_error("missing", field)]


def _known(
    _: Draft202012Validator, values: list[str], instance: Any, __: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if isinstance(instance, str) and instance not in values:
        yield _error(f"{excerpt(instance)} is not known; known are {', '.join(map(repr, values))}")


def _known_fields(
    validator: Draft202012Validator, _: bool, instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if validator.is_type(instance, "object"):
        for field in instance:
            if field not in schema["properties"]:
                yield _error("no such field is known", field)


def _wanted(
    validator: Draft202012Validator, fields: list[str], instance: Any, _: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if validator.is_type(instance, "object"):
        for field in fields:
            if field not in instance:
                yield _error("the farm's documents ask for it, it is missing", field)


def _error(message: str, *path: str) -> ValidationError:
    return ValidationError(message, path=path)
