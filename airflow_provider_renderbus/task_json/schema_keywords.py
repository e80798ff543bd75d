"""The keywords of the shipped schemas: those of JSON Schema 2020-12, and four whose errors are warnings.

| keyword | warns of |
| --- | --- |
| `format` | a string that has not the named format |
| `x-known-values` | a string that is not in its list |
| `x-known-properties` | a field that is not under `properties`; if false, only one nearly like these |
| `x-recommended` | a missing field of its list |

Other validators ignore the three last and find the same errors. `x-types-only` says that whether an item of a
list is valid depends on the types of its fields only.

A module of its own: jsonschema must not be loaded when a DAG file that builds a task.json is parsed.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import create

from airflow_provider_renderbus.api.validation import excerpt
from airflow_provider_renderbus.task_json.files import EXCERPT_CHARS, MISSING
from airflow_provider_renderbus.task_json.frame_ranges import TEST_FRAMES_PATTERN, parse_ranges
from airflow_provider_renderbus.task_json.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jsonschema.protocols import Validator

WARNINGS = frozenset({"format", "x-known-values", "x-known-properties", "x-recommended"})
"""The keywords whose errors are warnings."""


def make_validator(schema: Mapping[str, Any]) -> Validator:
    """Return a validator of jsonschema with our keywords."""
    return _validator_class()(schema, format_checker=_format_checker())


@cache
def _validator_class() -> type[Validator]:
    keywords: dict[str, Any] = {
        "items": _items,
        "required": _required,
        "x-known-values": _known_values,
        "x-known-properties": _known_properties,
        "x-recommended": _recommended,
    }
    return create(Draft202012Validator.META_SCHEMA, {**Draft202012Validator.VALIDATORS, **keywords})


def _format_checker() -> FormatChecker:
    checker = FormatChecker(())
    checker.checks("frames", ValueError)(_are_frames)
    checker.checks("test-frames", ValueError)(_are_test_frames)
    checker.checks("whole-number")(_is_whole_number)
    return checker


def _are_frames(value: object) -> bool:
    """Return whether the farm reads it: the builder reads 1-9x2 and 1-9:2 too."""
    return not isinstance(value, str) or bool(not set("x:") & set(value) and parse_ranges("frames", value))


def _are_test_frames(value: object) -> bool:
    if not isinstance(value, str):
        return True
    match = TEST_FRAMES_PATTERN.fullmatch(value)
    return match is not None and (match[2] is None or _are_frames(match[2]))


def _is_whole_number(value: object) -> bool:
    return not isinstance(value, str) or (value.isascii() and value.isdigit())


def _items(
    validator: Draft202012Validator, items: Mapping[str, Any], instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """Validate the items of a list. If only types count, items of the same shape are validated once.

    A scene can have 100,000 files: this takes 0.1 s, validating each of them takes 2 s.
    """
    if not validator.is_type(instance, "array"):
        return
    valid_shapes: set[tuple[tuple[str, type], ...]] = set()
    for index, item in enumerate(instance):
        shape: tuple[tuple[str, type], ...] = ()
        if isinstance(item, dict) and schema.get("x-types-only"):
            shape = tuple((field, type(value)) for field, value in item.items())
            if shape in valid_shapes:
                continue
        errors = list(validator.descend(item, items, path=index))
        yield from errors
        if shape and all(error.validator in WARNINGS for error in errors):
            valid_shapes.add(shape)


def _required(
    validator: Draft202012Validator, fields: Iterable[str], instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """Report a missing field at its own path, with what its schema says that it must be."""
    if validator.is_type(instance, "object"):
        for field in fields:
            if field not in instance:
                field_schema = schema.get("properties", {}).get(field, True)
                yield from [*validator.descend(MISSING, field_schema, path=field)] or [
                    _error("missing", field)
                ]


def _known_values(
    _: Draft202012Validator, values: list[str], instance: Any, __: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if isinstance(instance, str) and instance not in values:
        yield _error(
            f"should be one of {', '.join(map(repr, values))}, got {excerpt(instance, EXCERPT_CHARS)}"
        )


def _known_properties(
    validator: Draft202012Validator, is_complete: bool, instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """Report unknown fields; if real files can have more fields, only those that are nearly a known one."""
    if validator.is_type(instance, "object"):
        for field in instance:
            if field not in schema["properties"]:
                near = did_you_mean(field, schema["properties"])
                if near or is_complete:
                    yield _error(f"unknown field{near}", field)


def _recommended(
    validator: Draft202012Validator, fields: list[str], instance: Any, _: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if validator.is_type(instance, "object"):
        for field in fields:
            if field not in instance:
                yield _error("missing, although the farm's documentation asks for it", field)


def _error(message: str, *path: str) -> ValidationError:
    return ValidationError(message, path=path)
