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
def test_a_picture_has_the_size_asked_for(size):
    painted = render_frame("sh010", 1, *size)
    assert (painted.size, painted.mode) == (size, "RGB")


def test_the_same_frame_is_the_same_picture():
    assert render_frame("sh010", 5, 64, 36).tobytes() == render_frame("sh010", 5, 64, 36).tobytes()


def test_frames_of_a_turn_differ_and_the_next_turn_is_like_it():
    frames = [render_frame("sh010", frame, 64, 36).tobytes() for frame in range(1, 26)]
    assert len(set(frames[:24])) == 24
    assert frames[24] == frames[0]


def test_scenes_differ_and_those_of_the_example_in_solid_and_colours():
    looks = [look_for(shot) for shot in SHOTS]
    assert len({look.solid for look in looks}) == len({look.palette.sky for look in looks}) == 3
    many = {(look_for(f"shot {number}").solid, look_for(f"shot {number}").palette) for number in range(1000)}
    assert len(many) == len(SOLIDS) * len(PALETTES)


@pytest.mark.parametrize("solid", SOLIDS, ids=lambda solid: solid.__name__)
def test_a_solid_fits_in_its_ball_and_hides_something(solid):
    points = np.random.default_rng(1).normal(size=(3, 20_000)).astype(np.float32)
    points /= np.linalg.norm(points, axis=0)
    assert solid(*(points * np.float32(1.02))).min() > 0
    assert solid(*(points * np.random.default_rng(2).random(20_000, np.float32))).min() < 0
    assert solid(*points).dtype == np.float32


@pytest.mark.parametrize("solid", SOLIDS, ids=lambda solid: solid.__name__)
def test_no_ray_can_step_through_a_solid(solid):
    """A signed distance grows by no more than the way gone; where it does, a ray would jump the surface."""
    random = np.random.default_rng(3)
    points = random.uniform(-1, 1, (3, 50_000)).astype(np.float32)
    ways = random.normal(size=points.shape).astype(np.float32)
    ways /= np.linalg.norm(ways, axis=0)
    reach = np.abs(solid(*points))
    inside = solid(*points) < 0
    crossed = (solid(*(points + ways * reach * np.float32(0.98))) < -0.01) & ~inside
    assert crossed.mean() < 0.001


def test_a_picture_shows_a_lit_solid_and_its_shadow():
    image = pixels("sh030", 1, 160, 90)
    assert image.std() > 15
    brightness = image.sum(2)
    floor = brightness[70]
    assert floor.min() < 0.75 * np.median(floor)


def test_large_pictures_are_painted_in_bands_without_seams(monkeypatch):
    whole = pixels("sh020", 3, 96, 54)
    monkeypatch.setattr(picture, "PIXELS_PER_BAND", 96 * 7)
    differs = np.abs(pixels("sh020", 3, 96, 54) - whole).max(2) > 2
    assert differs.mean() < 0.001
