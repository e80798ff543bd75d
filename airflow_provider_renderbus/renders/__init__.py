"""The life of a render: submit, reattach, restart, recommit, stop, and what its end means. No Airflow."""

from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.lazy_exports import lazy_getattr

if TYPE_CHECKING:
    from airflow_provider_renderbus.renders.budget import allot

__all__ = ["allot"]

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, __all__, "budget")
