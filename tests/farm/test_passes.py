"""Render passes composite to the beauty pass, tiles join without seams, and both are written to files."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from airflow_provider_renderbus.farm.pictures.formats import (
    EXTENSIONS,
    MAX_SIDE,
    SIXTEEN_BIT,
    THUMBNAIL_SIZE,
    save,
    save_thumbnail,
    split_into_tiles,
)
from airflow_provider_renderbus.farm.pictures.passes import FAR, FOG_DENSITY, FOG_START, Pass, pass_of_layer
from airflow_provider_renderbus.farm.pictures.picture import ZOOM, render_frame
from airflow_provider_renderbus.farm.pictures.scene import CAMERA, CENTRE, TARGET

SIZE = (160, 90)
MAX_ERROR, MAX_MEAN_ERROR = 1, 0.05
"""Allowed differences between a composite of 8-bit passes and the beauty pass, of 255."""


def values(path):
    """Pixel values of an image, 0 to 1, read with Pillow and numpy only, as a compositor would."""
    image = Image.open(path)
    return np.asarray(image) / (65535 if image.mode == "I;16" else 255)


@pytest.mark.parametrize("scene", ["sh010", "sh020", "sh030", "barn", "衣帽间", "e"])
@pytest.mark.parametrize("extension", SIXTEEN_BIT)
def test_passes_composited_give_beauty_pass(tmp_path, scene, extension):
    for render_pass in Pass:
        save(render_frame(scene, 7, *SIZE, render_pass), tmp_path / f"{render_pass.value}.{extension}")
    beauty, colour, shadow, depth = (values(tmp_path / f"{each.value}.{extension}") for each in Pass)
    near = np.exp(np.maximum(depth * FAR - FOG_START, 0) * -FOG_DENSITY)
    transmittance = (near * near * (3 - 2 * near))[..., None]
    error = np.abs(np.rint(colour * (1 - (1 - shadow) * transmittance) * 255) - beauty * 255)
    assert error.max() <= MAX_ERROR
    assert error.mean() <= MAX_MEAN_ERROR


def test_render_frame_each_pass_has_its_values():
    beauty, colour, shadow, depth = (
        np.asarray(render_frame("sh030", 1, *SIZE, each)).astype(int) for each in Pass
    )
    assert (beauty <= colour).all()
    assert (beauty < colour - 20).any()
    assert (shadow[0] == 255).all()
    assert shadow.min() < 160
    assert (depth[0] == 65535).all()
    # The lowest pixel of the middle column is floor: its distance follows from the camera alone.
    height, fall, back = CAMERA[1, 0], CAMERA[1, 0] - TARGET[1, 0], -CAMERA[2, 0]
    angle = np.arctan2(fall, back) + np.arctan(ZOOM * (1 - 1 / SIZE[1]))
    distance = depth / 65535 * FAR
    assert distance[-1, SIZE[0] // 2] == pytest.approx(height / np.sin(angle), rel=0.002)
    to_centre = np.hypot(*(CAMERA - CENTRE)[1:, 0])
    assert distance[SIZE[1] // 2 - 6, SIZE[0] // 2] == pytest.approx(to_centre, abs=1)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("beauty", Pass.BEAUTY),
        ("masterLayer", Pass.BEAUTY),
        ("rs_Shadow", Pass.SHADOW),
        ("sh010_DEPTH", Pass.DEPTH),
        ("colour", Pass.COLOUR),
        ("set color", Pass.COLOUR),
        ("", Pass.BEAUTY),
    ],
)
def test_pass_of_layer_name_ends_with_pass(layer, expected):
    assert pass_of_layer(layer) is expected


@pytest.mark.parametrize("render_pass", Pass, ids=lambda each: each.value)
@pytest.mark.parametrize(("count", "tiles_type"), [(1, "block"), (5, "block"), (6, "block"), (4, "strip")])
def test_render_frame_tiles_join_without_seam(render_pass, count, tiles_type):
    whole = np.asarray(render_frame("sh020", 5, 97, 53, render_pass)).astype(int)
    joined = np.full_like(whole, -1)
    for tile in split_into_tiles(97, 53, count, tiles_type):
        part = np.asarray(render_frame("sh020", 5, 97, 53, render_pass, tile))
        assert (joined[tile.top : tile.bottom, tile.left : tile.right] == -1).all()
        joined[tile.top : tile.bottom, tile.left : tile.right] = part
    differs = np.abs(joined - whole) > (65535 if render_pass is Pass.DEPTH else 255) * 0.01
    assert differs.mean() < 0.001
    assert not differs.all(axis=tuple(range(1, differs.ndim))).any()


def test_split_into_tiles_block_is_grid_and_strip_is_rows():
    assert [tuple(tile) for tile in split_into_tiles(100, 50, 4, "block")] == [
        (0, 0, 50, 25),
        (50, 0, 100, 25),
        (0, 25, 50, 50),
        (50, 25, 100, 50),
    ]
    assert [tuple(tile) for tile in split_into_tiles(10, 9, 2, "strip")] == [(0, 0, 10, 4), (0, 4, 10, 9)]


@pytest.mark.parametrize(
    ("width", "height", "count", "tiles_type"),
    [(10, 10, 0, "block"), (10, 10, -4, "strip"), (10, 10, 11, "strip"), (1, 1, 4, "block"), (9, 9, 1, "x")],
)
def test_split_into_tiles_impossible_split_raises(width, height, count, tiles_type):
    with pytest.raises(ValueError, match=r"^tiles"):
        split_into_tiles(width, height, count, tiles_type)


@pytest.mark.parametrize("extension", sorted(set(EXTENSIONS.values())))
def test_save_extension_decides_format(tmp_path, extension):
    rendered = render_frame("sh010", 3, *SIZE)
    path = tmp_path / f"frame.{extension}"
    save(rendered, path)
    with Image.open(path) as read:
        assert (read.size, read.mode) == (SIZE, "RGB")
        assert EXTENSIONS[read.format] == extension
        error = np.abs(np.asarray(read).astype(int) - np.asarray(rendered))
    assert error.mean() < (2 if extension == "jpg" else 1e-9)


@pytest.mark.parametrize("extension", MAX_SIDE)
def test_save_max_side_fits_and_one_more_raises(tmp_path, extension):
    path, max_side = tmp_path / f"frame.{extension}", MAX_SIDE[extension]
    save(Image.new("RGB", (max_side, 1)), path)
    with pytest.raises((OSError, OverflowError, ValueError, struct.error)):
        save(Image.new("RGB", (max_side + 1, 1)), path)


@pytest.mark.parametrize("render_pass", Pass, ids=lambda each: each.value)
@pytest.mark.parametrize("size", [(400, 225), (90, 400), (3, 2)])
def test_save_thumbnail_is_small_with_same_aspect_ratio(tmp_path, render_pass, size):
    save_thumbnail(render_frame("sh010", 3, *size, render_pass), tmp_path / "small")
    with Image.open(tmp_path / "small") as read:
        assert read.format == "JPEG"
        assert max(read.size) == min(max(size), THUMBNAIL_SIZE[0])
        assert read.size[0] / read.size[1] == pytest.approx(size[0] / size[1], rel=0.02)
