from __future__ import annotations

import pytest
from PIL import Image, ImageDraw

from dev.demo.nightly_expectations import FRAME_SIZE, FRAMES, SHOTS
from dev.demo.pictures import check_contact_sheet, check_frames, check_preview

ALL_FRAMES = FRAMES * len(SHOTS)


def picture(size=FRAME_SIZE, step=0):
    """A white disc on black, which moves with the step."""
    image = Image.new("RGB", size)
    ImageDraw.Draw(image).ellipse((2 * step, 20, 2 * step + 80, 100), fill="white")
    return image


def subjects(failures):
    return [failure.subject for failure in failures]


@pytest.fixture
def frames(tmp_path):
    for number in range(1, FRAMES + 1):
        picture(step=number).save(tmp_path / f"sh010_{number:04d}.png")
    return tmp_path


@pytest.fixture
def sheet(tmp_path):
    image = Image.new("RGB", (700, 300))
    for row in range(len(SHOTS)):
        image.paste(picture((300, 90)), (0, 100 * row))
    return image


def save_preview(path, images):
    first, *others = images
    first.save(path, save_all=True, append_images=others, lossless=True)
    return path


def test_check_frames_correct_frames_pass(frames):
    assert not list(check_frames("sh010", frames))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:300]),
        lambda file: Image.new("RGB", FRAME_SIZE, "#204060").save(file),
        lambda file: picture((160, 90)).save(file),
        lambda file: picture().save(file, format="JPEG"),
        lambda file: file.rename(file.with_name("sh020_0007.png")),
    ],
    ids=["missing", "empty", "cut off", "blank", "too small", "JPEG", "another shot's"],
)
def test_check_frames_bad_frame_is_found(spoil, frames):
    spoil(frames / "sh010_0007.png")
    assert len(list(check_frames("sh010", frames))) == 1


def test_check_frames_missing_folder_is_found(tmp_path):
    assert subjects(check_frames("sh010", tmp_path / "none")) == ["frames of sh010"]


def test_check_contact_sheet_correct_sheet_passes(sheet, tmp_path):
    sheet.save(tmp_path / "sheet.png")
    assert not list(check_contact_sheet(tmp_path / "sheet.png"))


def test_check_contact_sheet_without_a_shot_is_found(sheet, tmp_path):
    sheet.paste("#16181d", (0, 100, 700, 200))
    sheet.save(tmp_path / "sheet.png")
    assert subjects(check_contact_sheet(tmp_path / "sheet.png")) == ["sh020 on the contact sheet"]


def test_check_contact_sheet_missing_or_small_is_found(tmp_path):
    assert subjects(check_contact_sheet(tmp_path / "none.png")) == ["none.png"]
    picture((120, 120)).save(tmp_path / "small.png")
    assert "size of the contact sheet" in subjects(check_contact_sheet(tmp_path / "small.png"))


def test_check_preview_correct_preview_passes(tmp_path):
    path = save_preview(tmp_path / "preview.webp", [picture(step=step) for step in range(ALL_FRAMES)])
    assert not list(check_preview(path))


@pytest.mark.parametrize(
    ("images", "actual"),
    [
        ([picture(step=step) for step in range(ALL_FRAMES - 1)], "71"),
        (
            [picture(step=step) for step in range(ALL_FRAMES - 1)] + [Image.new("RGB", FRAME_SIZE)],
            "blank: [72]",
        ),
        ([picture(step=step % 2) for step in range(ALL_FRAMES)], "2 different ones"),
        ([picture((160, 90), step) for step in range(ALL_FRAMES)], "(160, 90)"),
    ],
    ids=["one short", "one blank", "does not move", "too small"],
)
def test_check_preview_bad_preview_is_found(images, actual, tmp_path):
    (failure,) = check_preview(save_preview(tmp_path / "preview.webp", images))
    assert failure.actual == actual
