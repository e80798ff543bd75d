"""The compositing task of an example fails on missing frames and on a wrong composite."""

from __future__ import annotations

import importlib.util
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
def downloaded(example, tmp_path, monkeypatch):
    """Two downloaded frames of each layer."""
    monkeypatch.setattr(example, "FRAMES", 2)
    outputs = [f"3500000{index}_sh020" for index in range(len(example.LAYERS))]
    for folder, layer in zip(outputs, example.LAYERS, strict=True):
        (tmp_path / folder).mkdir()
        for frame in (1, 2):
            picture = render_frame("sh020", frame, 64, 36, Pass(layer))
            save(picture, tmp_path / folder / f"sh020_{layer}_{frame:04}.png")
    return {"folder": str(tmp_path), "output_folders": outputs}


@pytest.fixture
def context(tmp_path):
    return {"params": {"pictures_folder": str(tmp_path / "pictures")}, "run_id": "manual__1:2"}


def test_composite_matches_beauty_render(example, downloaded, context):
    result = example.composite.function(downloaded, **context)
    assert result["max_difference"] <= 1
    assert sorted(path.name for path in Path(result["folder"]).iterdir()) == [
        "sh020_0001.png",
        "sh020_0002.png",
    ]


def test_composite_missing_frame_fails(example, downloaded, context):
    Path(downloaded["folder"], downloaded["output_folders"][3], "sh020_depth_0002.png").unlink()
    with pytest.raises(FileNotFoundError, match="frame 2 lacks depth"):
        example.composite.function(downloaded, **context)


def test_composite_wrong_layer_fails(example, downloaded, context):
    shadow = Path(downloaded["folder"], downloaded["output_folders"][2], "sh020_shadow_0002.png")
    Image.fromarray(np.full((36, 64, 3), 255, np.uint8)).save(shadow)
    with pytest.raises(ValueError, match=r"at most 1 of 255 from its beauty render, got \d+"):
        example.composite.function(downloaded, **context)
