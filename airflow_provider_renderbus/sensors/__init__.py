"""Sensors that wait for states of renders, frames, output files and funds."""

from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.lazy_exports import lazy_getattr

if TYPE_CHECKING:
    from airflow_provider_renderbus.sensors.conditions import (
        RenderbusFramesSensor,
        RenderbusFundsSensor,
        RenderbusOutputSensor,
    )
    from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor

__all__ = [
    "RenderbusFramesSensor",
    "RenderbusFundsSensor",
    "RenderbusOutputSensor",
    "RenderbusTaskSensor",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, __all__, "tasks", "conditions")
