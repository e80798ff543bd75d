"""Shrinks frames to small JPEGs, in a process of its own: a broken file can crash a decoder or fill memory.

``thumbnail_program.py`` gets open files over a Unix socket, its standard input, one at a time. For each it
sends a byte (1 for a JPEG, 0 for a reason why there is none), a length, and that many bytes. It gets no path
and no setting, and ends when the worker closes the socket or has ended itself.

It imports Pillow, and for EXR files numpy and OpenEXR, whose official package decodes all kinds of them.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import resource
import signal
import socket
import struct
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

SIZE = 640, 640
"""The largest thumbnail, in pixels."""
MAX_PIXELS = 64 * 2**20
"""The largest frame that is decoded: 8,192 by 8,192 pixels."""
MAX_MEMORY = 4 * 2**30
"""Bytes of memory that the process may address."""
MAX_SECONDS = 30
"""Seconds for a frame."""
REPLY = struct.Struct("!?I")
_FORMATS = ("PNG", "JPEG", "TIFF", "TGA", "BMP", "WEBP")
_EXR_START = b"\x76\x2f\x31\x01"
_MULTIPART, _DEEP = 0x1000, 0x0800
_WINDOWS = ("dataWindow", "displayWindow")
_BEAUTY = re.compile(r"(?<![a-z])(beauty|combined|rgba?|main|master)(?![a-z])", re.IGNORECASE)
_NICE = 10
_QUALITY = 82
_GREY = 118
"""What shows through transparent pixels: 18 % grey as sRGB."""
_LINEAR_GREY = 0.18
_MAX_SAMPLES = 3
"""Pixels in each direction of which a pixel of a thumbnail is the mean."""
_MAX_PARTS_SAMPLES = 8 * MAX_PIXELS
"""Values of all channels of all parts of an EXR file that are decoded together: 2 GB if each has 32 bits."""
_FAR = 1e6
"""A depth from which a pixel counts as background."""
_MAX_LIGHT = 4.0
"""Light above this is cut, so that a single very bright pixel does not become a white block."""


class NoThumbnail(Exception):
    """Why a frame has no thumbnail."""


def main() -> None:
    """Serve the worker on standard input until it closes it."""
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    memory = MAX_MEMORY if most == resource.RLIM_INFINITY else min(MAX_MEMORY, most)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    with contextlib.suppress(OSError):  # if memory runs out, the kernel ends this process first
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    with socket.socket(fileno=os.dup(0)) as connection:
        while True:
            _, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
            if not descriptors:
                return
            signal.alarm(MAX_SECONDS)  # ends this process, also if nobody waits for it any more
            is_jpeg, content = _reply(descriptors[0])
            signal.alarm(0)
            connection.sendall(REPLY.pack(is_jpeg, len(content)) + content)


def _reply(descriptor: int) -> tuple[bool, bytes]:
    try:
        with open(descriptor, "rb") as file:
            return True, make_thumbnail(file)
    except NoThumbnail as error:
        reason = str(error)
    except ImportError as error:
        extra = "wall" if error.name and error.name.startswith("PIL") else "exr"
        reason = f"{error.name} is missing on this worker: install airflow-provider-renderbus[{extra}]"
    except Exception as error:  # noqa: BLE001 - decoders have exceptions of all kinds for broken files
        reason = f"cannot be decoded ({type(error).__name__})"
    return False, reason.encode(errors="replace")


def make_thumbnail(file: BinaryIO) -> bytes:
    """Return a frame as a JPEG of at most `SIZE`.

    :raises NoThumbnail: it is too large, or shows nothing.
    :raises ImportError: the library for its format is missing.
    """
    from PIL import Image, UnidentifiedImageError

    start = file.read(8)
    file.seek(0)
    if start.startswith(_EXR_START):
        flags = int.from_bytes(start[4:8], "little")
        picture = _to_picture(_read_exr(f"/proc/self/fd/{file.fileno()}", flags))
    else:
        # The number of pixels is checked before any is decoded.
        Image.MAX_IMAGE_PIXELS = None
        try:
            opened = Image.open(file, formats=_FORMATS)
        except UnidentifiedImageError:
            raise NoThumbnail("no picture of a known format") from None
        with opened:
            _check_size(opened.width, opened.height)
            opened.draft("RGB", SIZE)  # decodes a JPEG at a fraction of its size
            picture = _to_rgb(opened)
    picture.info.clear()  # such as a comment, which would be saved
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise NoThumbnail(f"more than {MAX_PIXELS // 2**20} million pixels")


def _to_rgb(opened: Any) -> Any:
    """Return a decoded picture as small RGB, over grey if it is transparent."""
    from PIL import Image

    picture = opened
    if picture.mode == "F":
        picture = picture.point(lambda value: value * 255).convert("L")
    elif picture.mode.startswith("I"):  # 16 bits
        picture = picture.convert("I").point(lambda value: value / 257).convert("L")
    elif picture.mode in {"LA", "PA"} or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    elif picture.mode not in {"RGB", "RGBA"}:
        picture = picture.convert("RGB")
    picture.thumbnail(SIZE)
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, (_GREY, _GREY, _GREY, 255)), picture)
    return picture.convert("RGB")


class _Box(NamedTuple):
    """A window of an EXR file. Its right and bottom pixels belong to it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left + 1

    @property
    def height(self) -> int:
        return self.bottom - self.top + 1


