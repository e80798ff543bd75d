"""The embedded farm, and a customer who logs in to it with the vendor's client."""

from __future__ import annotations

import pytest

from airflow_provider_renderbus.clients.blocking import Client
from airflow_provider_renderbus.farm import Farm, HandClock
from tests.interop.jobs.customer import Customer


@pytest.fixture
def scenario():
    """How the farm is to behave: as usual, where a test says nothing else."""
    return {}


@pytest.fixture
def farm(tmp_path, scenario):
    """A farm whose time stands still until somebody waits for it."""
    with Farm(tmp_path / "farm", HandClock(), scenario={"pictures": False, **scenario}) as running:
        yield running


@pytest.fixture
def customer(vendor, farm):
    """Somebody who has logged in to the farm with the vendor's client."""
    person = Customer(vendor, farm)
    person.log_in()
    return person


@pytest.fixture
def client(settings):
    """One of our own clients at the same farm."""
    with Client(settings) as ours:
        yield ours
