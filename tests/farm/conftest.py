from __future__ import annotations

from contextlib import ExitStack, closing

import pytest

from airflow_provider_renderbus.farm import Farm, ManualClock
from tests.farm.raw_client import Caller


@pytest.fixture
def caller(farm):
    return Caller(farm)


@pytest.fixture
def opened(tmp_path):
    """Opens a farm without sockets that follows a scenario, and returns a caller of it."""
    with ExitStack() as ends:

        def opened(storage=tmp_path / "farm", **scenario):
            farm = Farm(storage, ManualClock(), scenario={"pictures": False, **scenario})
            return Caller(ends.enter_context(closing(farm)))

        yield opened
