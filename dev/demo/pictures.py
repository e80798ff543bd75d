"""Whether the rendered frames and the pictures made of them are real pictures."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from PIL import Image, ImageSequence, ImageStat, UnidentifiedImageError

from dev.demo.checks import Finding
from dev.demo.nightly_expectations import FRAME_SIZE, FRAMES, SHOTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALLEST_SHEET = (640, 240)
# Below this standard deviation of its grey values a picture shows nothing.
_BLANK = 2.0


def check_frames(shot: str, folder: Path) -> Iterator[Finding]:
    """Check that a shot's folder holds all its frames, each a picture that shows something."""
    expected = {f"{shot}_{number:04d}.png" for number in range(1, FRAMES + 1)}
    names = {file.name for file in folder.glob("*")}
    if names != expected:
        missing, more = sorted(expected - names), sorted(names - expected)
        yield Finding(f"frames of {shot}", f"{FRAMES} files", f"missing {missing}, too many {more}", folder)
    for name in sorted(names & expected):
        yield from check_picture(folder / name, "PNG", FRAME_SIZE)


def check_contact_sheet(path: Path) -> Iterator[Finding]:
    """Check that the contact sheet is a large picture, and shows something of each shot, row by row."""
    if findings := list(check_picture(path, "PNG")):
        yield from findings
        return
    with Image.open(path) as sheet:
        if any(side < smallest for side, smallest in zip(sheet.size, SMALLEST_SHEET, strict=True)):
            yield Finding("size of the contact sheet", f"at least {SMALLEST_SHEET}", str(sheet.size), path)
        height = sheet.height // len(SHOTS)
        for row, shot in enumerate(SHOTS):
            if _is_blank(sheet.crop((0, row * height, sheet.width, (row + 1) * height))):
                yield Finding(f"{shot} on the contact sheet", "frames", "nothing", path)


def check_preview(path: Path) -> Iterator[Finding]:
    """Check that the preview is an animation of all frames, none blank, which moves."""
    if findings := list(check_picture(path, "WEBP", FRAME_SIZE)):
        yield from findings
        return
    with Image.open(path) as animation:
        frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(animation)]
    if len(frames) != FRAMES * len(SHOTS):
        yield Finding("frames of the preview", str(FRAMES * len(SHOTS)), str(len(frames)), path)
    blank = [number for number, frame in enumerate(frames, start=1) if _is_blank(frame)]
    if blank:
        yield Finding("frames of the preview", "none blank", f"blank: {blank}", path)
    different = len({sha256(frame.tobytes()).digest() for frame in frames})
    if different <= len(frames) // 2:
        yield Finding("frames of the preview", "different pictures", f"{different} different ones", path)


def check_picture(path: Path, form: str, size: tuple[int, int] | None = None) -> Iterator[Finding]:
    """Check that a file is a picture of a format and a size, and shows something.

    :param path: the file.
    :param form: the format, as Pillow calls it.
    :param size: width and height, or None where any will do.
    """
    try:
        with Image.open(path) as picture:
            picture.load()
            if picture.format != form:
                yield Finding(f"format of {path.name}", form, str(picture.format), path)
            if size and picture.size != size:
                yield Finding(f"size of {path.name}", str(size), str(picture.size), path)
            if _is_blank(picture):
                yield Finding(path.name, "a picture that shows something", "a blank one", path)
    except (OSError, UnidentifiedImageError) as error:
        yield Finding(path.name, f"a {form} picture", str(error), path)


def _is_blank(picture: Image.Image) -> bool:
    return ImageStat.Stat(picture.convert("L")).stddev[0] < _BLANK
