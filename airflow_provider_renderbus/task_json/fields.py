"""Arguments of the builder as task.json writes them: every value is a string.

Each function returns None for an argument that is omitted, and raises a `ValueError` that names the argument
if its value is invalid.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import validation
from airflow_provider_renderbus.task_json.frame_ranges import TEST_FRAMES_PATTERN, frame_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable


def str_or_path(name: str, value: str | PurePath | None) -> str | None:
    """Return a string or a path as a string that is not empty."""
    given = str(value) if isinstance(value, PurePath) else value
    return None if given is None else validation.non_empty_str(name, given)


def str_list(name: str, values: Iterable[str] | None) -> list[str] | None:
    """Return a list of strings that is not empty."""
    if values is None:
        return None
    given = validation.non_empty_strs(name, values)
    if not given:
        raise ValueError(f"{name}: must have at least one item, got {given!r}")
    return given


def int_text(name: str, value: int | None, minimum: int = 1) -> str | None:
    """Return an integer of at least `minimum`."""
    if value is not None and (type(value) is not int or value < minimum):
        raise ValueError(f"{name}: must be an integer of at least {minimum}, got {value!r}")
    return None if value is None else str(value)


def choice_text(name: str, value: Any, choices: Mapping[Any, str]) -> str | None:
    """Return the text of one of a few values."""
    if value is None:
        return None
    if type(value) not in {bool, str} or value not in choices:
        raise ValueError(f"{name}: must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return choices[value]


def plugin_versions(name: str, value: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return versions by name of the plug-in."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(
        isinstance(part, str) for item in value.items() for part in item
    ):
        raise ValueError(
            f"{name}: must be a mapping of names to versions like {{'mtoa': '5.3'}}, got {value!r}"
        )
    return dict(value)


def pre_frames(name: str, value: str | None, job_frames: str | None) -> str | None:
    """Return test frames, which must be among the frames of the job if these are known."""
    if value is None:
        return None
    match = TEST_FRAMES_PATTERN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        expected = "three digits 0 or 1, then optionally a colon and frames, like '101' or '000:1,3-4[1]'"
        raise ValueError(f"{name}: must be {expected}, got {value!r}")
    if match[1]:
        numbers = frame_numbers(name, match[1])
        if job_frames and (unknown := set(numbers) - set(frame_numbers("frames", job_frames))):
            raise ValueError(f"{name}: must be among the frames {job_frames}, got frame {min(unknown)}")
    return value
