"""Checks that the rendered frames and the pictures made of them are real pictures."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from PIL import Image, ImageSequence, ImageStat, UnidentifiedImageError

from dev.demo.nightly_expectations import FRAME_SIZE, FRAMES, SHOTS
from dev.harness.event_log import CheckFailure

_MIN_SHEET_SIZE = (640, 240)
# Below this standard deviation of its grey values a picture shows nothing.
_BLANK = 2.0


def check_frames(shot: str, folder: Path) -> Iterator[CheckFailure]:
    """Check that a shot's folder holds all its frames, each a picture that shows something."""
    expected = {f"{shot}_{frame:04d}.png" for frame in range(1, FRAMES + 1)}
    names = {file.name for file in folder.glob("*")}
    if names != expected:
        actual = f"missing {sorted(expected - names)}, too many {sorted(names - expected)}"
        yield CheckFailure(f"frames of {shot}", f"{FRAMES} files", actual, folder)
    for name in sorted(names & expected):
        yield from check_picture(folder / name, "PNG", FRAME_SIZE)


def check_contact_sheet(path: Path) -> Iterator[CheckFailure]:
    """Check that the contact sheet is a large picture, and shows something of each shot, row by row."""
    if failures := list(check_picture(path, "PNG")):
        yield from failures
        return
    with Image.open(path) as sheet:
        if any(side < minimum for side, minimum in zip(sheet.size, _MIN_SHEET_SIZE, strict=True)):
            expected = f"at least {_MIN_SHEET_SIZE}"
            yield CheckFailure("size of the contact sheet", expected, str(sheet.size), path)
        height = sheet.height // len(SHOTS)
        for row, shot in enumerate(SHOTS):
            if _is_blank(sheet.crop((0, row * height, sheet.width, (row + 1) * height))):
                yield CheckFailure(f"{shot} on the contact sheet", "frames", "nothing", path)


def check_preview(path: Path, count: int = FRAMES * len(SHOTS)) -> Iterator[CheckFailure]:
    """Check that the preview is an animation of this many frames, none blank, which moves."""
    if failures := list(check_picture(path, "WEBP", FRAME_SIZE)):
        yield from failures
        return
    with Image.open(path) as animation:
        frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(animation)]
    if len(frames) != count:
        yield CheckFailure("frames of the preview", str(count), str(len(frames)), path)
    blank = [place for place, frame in enumerate(frames, start=1) if _is_blank(frame)]
    if blank:
        yield CheckFailure("frames of the preview", "none blank", f"blank: {blank}", path)
    different = len({sha256(frame.tobytes()).digest() for frame in frames})
    if different <= len(frames) // 2:
        actual = f"{different} different ones"
        yield CheckFailure("frames of the preview", "different pictures", actual, path)


def check_picture(
    path: Path, image_format: str, size: tuple[int, int] | None = None
) -> Iterator[CheckFailure]:
    """Check that a file is a picture of a format, as Pillow names it, and of a size, and shows something."""
    try:
        with Image.open(path) as picture:
            picture.load()
            if picture.format != image_format:
                yield CheckFailure(f"format of {path.name}", image_format, str(picture.format), path)
            if size and picture.size != size:
                yield CheckFailure(f"size of {path.name}", str(size), str(picture.size), path)
            if _is_blank(picture):
                yield CheckFailure(path.name, "a picture that shows something", "a blank one", path)
    except (OSError, UnidentifiedImageError) as error:
        yield CheckFailure(path.name, f"a {image_format} picture", str(error), path)


def _is_blank(picture: Image.Image) -> bool:
    return ImageStat.Stat(picture.convert("L")).stddev[0] < _BLANK
