"""A folder with a shot, and a connection with the farm's transfer command."""

from __future__ import annotations

import pytest

UNUSUAL_NAMES = [
    "a b.exr",
    'it\'s "quoted".exr',
    "纹理/木头.png",
    "$(touch x);`y`.vdb",
    "[1].exr",
    "(2) 100%.abc",
]


@pytest.fixture(autouse=True)
def _connection(transfers):
    """All tests here have a connection with the command."""


@pytest.fixture
def shot(tmp_path):
    folder = tmp_path / "shot"
    for name in ("sh010.ma", "textures/a.exr", "textures/b.exr", *UNUSUAL_NAMES):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    return folder
