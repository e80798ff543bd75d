"""Tiles: the parts in which a frame is cut, so that several machines render it."""

from __future__ import annotations

import math
from typing import NamedTuple


class Tile(NamedTuple):
    """A part of a frame, pixels from its upper left corner; right and bottom are the first beyond it."""

    left: int
    top: int
    right: int
    bottom: int


def tiles(width: int, height: int, count: int, kind: str) -> list[Tile]:
    """Cut a frame in tiles, which cover it and do not overlap.

    :param width: of the frame, pixels.
    :param height: of the frame, pixels.
    :param count: how many tiles.
    :param kind: ``block`` for a grid as near to square as the count allows, ``strip`` for rows.
    :return: the tiles row by row, from the upper left.
    :raises ValueError: the frame has too few pixels for them, or the kind is another.
    """
    if kind not in {"block", "strip"}:
        raise ValueError(f"tiles_type is {kind[:80]!r}; expected block or strip")
    across = 1
    if kind == "block":
        across = next((side for side in range(math.isqrt(max(count, 1)), 0, -1) if count % side == 0), 1)
    if count < 1 or across > width or count // across > height:
        raise ValueError(f"tiles is {count}; expected a number of which {width}x{height} pixels has room")
    columns, rows = _cuts(width, across), _cuts(height, count // across)
    return [Tile(left, top, right, bottom) for top, bottom in rows for left, right in columns]


def _cuts(length: int, parts: int) -> list[tuple[int, int]]:
    return [(length * part // parts, length * (part + 1) // parts) for part in range(parts)]
