"""What a frame looks like as a thumbnail: files of many kinds are shrunk, opened again and looked at."""

from __future__ import annotations

import io
import zlib

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from airflow_provider_renderbus.transfer import thumbnail_program
from airflow_provider_renderbus.transfer.thumbnail_program import MAX_PIXELS, NoThumbnail, make_thumbnail

GREY = (118, 118, 118)
"""What shows through transparent pixels."""
HALF_LIGHT = 188
"""Half of the light, as sRGB."""


@pytest.fixture(autouse=True)
def _pillow_limit(monkeypatch):
    """Set Pillow's own limit again, which the program removes for its process."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)


def open_thumbnail(path):
    with path.open("rb") as file:
        picture = Image.open(io.BytesIO(make_thumbnail(file)), formats=["JPEG"])
    picture.load()
    assert (picture.mode, picture.info.get("comment")) == ("RGB", None)
    return picture


def is_close(colour, expected, tolerance=6):
    """JPEG changes colours a little."""
    return all(abs(one - other) <= tolerance for one, other in zip(colour, expected, strict=True))


def assert_colours(picture, expected):
    """Check the colours in the middle of the left and of the right half."""
    for at, colour in zip((0.25, 0.75), expected, strict=True):
        found = picture.getpixel((int(picture.width * at), picture.height // 2))
        assert is_close(found, colour), (found, colour)


def halves(left, right, dtype=np.uint8, size=(64, 32)):
    """Pixels of two colours, side by side."""
    width, height = size
    pixels = np.zeros((height, width, len(left)), dtype)
    pixels[:, : width // 2], pixels[:, width // 2 :] = left, right
    return pixels


def write_exr(path, channels, part_type=OpenEXR.scanlineimage, **header):
    with OpenEXR.File(
        {"compression": OpenEXR.ZIP_COMPRESSION, "type": part_type, **header}, channels
    ) as file:
        file.write(str(path))
    return path


def window(left, top, right, bottom):
    return np.array([left, top], np.int32), np.array([right, bottom], np.int32)


RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.tga", "a.bmp", "a.webp"])
def test_make_thumbnail_of_rgb_has_its_colours(tmp_path, name):
    Image.fromarray(halves(RED, BLUE)).save(tmp_path / name)
    picture = open_thumbnail(tmp_path / name)
    assert picture.size == (64, 32)
    assert_colours(picture, [(254, 0, 0), (0, 0, 254)])


def test_make_thumbnail_of_large_frame_is_small(tmp_path):
    Image.fromarray(halves(RED, BLUE, size=(4096, 1716))).save(tmp_path / "a.jpg", comment=b"<script>")
    picture = open_thumbnail(tmp_path / "a.jpg")
    assert picture.size == (640, 268)
    assert_colours(picture, [(254, 0, 0), (0, 0, 254)])


def test_make_thumbnail_shows_grey_through_transparent_pixels(tmp_path):
    Image.fromarray(halves((255, 0, 0, 255), (255, 0, 0, 0))).save(tmp_path / "a.png")
    assert_colours(open_thumbnail(tmp_path / "a.png"), [(254, 0, 0), GREY])


def test_make_thumbnail_of_palette_with_transparency(tmp_path):
    picture = Image.fromarray(np.repeat([[0, 1]], 32, 1).repeat(32, 0).astype(np.uint8), "P")
    picture.putpalette([0, 0, 255, 0, 255, 0])
    picture.save(tmp_path / "a.png", transparency=1)
    assert_colours(open_thumbnail(tmp_path / "a.png"), [BLUE, GREY])


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_make_thumbnail_of_16_bit_grey(tmp_path, name):
    pixels = halves((0x4040,), (0xC0C0,), np.uint16)[..., 0]
    Image.fromarray(pixels).save(tmp_path / name)
    assert_colours(open_thumbnail(tmp_path / name), [(0x40,) * 3, (0xC0,) * 3])


def test_make_thumbnail_of_16_bit_rgb_png(tmp_path):
    """Pillow reads such files, and does not write them."""
    pixels = halves((0xFFFF, 0x8080, 0), (0, 0x8080, 0xFFFF), ">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    (tmp_path / "a.png").write_bytes(png(64, 32, rows, depth=16))
    assert_colours(open_thumbnail(tmp_path / "a.png"), [(255, 128, 0), (0, 128, 255)])


def test_make_thumbnail_of_cmyk_jpeg(tmp_path):
    Image.fromarray(halves(RED, BLUE)).convert("CMYK").save(tmp_path / "a.jpg")
    assert_colours(open_thumbnail(tmp_path / "a.jpg"), [RED, BLUE])


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("part_type", [OpenEXR.scanlineimage, OpenEXR.tiledimage])
def test_make_thumbnail_of_exr_is_srgb_of_its_light(tmp_path, dtype, part_type):
    tiles = {"tiles": OpenEXR.TileDescription()} if part_type == OpenEXR.tiledimage else {}
    pixels = halves((0.5, 0.5, 0.0), (0.0, 8.0, 0.0), dtype)
    write_exr(tmp_path / "a.exr", {"RGB": pixels, "Z": pixels[..., 0].copy()}, part_type, **tiles)
    assert_colours(open_thumbnail(tmp_path / "a.exr"), [(HALF_LIGHT, HALF_LIGHT, 0), (0, 255, 0)])


def test_make_thumbnail_of_exr_ignores_numbers_that_are_none(tmp_path):
    pixels = halves((0.5, 0.5, 0.5), (0.0, 0.0, 0.0), np.float32, (2560, 1280))
    pixels[::7, ::7] = np.nan
    pixels[100, 2000] = np.inf
    write_exr(tmp_path / "a.exr", {"RGB": pixels})
    picture = open_thumbnail(tmp_path / "a.exr")
    assert picture.size == (640, 320)
    assert is_close(picture.getpixel((160, 160)), (HALF_LIGHT,) * 3, 12)


def test_make_thumbnail_of_exr_with_alpha_is_over_grey(tmp_path):
    write_exr(tmp_path / "a.exr", {"RGBA": halves((0.5, 0, 0, 1), (0, 0, 0, 0), np.float16)})
    assert_colours(open_thumbnail(tmp_path / "a.exr"), [(HALF_LIGHT, 0, 0), GREY])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (window(-64, -16, 127, 47), [(255, 0, 0), (0, 0, 255)]),  # more than is shown
        (window(32, 0, 63, 31), [GREY, (0, 0, 255)]),  # a part of it
        (window(500, 500, 520, 520), [GREY, GREY]),  # nothing of it
    ],
)
def test_make_thumbnail_of_exr_shows_the_display_window(tmp_path, data, expected):
    (left, top), (right, bottom) = data
    columns, rows = np.meshgrid(np.arange(left, right + 1), np.arange(top, bottom + 1))
    pixels = np.where((columns < 32)[..., None], (1, 0, 0, 1), (0, 0, 1, 1)).astype(np.float16)
    # Pixels that are not shown are green.
    is_shown = (columns >= 0) & (columns < 64) & (rows >= 0) & (rows < 32)
    pixels[~is_shown] = (0, 1, 0, 1)
    write_exr(tmp_path / "a.exr", {"RGBA": pixels}, dataWindow=data, displayWindow=window(0, 0, 63, 31))
    picture = open_thumbnail(tmp_path / "a.exr")
    assert picture.size == (64, 32)
    assert_colours(picture, expected)


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ({"ViewLayer.Combined.RGBA": (0, 0.5, 0, 1), "ViewLayer.Normal.RGB": (1, 0, 1)}, (0, HALF_LIGHT, 0)),
        ({"Y": (0.5,)}, (HALF_LIGHT,) * 3),
        ({"normals.RGB": (1, 0, 1), "RGB": (0, 0.5, 0)}, (0, HALF_LIGHT, 0)),
    ],
)
def test_make_thumbnail_of_exr_chooses_its_channels(tmp_path, channels, expected):
    planes = {}
    for name, colour in channels.items():
        prefix, _, letters = name.rpartition(".")
        for letter, value in zip(letters, colour, strict=True):
            planes[f"{prefix}.{letter}".lstrip(".")] = np.full((32, 64), value, np.float32)
    write_exr(tmp_path / "a.exr", planes)
    assert_colours(open_thumbnail(tmp_path / "a.exr"), [expected] * 2)


def test_make_thumbnail_of_exr_without_colours_shows_its_range(tmp_path):
    depth = halves((100.0,), (900.0,), np.float32)[..., 0].copy()
    depth[0] = 1e10  # the background
    write_exr(tmp_path / "a.exr", {"Z": depth})
    assert_colours(open_thumbnail(tmp_path / "a.exr"), [(0, 0, 0), (255, 255, 255)])


GREEN_OVER_NOTHING = halves((0, 0.5, 0, 1), (0, 0, 0, 0), np.float16)


def write_parts(path, **parts):
    made = [
        OpenEXR.Part({"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}, channels, name)
        for name, channels in parts.items()
    ]
    with OpenEXR.File(made) as file:
        file.write(str(path))
    return path


def test_make_thumbnail_of_exr_of_several_parts_shows_the_beauty(tmp_path):
    path = write_parts(
        tmp_path / "a.exr",
        depth={"Z": np.full((32, 64), 9, np.float32)},
        normals={"RGB": halves((1, 0, 1), (1, 0, 1), np.float16)},
        beauty={"RGBA": GREEN_OVER_NOTHING},
    )
    assert_colours(open_thumbnail(path), [(0, HALF_LIGHT, 0), GREY])


@pytest.mark.parametrize("is_first", [True, False])
def test_make_thumbnail_of_exr_of_large_parts_decodes_them_only_within_a_limit(
    tmp_path, monkeypatch, is_first
):
    """OpenEXR decodes the first part alone, and any other one only with all of them."""
    parts = {
        "beauty": {"RGBA": GREEN_OVER_NOTHING},
        "normals": {"RGB": halves((1, 0, 1), (1, 0, 1), np.float16)},
    }
    path = write_parts(tmp_path / "a.exr", **(parts if is_first else dict(reversed(parts.items()))))
    monkeypatch.setattr(thumbnail_program, "_MAX_PARTS_SAMPLES", 7 * 64 * 32 - 1)
    if is_first:
        assert_colours(open_thumbnail(path), [(0, HALF_LIGHT, 0), GREY])
    else:
        with pytest.raises(NoThumbnail, match="several parts that are too large together"):
            open_thumbnail(path)


def png(width, height, rows, depth=8):
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((depth, 2, 0, 0, 0))
    chunks = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        chunks += len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
    return chunks


def test_make_thumbnail_of_png_bomb_is_refused_before_it_is_decoded(tmp_path):
    (tmp_path / "a.png").write_bytes(png(30_000, 30_000, bytes(1_000)))
    with pytest.raises(NoThumbnail, match=f"more than {MAX_PIXELS // 2**20} million pixels"):
        open_thumbnail(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["dataWindow", "displayWindow"])
def test_make_thumbnail_of_exr_with_huge_window_is_refused_before_it_is_decoded(tmp_path, name):
    windows = {"dataWindow": window(0, 0, 63, 31), "displayWindow": window(0, 0, 63, 31)}
    path = write_exr(tmp_path / "a.exr", {"RGB": halves((1, 0, 0), (0, 0, 1), np.float16)}, **windows)
    content = path.read_bytes()
    at = content.index(f"{name}\0box2i\0".encode()) + len(f"{name}\0box2i\0") + 4
    path.write_bytes(content[:at] + np.array([0, 0, 29_999, 29_999], "<i4").tobytes() + content[at + 16 :])
    with pytest.raises(NoThumbnail, match="million pixels"):
        open_thumbnail(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!doctype html><script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        png(640, 360, bytes(100)),
        b"\x76\x2f\x31\x01" + bytes(100),
    ],
)
def test_make_thumbnail_of_what_is_no_picture_fails(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(Exception, match=r".+"):
        open_thumbnail(tmp_path / "a.jpg")