class _Exr(NamedTuple):
    """What an EXR file shows.

    :param planes: one of grey or three of colour, in linear light; then alpha, if there is any.
    :param is_light: whether they are light, not such as a depth, whose range is not known.
    :param data: where the planes are.
    :param display: what of them is shown.
    """

    planes: list[Any]
    has_alpha: bool
    is_light: bool
    data: _Box
    display: _Box


def _read_exr(path: str, flags: int) -> _Exr:
    """Return what an EXR file shows: the best of its parts."""
    import OpenEXR

    if flags & _DEEP:
        raise NoThumbnail("a deep EXR file")
    if flags & _MULTIPART and (index := _choose_part(path)):
        with OpenEXR.File(path, separate_channels=True) as whole:
            part = whole.parts[index]
            windows = _windows_of(part)
            names, has_alpha = _choose_channels(part.channels)
            planes = [part.channels[name].pixels for name in names]
            return _Exr(planes, has_alpha, _is_light(names), *windows)
    file = OpenEXR.InputFile(path)  # reads only the channels that are shown; of several parts, the first
    try:
        header = file.header()
        windows = [_Box(w.min.x, w.min.y, w.max.x, w.max.y) for w in map(header.get, _WINDOWS)]
        _check_windows(*windows)
        names, has_alpha = _choose_channels(header["channels"])
        types = [header["channels"][name].type.v for name in names]
        contents = file.channels(names)
        planes = [_plane(content, kind, windows[0]) for content, kind in zip(contents, types, strict=True)]
        return _Exr(planes, has_alpha, _is_light(names), *windows)
    finally:
        file.close()


def _choose_part(path: str) -> int:
    """Return the index of the part to show. One that is not the first must be decoded with all others."""
    import OpenEXR

    with OpenEXR.File(path, separate_channels=True, header_only=True) as file:
        parts = file.parts
        names = [[channel.name for channel in part.header["channels"]] for part in parts]
        index = min(range(len(parts)), key=lambda at: _rank(names[at], str(parts[at].header.get("name", ""))))
        if index:
            sizes = [_windows_of(part)[0] for part in parts]
            samples = sum(len(each) * box.width * box.height for each, box in zip(names, sizes, strict=True))
            if samples > _MAX_PARTS_SAMPLES:
                raise NoThumbnail("an EXR file of several parts that are too large together")
    return index


def _windows_of(part: Any) -> list[_Box]:
    windows = [_Box(*(int(v) for corner in part.header[name] for v in corner)) for name in _WINDOWS]
    _check_windows(*windows)
    return windows


def _check_windows(*windows: _Box) -> None:
    for each in windows:
        if each.width < 1 or each.height < 1:
            raise NoThumbnail("an EXR file with an empty window")
        _check_size(each.width, each.height)


