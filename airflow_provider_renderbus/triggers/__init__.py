"""Triggers that poll a farm in Airflow's triggerer, without a worker."""

from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.lazy_exports import lazy_getattr

if TYPE_CHECKING:
    from airflow_provider_renderbus.triggers.conditions import RenderbusConditionTrigger
    from airflow_provider_renderbus.triggers.tasks import RenderbusTaskTrigger

__all__ = [
    "RenderbusConditionTrigger",
    "RenderbusTaskTrigger",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, __all__, "tasks", "conditions")
