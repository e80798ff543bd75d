"""The report of a run: what its renders cost, and why those that failed did."""

from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.lazy_exports import lazy_getattr

if TYPE_CHECKING:
    from airflow_provider_renderbus.reports.build import Report, report
    from airflow_provider_renderbus.reports.collect import collect_results


__all__ = ["Report", "collect_results", "report"]

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, __all__, "build", "collect")
