"""The line of Airflow that the tests run on, and where lines differ: which names moved, what an older line lacks.

It is stated here and nowhere else.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version

import pytest

LINE = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
"""Major and minor version."""

dag_bag = importlib.import_module("airflow.dag_processing.dagbag" if LINE >= (3, 2) else "airflow.models.dagbag")


def schedule_of(dag):
    return dag.schedule if LINE >= (3, 0) else dag.schedule_interval


def connection_types():
    """Return the connection types that Airflow knows, with their hooks."""
    if LINE >= (3, 2):
        from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

        return ProvidersManagerTaskRuntime().hooks
    from airflow.providers_manager import ProvidersManager

    return ProvidersManager().hooks


def as_on_this_line(snippet):
    """Return a snippet of the README with the changes that it tells for this line."""
    if LINE >= (3, 0):
        return snippet
    return snippet.replace("from airflow.sdk import", "from airflow.decorators import").replace(
        "@dag(", "@dag(start_date=__import__('datetime').datetime(2026, 1, 1), "
    )


WARNINGS = () if LINE >= (3, 3) else ("ignore", "error:::airflow_provider_renderbus")
"""Filters beside those of pyproject.toml: older lines warn of themselves and of what they are made with."""

form_is_made_of_provider_info = pytest.mark.skipif(
    LINE < (3, 2), reason="before 3.2 Airflow makes the connection form with methods of the hook"
)
form_is_made_with_the_hook = pytest.mark.skipif(
    LINE >= (3, 2), reason="from 3.2 on Airflow makes the connection form of the provider's information"
)
reschedules_without_a_database = pytest.mark.skipif(
    LINE < (3, 0), reason="before 3.0 a sensor that is rescheduled asks the database for its first start"
)
