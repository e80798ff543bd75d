"""Names of frames as the farm writes them, and many frames as a few ranges."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_renderbus.api.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# "6", "7-9[1]" a range with its step, "0-1" tile 1 of frame 0.
_NAME = re.compile(r"(-?[0-9]{1,9})(?:-(-?[0-9]{1,9})(\[([0-9]{1,9})\])?)?")
_MAX_RANGE = 1_000_000
MAX_RANGES_CHARS = 300
"""Length of a text of ranges, if nothing else is said."""


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


def numbers_of(name: str) -> Sequence[int]:
    """Return the numbers of the frames that a name stands for; none if it is not a known form."""
    match = _NAME.fullmatch(name)
    if match is None:
        return ()
    start = int(match[1])
    if not match[3]:
        return (start,)
    numbers = range(start, int(match[2]) + 1, max(1, int(match[4])))
    return numbers if len(numbers) <= _MAX_RANGE else ()


def tile_of(name: str) -> str:
    """Return the tile in a name, "" if it has none."""
    match = _NAME.fullmatch(name)
    return match[2] if match and match[2] and not match[3] else ""


def compress(numbers: Sequence[int]) -> Iterator[FrameRange]:
    """Yield ranges that have the same frames in the same order: [1, 3, 5, 9] is 1-5[2], 9-9[1]."""
    start = 0
    while start < len(numbers):
        end = start + 1
        if end < len(numbers) and numbers[end] > numbers[start]:
            step = numbers[end] - numbers[start]
            while end < len(numbers) and numbers[end] - numbers[end - 1] == step:
                end += 1
            # Two frames that are not neighbours are no range yet: 1,5,6,7 is not 1-5[4],6-7[1].
            if step > 1 and end - start == 2:  # noqa: PLR2004 - two frames
                end -= 1
        else:
            step = 1
        yield FrameRange(numbers[start], numbers[end - 1], step if end - start > 1 else 1)
        start = end


def describe_frames(names: Iterable[str], max_chars: int = MAX_RANGES_CHARS) -> str:
    """Return frames as ranges for a message, e.g. "1-9997, 9999-10005[2]", cut if it would be too long.

    Tiles of one number are put together: "1-8 (tile 2)". A name of an unknown form stands as it is.
    """
    numbers: dict[str, set[int]] = {}
    others: dict[str, None] = {}
    for name in names:
        found = numbers_of(name)
        if found:
            numbers.setdefault(tile_of(name), set()).update(found)
        else:
            others[printable(name)] = None
    parts = [
        (f"{_short(each)} (tile {tile})" if tile else _short(each), len(each.numbers))
        for tile, found in numbers.items()
        for each in compress(sorted(found))
    ]
    parts += [(name, 1) for name in others]
    return _join(parts, max_chars)


def _short(frames: FrameRange) -> str:
    if frames.start == frames.end:
        return str(frames.start)
    return f"{frames.start}-{frames.end}" if frames.step == 1 else str(frames)


def _join(parts: Sequence[tuple[str, int]], max_chars: int) -> str:
    """Join texts that stand for a number of frames each, and count what is cut off."""
    shown: list[str] = []
    length = 0
    for index, (text, _) in enumerate(parts):
        length += len(text) + 2
        if length > max_chars and shown:
            more = sum(count for _, count in parts[index:])
            return f"{', '.join(shown)} and {more:,} more"
        shown.append(text[:max_chars])
    return ", ".join(shown)
