"""Frames as task.json writes them: ranges ``start-end[step]``, joined by commas."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_renderbus.api.frame_names import FrameRange, compress
from airflow_provider_renderbus.api.validation import excerpt

if TYPE_CHECKING:
    from collections.abc import Sequence

Frames: TypeAlias = int | str | list[int] | range
"""One frame, a string, a list of frames, or a range as in Python, without its end."""

MAX_FRAMES = 1_000_000
"""More frames than this are taken for a typing error. The farm's own limit is not documented."""
MAX_RANGES = 10_000
"""More ranges than this make a file that no page of the farm can show."""
FORMAT_HELP = "frames such as '1-24', '1-10[2],15', 7, [1, 3, 5] or range(1, 25)"

TEST_FRAMES_PATTERN = re.compile(r"([01]{3})(?::(.+))?")
"""Test frames: a digit each for the first, middle and last frame, then optionally frames."""
# The step is written [2] on the farm, x2 in Nuke, :2 in Deadline.
_RANGE_PATTERN = re.compile(r"(-?[0-9]{1,9})(?:-(-?[0-9]{1,9})(?:\[([0-9]{1,9})\]|[x:]([0-9]{1,9}))?)?")
_DASH = re.compile("[\u2010-\u2015\u2212~]|\\.\\.")
_COMMA = re.compile(r"\s*;\s*|(?<=[0-9\]])\s+(?=[0-9])")
_MAX_NUMBER = 999_999_999
_EXCERPT_CHARS = 60


def parse_ranges(name: str, text: str) -> tuple[FrameRange, ...]:
    """Parse frames such as ``1-10[2],15``.

    :param name: name of the argument or field in error messages.
    :param text: the frames.
    :raises ValueError: the text has another form, a range ends before it starts, or there are more than
        1,000,000 frames.
    """
    ranges = tuple(_parse_range(name, part.strip()) for part in text.split(","))
    _check_count(name, sum(len(each.numbers) for each in ranges), text)
    return ranges


def frame_numbers(name: str, text: str) -> tuple[int, ...]:
    """Return the frame numbers of a text such as ``1-10[2],15``, each once, in its order."""
    return tuple(dict.fromkeys(number for each in parse_ranges(name, text) for number in each.numbers))


def format_frames(name: str, frames: Frames) -> str:
    """Return one frame, a string, a list or a range as task.json has frames, e.g. ``1-10[2],15-15[1]``.

    A frame that is named twice is rendered once, at its first place: overlapping ranges are merged.

    :raises ValueError: they are none of these, or see :func:`parse_ranges`.
    """
    given: Any = frames
    if type(given) is int:
        given = [given]
    if isinstance(given, list | range):
        given = _list_as_text(name, given)
    if not isinstance(given, str) or is_template(given):
        raise _invalid(name, frames)
    return ",".join(map(str, _merged_ranges(name, given)))


def format_test_frames(name: str, frames: str) -> str:
    """Return the frames of a text as they follow the digits of test frames: single frames without a range."""
    ranges = _merged_ranges(name, frames)
    return ",".join(str(each.start) if each.start == each.end else str(each) for each in ranges)


def is_template(value: Any) -> bool:
    """Return whether a value is a Jinja template."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def template_help(value: Any) -> str:
    """Return the end of a message about a template, "" if the value is none."""
    if not is_template(value):
        return ""
    return (
        "; a template is not rendered here, because build_task_json runs when the DAG is parsed: call it in "
        "a @task, or put the template into overrides"
    )


def _list_as_text(name: str, frames: Sequence[int]) -> str:
    try:
        _check_count(name, len(frames), frames)
    except OverflowError:  # a range that is longer than any list
        _check_count(name, MAX_FRAMES + 1, frames)
    if not frames or not all(type(number) is int and abs(number) <= _MAX_NUMBER for number in frames):
        raise _invalid(name, frames)
    return ",".join(map(str, compress(tuple(dict.fromkeys(frames)))))


def _merged_ranges(name: str, text: str) -> tuple[FrameRange, ...]:
    """Return the ranges of a text in which no frame is named twice."""
    ranges = parse_ranges(name, text)
    numbers = frame_numbers(name, text)
    if len(numbers) < sum(len(each.numbers) for each in ranges):
        ranges = tuple(compress(numbers))
    if len(ranges) > MAX_RANGES:
        raise ValueError(f"{name}: must be at most {MAX_RANGES} ranges, got {len(ranges)}")
    return ranges


def _check_count(name: str, count: int, given: Any) -> None:
    if count > MAX_FRAMES:
        raise ValueError(f"{name}: must be at most {MAX_FRAMES} frames, got {excerpt(given, _EXCERPT_CHARS)}")


def _parse_range(name: str, text: str) -> FrameRange:
    match = _RANGE_PATTERN.fullmatch(text)
    if match is None:
        raise _invalid(name, text)
    start = int(match[1])
    frame_range = FrameRange(start, int(match[2] or start), int(match[3] or match[4] or 1))
    if frame_range.end < start:
        raise ValueError(
            f"{name}: must not end before it starts, got {text!r}: end {frame_range.end} is before start "
            f"{start}"
        )
    if frame_range.step < 1:
        raise ValueError(f"{name}: must have a step of at least 1, got {text!r}")
    return frame_range


def _invalid(name: str, value: Any) -> ValueError:
    message = f"{name}: must be {FORMAT_HELP}, got {excerpt(value, _EXCERPT_CHARS)}"
    if isinstance(value, tuple):
        message += (
            f"; a tuple becomes a list of frames through JSON: write {_range_example(value)} for a range, or "
            "a list"
        )
    return ValueError(message + _did_you_mean(value) + template_help(value))


def _did_you_mean(value: Any) -> str:
    """Return the end of a message about frames with spaces, full-width digits, or other dashes or commas."""
    if not isinstance(value, str):
        return ""
    text = _COMMA.sub(",", unicodedata.normalize("NFKC", value[:_EXCERPT_CHARS]).strip())
    plain = "".join(_DASH.sub("-", text).split())
    if plain == value:
        return ""
    try:
        parse_ranges("frames", plain)
    except ValueError:
        return ""
    return f"; did you mean {plain!r}?"


def _range_example(value: tuple[Any, ...]) -> str:
    """Return a tuple of start, end and step as a string, or an example if it is none."""
    is_range = len(value) in {2, 3} and all(type(part) is int for part in value)
    if not is_range:
        return "'1-24'"
    start, end, step = (*value, 1)[:3]
    return repr(f"{start}-{end}" if step == 1 else f"{start}-{end}[{step}]")
