"""The files that describe a render: built, read, validated and completed."""

from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.lazy_exports import lazy_getattr

if TYPE_CHECKING:
    from airflow_provider_renderbus.task_json.builder import build_task_json

__all__ = ["build_task_json"]

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, __all__, "builder")
