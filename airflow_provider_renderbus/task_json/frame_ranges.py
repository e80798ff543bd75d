"""Frames as task.json writes them: ranges ``start-end[step]``, joined by commas."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, TypeAlias

Frames: TypeAlias = int | str | tuple[int, int] | tuple[int, int, int]
"""One frame, a string, or start, end and step."""

MAX_FRAMES = 1_000_000
"""More frames than this are taken for a typing error. The farm's own limit is not documented."""
FORMAT_HELP = "frames such as '1-24[1]', '1-10[2],15', 7, (1, 24) or (1, 24, 2)"

TEST_FRAMES_PATTERN = re.compile(r"[01]{3}(?::(.+))?")
"""Test frames: a digit each for the first, middle and last frame, then optionally frames."""
_RANGE_PATTERN = re.compile(r"(-?[0-9]{1,9})(?:-(-?[0-9]{1,9})(?:\[([0-9]{1,9})\])?)?")
_EXCERPT_CHARS = 60


class FrameRange(NamedTuple):
    """Every `step`-th frame from `start` to `end`. Its string is how task.json writes it."""

    start: int
    end: int
    step: int = 1

    def __str__(self) -> str:
        return f"{self.start}-{self.end}[{self.step}]"

    @property
    def numbers(self) -> range:
        """The numbers of its frames."""
        return range(self.start, self.end + 1, self.step)


def parse_ranges(name: str, text: str) -> tuple[FrameRange, ...]:
    """Parse frames such as ``1-10[2],15``.

    :param name: name of the argument or field in error messages.
    :param text: the frames.
    :raises ValueError: the text has another form, a range ends before it starts, or there are more than
        1,000,000 frames.
    """
    ranges = tuple(_parse_range(name, part.strip()) for part in text.split(","))
    if sum(len(each.numbers) for each in ranges) > MAX_FRAMES:
        raise ValueError(f"{name}: must be at most {MAX_FRAMES} frames, got {text[:_EXCERPT_CHARS]!r}")
    return ranges


def frame_numbers(name: str, text: str) -> tuple[int, ...]:
    """Return the frame numbers of a text such as ``1-10[2],15``, each once, in its order.

    :param name: name of the argument or field in error messages.
    :param text: the frames.
    :raises ValueError: see :func:`parse_ranges`.
    """
    return tuple(dict.fromkeys(number for each in parse_ranges(name, text) for number in each.numbers))


def format_frames(name: str, frames: Frames) -> str:
    """Return frames as task.json writes them, e.g. ``1-10[2],15-15[1]``.

    :param name: name of the argument or field in error messages.
    :param frames: one frame, a string, or start, end and step.
    :raises ValueError: they are none of these, or see :func:`parse_ranges`.
    """
    text: Any = frames
    if type(text) is int:
        text = f"{text}-{text}"
    elif isinstance(text, list | tuple) and len(text) in {2, 3} and all(type(part) is int for part in text):
        text = str(FrameRange(*text))
    if not isinstance(text, str):
        raise ValueError(f"{name}: must be {FORMAT_HELP}, got {frames!r}")
    return ",".join(map(str, parse_ranges(name, text)))


def _parse_range(name: str, text: str) -> FrameRange:
    match = _RANGE_PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(f"{name}: must be {FORMAT_HELP}, got {text[:_EXCERPT_CHARS]!r}")
    start = int(match[1])
    frame_range = FrameRange(start, int(match[2] or start), int(match[3] or 1))
    if frame_range.step < 1 or frame_range.end < frame_range.start:
        raise ValueError(f"{name}: must not end before it starts or have a step below 1, got {text!r}")
    return frame_range
