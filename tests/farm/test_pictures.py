from __future__ import annotations

import numpy as np
import pytest

from airflow_provider_renderbus.farm.pictures import picture
from airflow_provider_renderbus.farm.pictures.palettes import PALETTES, look_for
from airflow_provider_renderbus.farm.pictures.picture import render_frame
from airflow_provider_renderbus.farm.pictures.sdf import SOLIDS

SHOTS = ("sh010", "sh020", "sh030")


def pixels(*args):
    return np.asarray(render_frame(*args)).astype(int)


@pytest.mark.parametrize("size", [(64, 36), (1, 1), (7, 200), (300, 3)])
def test_render_frame_any_size_has_that_size(size):
    image = render_frame("sh010", 1, *size)
    assert (image.size, image.mode) == (size, "RGB")


def test_render_frame_same_arguments_same_pixels():
    assert render_frame("sh010", 5, 64, 36).tobytes() == render_frame("sh010", 5, 64, 36).tobytes()


def test_render_frame_one_turn_differs_and_repeats():
    frames = [render_frame("sh010", frame, 64, 36).tobytes() for frame in range(1, 26)]
    assert len(set(frames[:24])) == 24
    assert frames[24] == frames[0]


def test_look_for_scene_names_give_all_looks():
    looks = [look_for(shot) for shot in SHOTS]
    assert len({look.solid for look in looks}) == len({look.palette.sky for look in looks}) == 3
    looks = {(look_for(f"shot {number}").solid, look_for(f"shot {number}").palette) for number in range(1000)}
    assert len(looks) == len(SOLIDS) * len(PALETTES)


@pytest.mark.parametrize("solid", SOLIDS, ids=lambda solid: solid.__name__)
def test_solid_fits_in_unit_sphere_and_is_not_empty(solid):
    points = np.random.default_rng(1).normal(size=(3, 20_000)).astype(np.float32)
    points /= np.linalg.norm(points, axis=0)
    assert solid(*(points * np.float32(1.02))).min() > 0
    assert solid(*(points * np.random.default_rng(2).random(20_000, np.float32))).min() < 0
    assert solid(*points).dtype == np.float32


@pytest.mark.parametrize("solid", SOLIDS, ids=lambda solid: solid.__name__)
def test_solid_distance_never_oversteps_surface(solid):
    """A signed distance must not grow faster than the step; if it did, a ray could skip the surface."""
    random = np.random.default_rng(3)
    points = random.uniform(-1, 1, (3, 50_000)).astype(np.float32)
    steps = random.normal(size=points.shape).astype(np.float32)
    steps /= np.linalg.norm(steps, axis=0)
    reach = np.abs(solid(*points))
    inside = solid(*points) < 0
    crossed = (solid(*(points + steps * reach * np.float32(0.98))) < -0.01) & ~inside
    assert crossed.mean() < 0.001


def test_render_frame_shows_lit_solid_and_shadow():
    image = pixels("sh030", 1, 160, 90)
    assert image.std() > 15
    brightness = image.sum(2)
    floor = brightness[70]
    assert floor.min() < 0.75 * np.median(floor)


def test_render_frame_small_bands_have_no_seams(monkeypatch):
    whole = pixels("sh020", 3, 96, 54)
    monkeypatch.setattr(picture, "PIXELS_PER_BAND", 96 * 7)
    differs = np.abs(pixels("sh020", 3, 96, 54) - whole).max(2) > 2
    assert differs.mean() < 0.001
