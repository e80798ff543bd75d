"""Image formats, thumbnails and tiles of rendered frames."""

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
"""File name extension by format name in task.json."""
FORMAT_KEYS = (
    "Render_Format",
    "regular_image_format",
    "image_format",
    "output_file_type",
    "file_type",
    "format_type",
    "format",
)
"""Keys under which Blender, Cinema 4D, Maya, 3ds Max, Nuke, Unreal and Clarisse name the image format."""
DEFAULT_EXTENSION = "png"
"""The extension if task.json names no format, or one that the farm does not write, such as OpenEXR."""
SIXTEEN_BIT = ("png", "tif")
"""Extensions of formats with 16 bits per channel."""
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "jpg": {"quality": 92, "subsampling": 0},
    "tif": {"compression": "tiff_deflate"},
    "tga": {"compression": "tga_rle"},
    "webp": {"lossless": True, "method": 0},
}
MAX_SIDE = {"jpg": 65_500, "tga": 65_535, "webp": 16_383}
"""Maximum pixels per side, for formats with a limit: libjpeg, TGA (16 bits), WebP (14 bits)."""
THUMBNAIL_SIZE = (192, 192)  # pixels, maximum


def save(image: Image.Image, path: Path) -> None:
    """Write an image in the format of the path's extension.

    :raises OSError: the file cannot be written.
    """
    image.save(path, **SAVE_OPTIONS.get(path.suffix.removeprefix("."), {}))


def save_thumbnail(image: Image.Image, path: Path) -> None:
    """Write a JPEG thumbnail of an image.

    :raises OSError: the file cannot be written.
    """
    small = to_eight_bits(image)
    small.thumbnail(THUMBNAIL_SIZE)
    small.save(path, "JPEG", quality=82)


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Return a copy of an image with 8 bits per channel."""
    if image.mode != "I;16":
        return image.copy()
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


class Tile(NamedTuple):
    """A rectangle of a frame, in pixels from the upper left corner; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int


def split_into_tiles(width: int, height: int, count: int, tiles_type: str) -> list[Tile]:
    """Split a frame into tiles that cover it without overlap.

    :param width: width of the frame in pixels.
    :param height: height of the frame in pixels.
    :param count: number of tiles.
    :param tiles_type: ``block`` for a grid as close to square as the count allows, ``strip`` for rows.
    :return: the tiles row by row, from the upper left.
    :raises ValueError: the frame has too few pixels, or tiles_type is unknown.
    """
    if tiles_type not in {"block", "strip"}:
        raise ValueError(f"tiles_type: must be block or strip, got {tiles_type[:80]!r}")
    columns = 1
    if tiles_type == "block":
        columns = next((side for side in range(math.isqrt(max(count, 1)), 0, -1) if count % side == 0), 1)
    if count < 1 or columns > width or count // columns > height:
        raise ValueError(f"tiles: must be a number of tiles that {width}x{height} pixels allow, got {count}")
    return [
        Tile(left, top, right, bottom)
        for top, bottom in _split(height, count // columns)
        for left, right in _split(width, columns)
    ]


def _split(length: int, parts: int) -> list[tuple[int, int]]:
    return [(length * part // parts, length * (part + 1) // parts) for part in range(parts)]
