"""The files of pictures: the formats that a job may ask for, and thumbnails."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path


EXTENSIONS = {
    "PNG": "png",
    "JPEG": "jpg",
    "JPG": "jpg",
    "TIFF": "tif",
    "TIF": "tif",
    "BMP": "bmp",
    "TARGA": "tga",
    "TGA": "tga",
    "WEBP": "webp",
}
"""The name of a format, as task.json gives it, to the ending of its files."""
DEFAULT_EXTENSION = "png"
"""Of a job that asks for no format, or for one that is not made here, such as OpenEXR."""
SIXTEEN_BIT = ("png", "tif")
"""Formats that hold 16 bits a channel."""
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "jpg": {"quality": 92, "subsampling": 0},
    "tif": {"compression": "tiff_deflate"},
    "tga": {"compression": "tga_rle"},
    "webp": {"lossless": True, "method": 0},
}
MAX_SIDE = {"jpg": 65_500, "tga": 65_535, "webp": 16_383}
"""Pixels that a side may have in formats with a limit: that of libjpeg, TGA's 16 bits, WebP's 14."""
THUMBNAIL_SIZE = (192, 192)  # pixels, at most


def save(image: Image.Image, path: Path) -> None:
    """Write a picture in the format of the path's ending.

    :raises OSError: it cannot be written.
    """
    image.save(path, **SAVE_OPTIONS.get(path.suffix.removeprefix("."), {}))


def save_thumbnail(image: Image.Image, path: Path) -> None:
    """Write a picture small, as JPEG.

    :raises OSError: it cannot be written.
    """
    small = to_eight_bits(image)
    small.thumbnail(THUMBNAIL_SIZE)
    small.save(path, "JPEG", quality=82)


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Return a copy of a picture, with 8 bits a channel."""
    if image.mode != "I;16":
        return image.copy()
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


class Tile(NamedTuple):
    """A part of a frame, pixels from its upper left corner; right and bottom are the first beyond it."""

    left: int
    top: int
    right: int
    bottom: int


def split_into_tiles(width: int, height: int, count: int, tiles_type: str) -> list[Tile]:
    """Cut a frame in tiles, which cover it and do not overlap.

    :param width: of the frame, pixels.
    :param height: of the frame, pixels.
    :param count: how many tiles.
    :param tiles_type: ``block`` for a grid as near to square as the count allows, ``strip`` for rows.
    :return: the tiles row by row, from the upper left.
    :raises ValueError: the frame has too few pixels for them, or the kind is another.
    """
    if tiles_type not in {"block", "strip"}:
        raise ValueError(f"tiles_type is {tiles_type[:80]!r}; expected block or strip")
    across = 1
    if tiles_type == "block":
        across = next((side for side in range(math.isqrt(max(count, 1)), 0, -1) if count % side == 0), 1)
    if count < 1 or across > width or count // across > height:
        raise ValueError(f"tiles is {count}; expected a number of which {width}x{height} pixels has room")
    columns, rows = _split(width, across), _split(height, count // across)
    return [Tile(left, top, right, bottom) for top, bottom in rows for left, right in columns]


def _split(length: int, parts: int) -> list[tuple[int, int]]:
    return [(length * part // parts, length * (part + 1) // parts) for part in range(parts)]
