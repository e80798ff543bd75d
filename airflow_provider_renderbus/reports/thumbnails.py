"""Small pictures for a report, as data in its page."""

from __future__ import annotations

import base64
import io
import logging
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from os import PathLike

log = logging.getLogger(__name__)

ThumbnailSource: TypeAlias = "bytes | str | PathLike[str]"

MAX_BYTES = 32_000
"""Size of a picture in a report."""
WIDTH = 160
_MAX_SOURCE_BYTES = 100_000_000
_MAX_PIXELS = 100_000_000
_TYPES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}


def data_uri(source: ThumbnailSource) -> str | None:
    """Return a picture as a data URI, or None if it cannot be read or is too large.

    :param source: the bytes or the path of a picture file.
    """
    try:
        content = source if isinstance(source, bytes) else _read(Path(source))
        small = _shrink(content)
        content = content if small is None else small
        kind = next((kind for start, kind in _TYPES.items() if content.startswith(start)), None)
        if kind is None or len(content) > MAX_BYTES:
            what = f"{len(content):,} bytes" if kind else "another kind of file"
            log.warning("A thumbnail was left out: must be PNG, JPEG or GIF of at most 32 KB, got %s", what)
            return None
    except Exception as error:  # noqa: BLE001 - a report is not to fail for a picture
        log.warning("A thumbnail was left out: %r", error)
        return None
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _read(path: Path) -> bytes:
    if path.stat().st_size > _MAX_SOURCE_BYTES:
        raise ValueError(f"{path}: must be a picture of at most {_MAX_SOURCE_BYTES:,} bytes")
    return path.read_bytes()


def _shrink(content: bytes) -> bytes | None:
    """Return a picture as a small JPEG file, None without Pillow."""
    try:
        from PIL import Image  # noqa: PLC0415 - it is optional
    except ImportError:
        return None
    with Image.open(io.BytesIO(content)) as picture:
        if picture.width * picture.height > _MAX_PIXELS:
            raise ValueError(f"a picture must have at most {_MAX_PIXELS:,} pixels")
        small = picture.convert("RGB")
    small.thumbnail((WIDTH, WIDTH))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
