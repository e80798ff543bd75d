"""Fixtures: the embedded farm, and a customer who uses it through the vendor's client."""

from __future__ import annotations

import pytest

from airflow_provider_renderbus.clients.client import Client
from tests.interop.jobs.customer import Customer


@pytest.fixture
def customer(vendor, farm):
    """A customer who is logged in to the farm."""
    customer = Customer(vendor, farm)
    customer.log_in()
    return customer


@pytest.fixture
def client(settings):
    """Our own client for the same farm."""
    with Client(settings) as client:
        yield client
