"""The compositing task of an example takes frames as they arrive, and fails on a wrong composite."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from airflow_provider_renderbus.farm.pictures.formats import save
from airflow_provider_renderbus.farm.pictures.passes import Pass
from airflow_provider_renderbus.farm.pictures.picture import render_frame
from tests.airflow_version import copy_dag_file

FILE = Path(__file__).parents[2] / "example_dags/render_and_composite.py"


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    file = copy_dag_file(FILE, tmp_path_factory.mktemp("dags"))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def frames(example, tmp_path, monkeypatch):
    """Two downloaded frames of each layer."""
    monkeypatch.setattr(example, "FRAMES", 2)
    folder = tmp_path / "frames" / "manual__1-2"
    for layer in example.LAYERS:
        (folder / layer).mkdir(parents=True)
        for frame in (1, 2):
            picture = render_frame("sh020", frame, 64, 36, Pass(layer))
            save(picture, folder / layer / f"sh020_{layer}_{frame:04}.png")
    return folder


@pytest.fixture
def context(tmp_path):
    params = {"pictures_folder": str(tmp_path / "pictures"), "frames_folder": str(tmp_path / "frames")}
    return {"params": params, "run_id": "manual__1:2"}


def test_composite_matches_beauty_render(example, frames, context):
    poke = example.CompositeSensor(task_id="composite").poke(context)
    assert poke.is_done
    assert poke.xcom_value["max_difference"] <= 1
    names = sorted(path.name for path in Path(poke.xcom_value["folder"]).iterdir())
    assert names == ["sh020_0001.png", "sh020_0002.png"]


def test_composite_of_frames_that_have_arrived_waits_for_the_others(example, frames, context, tmp_path):
    missing = frames / "depth" / "sh020_depth_0002.png"
    content = missing.read_bytes()
    missing.unlink()
    assert not example.CompositeSensor(task_id="composite").poke(context).is_done
    (first,) = tmp_path.rglob("pictures/*/sh020/*.png")
    before = first.stat().st_ino
    missing.write_bytes(content)
    assert example.CompositeSensor(task_id="composite").poke(context).is_done
    assert first.stat().st_ino == before


def test_composite_of_a_frame_that_is_rendered_again_is_made_again(example, frames, context, tmp_path):
    example.CompositeSensor(task_id="composite").poke(context)
    first = next(tmp_path.rglob("pictures/*/sh020/*_0001.png"))
    before = first.stat().st_ino
    os.utime(frames / "shadow" / "sh020_shadow_0001.png", (1_900_000_000, 1_900_000_000))
    example.CompositeSensor(task_id="composite").poke(context)
    assert first.stat().st_ino != before


def test_composite_wrong_layer_fails(example, frames, context):
    shadow = frames / "shadow" / "sh020_shadow_0002.png"
    Image.fromarray(np.full((36, 64, 3), 255, np.uint8)).save(shadow)
    with pytest.raises(ValueError, match=r"at most 1 of 255 from its beauty render, got \d+"):
        example.CompositeSensor(task_id="composite").poke(context)
