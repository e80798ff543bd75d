"""The builder's arguments as task.json writes them: every value is text.

Each function returns None for an argument that was left out, and raises a `ValueError` that names the
argument and says what it takes where it is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import validation
from airflow_provider_renderbus.task_json.frame_ranges import (
    TEST_FRAMES_PATTERN,
    format_frames,
    frame_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.task_json.frame_ranges import Frames


def str_or_path(argument: str, value: str | PurePath | None) -> str | None:
    """Return a text or a path."""
    given = str(value) if isinstance(value, PurePath) else value
    return None if given is None else validation.non_empty_str(argument, given)


def str_list(argument: str, values: Iterable[str] | None) -> list[str] | None:
    """Return a list of texts, at least one."""
    if values is None:
        return None
    given = validation.non_empty_strs(argument, values)
    if not given:
        raise ValueError(f"{argument}: at least one is wanted")
    return given


def int_text(argument: str, value: int | None, least: int = 1) -> str | None:
    """Return a whole number, at least `least`."""
    if value is not None and (type(value) is not int or value < least):
        raise ValueError(f"{argument}: a whole number of at least {least} is wanted, not {value!r}")
    return None if value is None else str(value)


def choice_text(argument: str, value: Any, written: Mapping[Any, str]) -> str | None:
    """Return how a value that is one of a few is written."""
    if value is None:
        return None
    if type(value) not in {bool, str} or value not in written:
        raise ValueError(f"{argument}: one of {', '.join(map(repr, written))} is wanted, not {value!r}")
    return written[value]


def plugin_versions(argument: str, value: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return versions by name."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(
        isinstance(part, str) for item in value.items() for part in item
    ):
        raise ValueError(
            f"{argument}: versions by name, such as {{'mtoa': '5.3'}}, are wanted, not {value!r}"
        )
    return dict(value)


def frames(argument: str, value: Frames | None) -> str | None:
    """Return frames as ranges."""
    return None if value is None else format_frames(argument, value)


def test_frames(argument: str, value: str | None, job_frames: str | None) -> str | None:
    """Return priority frames, which are frames of the job where those are known."""
    if value is None:
        return None
    match = TEST_FRAMES_PATTERN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        wanted = "three digits 0 or 1 and, if wanted, a colon and frames, such as '101' or '000:1,3-4[1]',"
        raise ValueError(f"{argument}: {wanted} are wanted, not {value!r}")
    if match[1]:
        wanted_first = frame_numbers(argument, match[1])
        if job_frames and (others := set(wanted_first) - set(frame_numbers("frames", job_frames))):
            raise ValueError(f"{argument}: frame {min(others)} is not among the frames {job_frames}")
    return value
