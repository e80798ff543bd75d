"""Frames as task.json writes them: ranges ``start-end[step]``, several joined by commas."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, TypeAlias

Frames: TypeAlias = int | str | tuple[int, int] | tuple[int, int, int]
"""One frame, a text, or start, end and step."""

MAX_FRAMES = 1_000_000
"""More than this is taken for a slip of the pen; the farm's own limit is not documented."""
FORMAT_HELP = "frames such as '1-24[1]', '1-10[2],15', 7, (1, 24) or (1, 24, 2)"

TEST_FRAMES_PATTERN = re.compile(r"[01]{3}(?::(.+))?")
"""Priority frames: first, middle and last as digits, then frames."""
_RANGE = re.compile(r"(-?[0-9]{1,9})(?:-(-?[0-9]{1,9})(?:\[([0-9]{1,9})\])?)?")


class FrameRange(NamedTuple):
    """Every `step`-th frame from `start` to `end`. Its text is how task.json writes it."""

    start: int
    end: int
    step: int = 1

    def __str__(self) -> str:
        return f"{self.start}-{self.end}[{self.step}]"

    @property
    def numbers(self) -> range:
        """The numbers of its frames."""
        return range(self.start, self.end + 1, self.step)


def parse_ranges(argument: str, text: str) -> tuple[FrameRange, ...]:
    """Read frames such as ``1-10[2],15``.

    :param argument: what the frames are called in messages.
    :param text: the frames.
    :raises ValueError: the text is not of this form, a range ends before it starts, or the frames are more
        than 1,000,000.
    """
    ranges = tuple(_read_range(argument, part.strip()) for part in text.split(","))
    if sum(len(each.numbers) for each in ranges) > MAX_FRAMES:
        raise ValueError(f"{argument}: at most {MAX_FRAMES} frames are wanted, not {text[:60]!r}")
    return ranges


def frame_numbers(argument: str, text: str) -> tuple[int, ...]:
    """Return the numbers of the frames of a text, each once, in its order.

    :param argument: what the frames are called in messages.
    :param text: the frames, e.g. ``1-10[2],15``.
    :raises ValueError: see :func:`read_ranges`.
    """
    return tuple(dict.fromkeys(number for each in parse_ranges(argument, text) for number in each.numbers))


def format_frames(argument: str, frames: Frames) -> str:
    """Return frames as task.json writes them, e.g. ``1-10[2],15-15[1]``.

    :param argument: what the frames are called in messages.
    :param frames: one frame, a text, or start, end and step.
    :raises ValueError: they are none of these, or see :func:`read_ranges`.
    """
    given: Any = frames
    if type(given) is int:
        given = f"{given}-{given}"
    elif (
        isinstance(given, list | tuple) and len(given) in {2, 3} and all(type(part) is int for part in given)
    ):
        given = str(FrameRange(*given))
    if not isinstance(given, str):
        raise ValueError(f"{argument}: {FORMAT_HELP} are wanted, not {frames!r}")
    return ",".join(map(str, parse_ranges(argument, given)))


def _read_range(argument: str, text: str) -> FrameRange:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{argument}: {FORMAT_HELP} are wanted, not {text[:60]!r}")
    start = int(match[1])
    found = FrameRange(start, int(match[2] or start), int(match[3] or 1))
    if found.step < 1 or found.end < found.start:
        raise ValueError(f"{argument}: the end is not before the start and the step at least 1, not {text!r}")
    return found
