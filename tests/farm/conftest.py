from __future__ import annotations

from contextlib import ExitStack, closing

import pytest

from airflow_provider_renderbus.farm import ManualClock
from dev.harness.embedded_farm import StockedFarm
from tests.farm.raw_client import RawClient


@pytest.fixture
def client(farm):
    return RawClient(farm)


@pytest.fixture
def open_client(tmp_path):
    """Opens a farm without sockets with a scenario, and returns its client."""
    with ExitStack() as stack:

        def open_client(storage=tmp_path / "farm", **scenario):
            farm = StockedFarm(storage, ManualClock(), scenario={"pictures": False, **scenario})
            return RawClient(stack.enter_context(closing(farm)))

        yield open_client
