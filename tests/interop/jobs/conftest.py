"""The embedded farm, and a customer who logs in to it with the vendor's client."""

from __future__ import annotations

import pytest

from airflow_provider_renderbus.clients.client import Client
from tests.interop.jobs.customer import Customer


@pytest.fixture
def pictures():
    return False


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
