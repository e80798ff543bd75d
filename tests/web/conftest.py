from __future__ import annotations

import pytest

from airflow_provider_renderbus.web.farm_view import FarmView
from dev.harness.embedded_farm import settings_of
from tests.farm.raw_client import RawClient


class Time:
    """A clock that tests advance."""

    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def pictures():
    return True


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def client(farm):
    return RawClient(farm)


@pytest.fixture
async def view(farm, time):
    """What is seen of the farm, with a look each ten seconds."""
    view = FarmView(lambda: settings_of(farm.connection()), 10.0, time)
    yield view
    await view.close()
