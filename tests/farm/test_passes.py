"""Passes that composite to the beauty pass, tiles that join, and the files of both."""

from __future__ import annotations

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
WORST, MEAN = 1, 0.05
"""By how much a composite of 8-bit passes may differ from the beauty pass, of 255."""


def values(path):
    """A picture's numbers as 0 to 1, read as a compositor reads them: by Pillow and numpy alone."""
    image = Image.open(path)
    return np.asarray(image) / (65535 if image.mode == "I;16" else 255)


@pytest.mark.parametrize("scene", ["sh010", "sh020", "sh030", "barn", "衣帽间", "e"])
@pytest.mark.parametrize("ending", SIXTEEN_BIT)
def test_the_passes_composite_to_the_beauty_pass(tmp_path, scene, ending):
    for shown in Pass:
        save(render_frame(scene, 7, *SIZE, shown), tmp_path / f"{shown.value}.{ending}")
    beauty, colour, shadow, depth = (values(tmp_path / f"{one.value}.{ending}") for one in Pass)
    near = np.exp(np.maximum(depth * FAR - FOG_START, 0) * -FOG_DENSITY)
    clear = (near * near * (3 - 2 * near))[..., None]
    error = np.abs(np.rint(colour * (1 - (1 - shadow) * clear) * 255) - beauty * 255)
    assert error.max() <= WORST
    assert error.mean() <= MEAN


def test_each_pass_shows_what_it_is_for():
    beauty, colour, shadow, depth = (
        np.asarray(render_frame("sh030", 1, *SIZE, one)).astype(int) for one in Pass
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
    ("layer", "shown"),
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
def test_a_layer_shows_the_pass_of_its_name(layer, shown):
    assert pass_of_layer(layer) is shown


@pytest.mark.parametrize("shown", Pass, ids=lambda shown: shown.value)
@pytest.mark.parametrize(("count", "kind"), [(1, "block"), (5, "block"), (6, "block"), (4, "strip")])
def test_tiles_join_without_a_seam(shown, count, kind):
    whole = np.asarray(render_frame("sh020", 5, 97, 53, shown)).astype(int)
    joined = np.full_like(whole, -1)
    for tile in split_into_tiles(97, 53, count, kind):
        part = np.asarray(render_frame("sh020", 5, 97, 53, shown, tile))
        assert (joined[tile.top : tile.bottom, tile.left : tile.right] == -1).all()
        joined[tile.top : tile.bottom, tile.left : tile.right] = part
    differs = np.abs(joined - whole) > (65535 if shown is Pass.DEPTH else 255) * 0.01
    assert differs.mean() < 0.001
    assert not differs.all(axis=tuple(range(1, differs.ndim))).any()


def test_blocks_are_a_grid_and_strips_are_rows():
    assert [tuple(tile) for tile in split_into_tiles(100, 50, 4, "block")] == [
        (0, 0, 50, 25),
        (50, 0, 100, 25),
        (0, 25, 50, 50),
        (50, 25, 100, 50),
    ]
    assert [tuple(tile) for tile in split_into_tiles(10, 9, 2, "strip")] == [(0, 0, 10, 4), (0, 4, 10, 9)]


@pytest.mark.parametrize(
    ("width", "height", "count", "kind"),
    [(10, 10, 0, "block"), (10, 10, -4, "strip"), (10, 10, 11, "strip"), (1, 1, 4, "block"), (9, 9, 1, "x")],
)
def test_tiles_that_cannot_be_are_refused(width, height, count, kind):
    with pytest.raises(ValueError, match=r"^tiles"):
        split_into_tiles(width, height, count, kind)


@pytest.mark.parametrize("ending", sorted(set(EXTENSIONS.values())))
def test_a_picture_is_in_the_format_of_its_ending(tmp_path, ending):
    painted = render_frame("sh010", 3, *SIZE)
    path = tmp_path / f"frame.{ending}"
    save(painted, path)
    with Image.open(path) as read:
        assert (read.size, read.mode) == (SIZE, "RGB")
        assert EXTENSIONS[read.format] == ending
        error = np.abs(np.asarray(read).astype(int) - np.asarray(painted))
    assert error.mean() < (2 if ending == "jpg" else 1e-9)


@pytest.mark.parametrize("ending", MAX_SIDE)
def test_a_format_holds_the_longest_side_and_no_longer_one(tmp_path, ending):
    path, longest = tmp_path / f"frame.{ending}", MAX_SIDE[ending]
    save(Image.new("RGB", (longest, 1)), path)
    with pytest.raises((OSError, OverflowError, ValueError)):
        save(Image.new("RGB", (longest + 1, 1)), path)


@pytest.mark.parametrize("shown", Pass, ids=lambda shown: shown.value)
@pytest.mark.parametrize("size", [(400, 225), (90, 400), (3, 2)])
def test_a_thumbnail_is_small_and_of_the_same_shape(tmp_path, shown, size):
    save_thumbnail(render_frame("sh010", 3, *size, shown), tmp_path / "small")
    with Image.open(tmp_path / "small") as read:
        assert read.format == "JPEG"
        assert max(read.size) == min(max(size), THUMBNAIL_SIZE[0])
        assert read.size[0] / read.size[1] == pytest.approx(size[0] / size[1], rel=0.02)
