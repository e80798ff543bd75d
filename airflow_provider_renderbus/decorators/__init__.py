"""The TaskFlow decorator ``@task.renderbus``."""

from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.lazy_exports import lazy_getattr

if TYPE_CHECKING:
    from airflow_provider_renderbus.decorators.renderbus import renderbus_task

__all__ = ["renderbus_task"]

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, __all__, "renderbus")
