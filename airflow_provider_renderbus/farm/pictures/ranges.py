"""Frame numbers as task.json writes them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_FRAMES = 20_000
RANGE = re.compile(r"(-?\d{1,9})(?:-(-?\d{1,9})(?:\[(\d{1,9})\])?)?")


@lru_cache(maxsize=1024)
def parse_frames(text: str) -> tuple[int, ...]:
    """Read frames such as ``1-10[2],15``: ranges with a step, joined by commas.

    :return: the numbers of the frames, each once.
    :raises ValueError: the text is not of this form, or names more than 20,000 frames.
    """
    frames: dict[int, None] = {}
    for part in text.split(","):
        match = RANGE.fullmatch(part.strip())
        if not match:
            raise ValueError(f"frames {text[:80]!r}; expected ranges such as 1-10[1], joined by commas")
        first = int(match[1])
        numbers = range(first, int(match[2] or first) + 1, max(int(match[3] or 1), 1))
        if not numbers or len(numbers) + len(frames) > MAX_FRAMES:
            raise ValueError(f"frames {text[:80]!r}; expected 1 to {MAX_FRAMES} frames, start before end")
        frames.update(dict.fromkeys(numbers))
    return tuple(frames)


def parse_priority_frames(text: str, frames: Sequence[int]) -> set[int]:
    """Read ``pre_frames``: first, middle, last as digits 0 or 1, then optional ``:`` and more frames.

    :raises ValueError: the text is not of this form.
    """
    digits, _, more = text.partition(":")
    places = (0, (len(frames) - 1) // 2, -1)
    if len(digits) != len(places) or set(digits) - {"0", "1"}:
        raise ValueError(f"pre_frames is {text[:80]!r}; expected e.g. 101 or 000:1,3-4[1]")
    chosen = {frames[place] for place, digit in zip(places, digits, strict=True) if digit == "1"}
    return chosen | (set(parse_frames(more)) & set(frames) if more else set())
