"""The hook: from an Airflow connection to a client of the farm."""

from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.lazy_exports import lazy_getattr

if TYPE_CHECKING:
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook

__all__ = [
    "RenderbusHook",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, __all__, "renderbus")
