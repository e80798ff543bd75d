"""Fixtures: the vendor's released client, if ``make interop`` has installed it, and a server for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.recorder import Recorder
from tests.interop.vendor import Vendor

PYTHON = Path(__file__).parents[2] / ".venv-vendor" / "bin" / "python"


@pytest.fixture(scope="session")
def vendor_python():
    """Python of the vendor's environment."""
    if not PYTHON.exists():
        pytest.skip("the vendor's client is not installed: run make interop")
    return PYTHON


@pytest.fixture(scope="module")
def vendor(vendor_python, tmp_path_factory):
    """The vendor's client, not logged in."""
    with Vendor(vendor_python, tmp_path_factory.mktemp("vendor")) as vendor:
        yield vendor


@pytest.fixture(scope="module")
def recorder():
    recorder = Recorder()
    yield recorder
    recorder.close()
