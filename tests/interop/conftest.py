"""The vendor's released client, where ``make interop`` has installed it, and a server that it calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.recorder import Recorder
from tests.interop.vendor import Vendor

PYTHON = Path(__file__).parents[2] / ".venv-vendor" / "bin" / "python"


@pytest.fixture(scope="session")
def vendor_python():
    """The Python of the vendor's environment."""
    if not PYTHON.exists():
        pytest.skip("the vendor's client is not installed here: make interop")
    return PYTHON


@pytest.fixture(scope="module")
def vendor(vendor_python, tmp_path_factory):
    """The vendor's client, not logged in."""
    with Vendor(vendor_python, tmp_path_factory.mktemp("vendor")) as running:
        yield running


@pytest.fixture(scope="module")
def recorder():
    running = Recorder()
    yield running
    running.close()