def _plane(content: bytes, kind: int, data: _Box) -> Any:
    import numpy as np

    pixels = np.frombuffer(content, (np.uint32, np.float16, np.float32)[kind])
    return pixels.reshape(data.height, data.width)


def _rank(channels: Any, name: str) -> tuple[bool, bool]:
    """Return the place of a part among others: colours first, and of these what is called beauty."""
    names, _ = _choose_channels(channels)
    return len(names) == 1, not _BEAUTY.search(name)


def _choose_channels(channels: Any) -> tuple[list[str], bool]:
    """Return the channels to show, and whether the last one is alpha."""
    layers = {name.rpartition(".")[0] for name in channels if name.rpartition(".")[2] == "R"}
    for layer in sorted(layers, key=lambda each: (each != "", not _BEAUTY.search(each), len(each), each)):
        dot = f"{layer}." if layer else ""
        colours = [f"{dot}{channel}" for channel in "RGB"]
        if all(each in channels for each in colours):
            alpha = f"{dot}A"
            return ([*colours, alpha], True) if alpha in channels else (colours, False)
    if "Y" in channels:
        return (["Y", "A"], True) if "A" in channels else (["Y"], False)
    return sorted(channels)[:1], False


def _is_light(names: list[str]) -> bool:
    return len(names) > 1 or names == ["Y"]


def _to_picture(exr: _Exr) -> Any:
    """Return what an EXR file shows as small RGB: sRGB of its linear light, over grey if transparent."""
    import numpy as np
    from PIL import Image

    display, data = exr.display, exr.data
    if any(plane.shape != (data.height, data.width) for plane in exr.planes):
        raise NoThumbnail("an EXR file with subsampled colours")
    step = max(display.width // SIZE[0], display.height // SIZE[1])
    step = max(1, min(step, display.width, display.height))
    planes = exr.planes if exr.is_light else [_stretch(exr.planes[0], step)]
    shown = [_shrink(plane, data, display, step) for plane in planes]
    colours, alpha = (shown[:-1], shown[-1]) if exr.has_alpha else (shown, None)
    light = np.stack(colours * (3 // len(colours)), -1)
    if alpha is not None:
        light += (1 - np.clip(alpha, 0, 1))[..., None] * _LINEAR_GREY
    light = np.clip(light, 0, 1)
    srgb = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)  # noqa: PLR2004
    picture = Image.fromarray((srgb * 255 + 0.5).astype(np.uint8))
    picture.thumbnail(SIZE)
    return picture


def _stretch(plane: Any, step: int) -> Any:
    """Return a plane with most of its values between 0 and 1."""
    import numpy as np

    sample = plane[::step, ::step].astype(np.float32)
    sample = sample[np.isfinite(sample) & (sample < _FAR)]
    low, high = np.percentile(sample, (1, 99)) if sample.size else (0.0, 1.0)
    return (plane.astype(np.float32) - low) / max(high - low, 1e-6)


def _shrink(plane: Any, data: _Box, display: _Box, step: int) -> Any:
    """Return the displayed part of a plane, each pixel the mean of some of `step` by `step`."""
    import numpy as np

    count = min(step, _MAX_SAMPLES)
    offsets = (2 * np.arange(count) + 1) * step // (2 * count)
    rows, columns = (
        (np.arange(size // step)[:, None] * step + offsets).ravel()
        for size in (display.height, display.width)
    )
    rows, columns = rows + display.top - data.top, columns + display.left - data.left
    has_row, has_column = ((rows >= 0) & (rows < data.height)), ((columns >= 0) & (columns < data.width))
    samples = np.zeros((rows.size, columns.size), np.float32)
    samples[np.ix_(has_row, has_column)] = plane[np.ix_(rows[has_row], columns[has_column])]
    np.nan_to_num(samples, copy=False, nan=0.0, posinf=_MAX_LIGHT, neginf=0.0)
    np.clip(samples, 0, _MAX_LIGHT, out=samples)
    return samples.reshape(display.height // step, count, display.width // step, count).mean(axis=(1, 3))


if __name__ == "__main__":
    main()
