"""Parses frame ranges and priority frames of task.json."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_FRAMES = 20_000


class InvalidFramesError(ValueError):
    """Text that is no frames."""


class TooManyFramesError(ValueError):
    """Frames that are more than the farm renders in one task."""


_RANGE = re.compile(r"(-?\d{1,9})(?:-(-?\d{1,9})(?:\[(\d{1,9})\])?)?")


@lru_cache(maxsize=1024)
def parse_frames(text: str) -> tuple[int, ...]:
    """Parse frames such as ``1-10[2],15``: ranges with a step, joined by commas.

    :return: the frame numbers, each once.
    :raises InvalidFramesError: the text has another form.
    :raises TooManyFramesError: it names more than 20,000 frames.
    """
    frames: dict[int, None] = {}
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if not match:
            raise InvalidFramesError(
                f"frames: must be ranges such as 1-10[1] joined by commas, got {text[:80]!r}"
            )
        first = int(match[1])
        numbers = range(first, int(match[2] or first) + 1, max(int(match[3] or 1), 1))
        if not numbers:
            raise InvalidFramesError(f"frames: must be ranges that start before their end, got {text[:80]!r}")
        if len(numbers) + len(frames) > MAX_FRAMES:
            raise TooManyFramesError(f"frames: must be at most {MAX_FRAMES}, got {text[:80]!r}")
        frames.update(dict.fromkeys(numbers))
    return tuple(frames)


def parse_priority_frames(text: str, frames: Sequence[int]) -> set[int]:
    """Parse ``pre_frames``: first, middle, last as digits 0 or 1, then optionally ``:`` and more frames.

    :raises ValueError: the text has another form.
    """
    digits, _, more = text.partition(":")
    positions = (0, (len(frames) - 1) // 2, -1)
    if len(digits) != len(positions) or set(digits) - {"0", "1"}:
        raise ValueError(f"pre_frames: must be like 101 or 000:1,3-4[1], got {text[:80]!r}")
    selected = {frames[index] for index, digit in zip(positions, digits, strict=True) if digit == "1"}
    return selected | (set(parse_frames(more)) & set(frames) if more else set())
