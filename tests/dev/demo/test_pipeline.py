"""The pipeline demo's checks of uploads, downloads and composites."""

from __future__ import annotations

import pytest
from PIL import Image

from airflow_provider_renderbus.farm.pictures.formats import save
from airflow_provider_renderbus.farm.pictures.passes import Pass
from airflow_provider_renderbus.farm.pictures.picture import render_frame
from dev.demo import pipeline
from dev.harness.embedded_farm import EmbeddedFarm


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(pipeline, "FRAMES", 1)
    monkeypatch.setattr(pipeline, "SIZE", (64, 36))


@pytest.fixture
def farm(tmp_path):
    (tmp_path / "farm/input/10201-100001").mkdir(parents=True)
    return EmbeddedFarm(tmp_path / "farm", tmp_path / "farm.log")


@pytest.fixture
def frames(tmp_path, farm):
    """The farm's frames, and the same downloaded."""
    downloaded = tmp_path / "frames"
    for layer in pipeline.LAYERS:
        picture = render_frame("sh020", 1, 64, 36, Pass(layer))
        for folder in (farm.storage / "output/20201-100001/1_sh020", downloaded / layer):
            folder.mkdir(parents=True, exist_ok=True)
            save(picture, folder / f"sh020_{layer}_0001.png")
    return downloaded


@pytest.fixture
def composites(tmp_path, frames):
    folder = tmp_path / "composites"
    folder.mkdir()
    (folder / "sh020_0001.png").write_bytes((frames / "beauty/sh020_beauty_0001.png").read_bytes())
    return folder


def test_pipeline_checks_correct_run_has_no_failures(farm, frames, composites, tmp_path):
    pipeline.extra_env(tmp_path)
    project = tmp_path / "project"
    for name, content in pipeline.ASSETS.items():
        path = farm.storage / "input/10201-100001" / str(project / name).lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert not list(pipeline._check_uploaded(farm, project))
    assert not list(pipeline._check_downloaded(farm, frames))
    assert not list(pipeline._check_composites(frames, composites))


def test_check_uploaded_missing_scene_is_found(farm, tmp_path):
    failures = list(pipeline._check_uploaded(farm, tmp_path / "project"))
    assert [failure.subject for failure in failures] == [
        f"{name} in the input storage" for name in pipeline.ASSETS
    ]


@pytest.mark.parametrize("change", ["missing", "cut", "too many"])
def test_check_downloaded_frames_unlike_the_farms_are_found(farm, frames, change):
    frame = frames / "depth/sh020_depth_0001.png"
    if change == "missing":
        frame.unlink()
    elif change == "cut":
        frame.write_bytes(frame.read_bytes()[:-1])
    else:
        (frames / ".renderbus-left").write_text("")
    assert len(list(pipeline._check_downloaded(farm, frames))) == 1


def test_check_times_of_composites_made_late_are_found(frames, composites, monkeypatch):
    (failure,) = pipeline._check_times(frames, composites)
    assert failure.subject == "the first composite"
    monkeypatch.setattr(pipeline, "_MAX_COMPOSITE_SECONDS", -1.0)
    assert len(list(pipeline._check_times(frames, composites))) == 2


def test_check_composites_unlike_the_beauty_render_is_found(frames, composites):
    path = composites / "sh020_0001.png"
    with Image.open(path) as picture:
        wrong = picture.copy()
    red, green, blue = wrong.getpixel((5, 5))
    wrong.putpixel((5, 5), (red, (green + 2) % 256, blue))
    wrong.save(path)
    (failure,) = pipeline._check_composites(frames, composites)
    assert failure.actual == "off by 2"
