"""The tables and examples of docs/farm-pictures.md match the code."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from airflow_provider_renderbus.farm.pictures.formats import EXTENSIONS, THUMBNAIL_SIZE, save
from airflow_provider_renderbus.farm.pictures.passes import FAR, FOG_DENSITY, FOG_START, PASS_NAMES, Pass
from airflow_provider_renderbus.farm.pictures.picture import render_frame
from airflow_provider_renderbus.farm.pictures.scene import FRAMES_PER_TURN
from airflow_provider_renderbus.farm.pictures.task_json import FORMAT_KEYS
from airflow_provider_renderbus.farm.simulation.account import CONFIG_BID, INPUT_BID, OUTPUT_BID, USER_ID
from airflow_provider_renderbus.farm.transmitter import faults
from airflow_provider_renderbus.farm.transmitter.command import NAME, STORAGE_VARIABLE, TRANSFER_TYPES
from airflow_provider_renderbus.farm.transmitter.transfer import ExitCode

FOLDER = Path(__file__).parents[2] / "docs"
DOCUMENT = (FOLDER / "farm-pictures.md").read_text("utf-8")


def first_cells(text):
    """First cells of the first table after a text."""
    table = re.search(r"\n(?:\|.*\n)+", DOCUMENT[DOCUMENT.index(text) :])[0]
    return [row.split(" | ")[0].strip("| ") for row in table.strip().splitlines()][2:]


def test_document_lists_all_formats():
    rows = re.findall(r"^\| ([A-Z, ]+?)(?:, and every .*)? \| `(\w+)` \|$", DOCUMENT, re.MULTILINE)
    assert {name: extension for names, extension in rows for name in names.split(", ")} == EXTENSIONS
    assert all(f"`{name}`" in DOCUMENT for name in FORMAT_KEYS)


def test_document_lists_all_passes_and_fog_formula():
    assert set(re.findall(r"\w+", " ".join(first_cells("## Layers are passes")))) == set(PASS_NAMES)
    assert f"exp(-{FOG_DENSITY} * max({FAR} * depth - {FOG_START}, 0))" in DOCUMENT


@pytest.mark.parametrize("scene", ["sh010", "sh040"])
def test_document_composite_example_gives_beauty_pass(tmp_path, scene):
    code = re.search(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)[1]
    example = {}
    exec(compile(code, "docs/farm-pictures.md", "exec"), example)
    for each in Pass:
        save(render_frame(scene, 5, 160, 90, each), tmp_path / f"{each.value}.png")
    beauty = np.asarray(Image.open(tmp_path / "beauty.png")).astype(int)
    composite = example["composite"](*(tmp_path / f"{name}.png" for name in ("colour", "shadow", "depth")))
    assert np.abs(np.asarray(composite) - beauty).max() <= 1


def test_document_lists_storage_folders(farm):
    root = farm.connections_file.parent
    names = re.findall(r"`([^`]+)/`", " ".join(first_cells("## Storage")))
    assert names[:3] == [
        f"{kind}/{bid}-{USER_ID}"
        for kind, bid in (("input", INPUT_BID), ("config", CONFIG_BID), ("output", OUTPUT_BID))
    ]
    assert all((root / name).is_dir() for name in names)


def test_document_lists_command_types_exit_codes_and_faults():
    assert [cell.strip("`") for cell in first_cells("If no farm runs")] == list(DOCUMENTED_TYPES)
    assert set(DOCUMENTED_TYPES) == set(TRANSFER_TYPES)
    assert [int(code) for code in first_cells("exactly one line")] == list(ExitCode)
    words = {cell.strip("`").partition("=")[0] for cell in first_cells("### Simulated faults")}
    assert words == {"after", "half", "hang", "exit", "times"}
    for name in (NAME, STORAGE_VARIABLE, faults.FAULT_VARIABLE, faults.FAULT_FILE):
        assert f"`{name}`" in DOCUMENT


DOCUMENTED_TYPES = ("upload_path", "upload_json", "upload_list", "download_path", "download_list")


def test_document_figures_match_constants():
    assert f"({FRAMES_PER_TURN} frames per turn)" in DOCUMENT
    assert f"a JPEG of {THUMBNAIL_SIZE[0]} pixels" in DOCUMENT


def test_document_pictures_exist_and_are_small():
    links = re.findall(r"!\[.+\]\((.+)\)", DOCUMENT)
    assert len(links) == 4
    assert all((FOLDER / path).stat().st_size < 150_000 for path in links)
