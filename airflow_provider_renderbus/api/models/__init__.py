"""Models of the farm's responses: frozen dataclasses."""

from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.lazy_exports import lazy_getattr

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.models.account import UserProfile
    from airflow_provider_renderbus.api.models.analysis import ErrorDetail
    from airflow_provider_renderbus.api.models.frames import Frame, LogPage
    from airflow_provider_renderbus.api.models.hardware import HardwareConfig
    from airflow_provider_renderbus.api.models.outputs import OutputFile
    from airflow_provider_renderbus.api.models.page import Page
    from airflow_provider_renderbus.api.models.projects import Project, ProjectList
    from airflow_provider_renderbus.api.models.settings import UserSetting
    from airflow_provider_renderbus.api.models.tasks import CreatedTasks, Progress, TaskInfo, TaskOptions
    from airflow_provider_renderbus.api.models.transfer import (
        EngineAccount,
        EngineLine,
        RaysyncServer,
        RaysyncUserKey,
        ServerInfo,
        SubUserOutput,
        TransferBids,
        TransferConfig,
        TransferEngine,
    )

__all__ = [
    "CreatedTasks",
    "EngineAccount",
    "EngineLine",
    "ErrorDetail",
    "Frame",
    "HardwareConfig",
    "LogPage",
    "OutputFile",
    "Page",
    "Progress",
    "Project",
    "ProjectList",
    "RaysyncServer",
    "RaysyncUserKey",
    "ServerInfo",
    "SubUserOutput",
    "TaskInfo",
    "TaskOptions",
    "TransferBids",
    "TransferConfig",
    "TransferEngine",
    "UserProfile",
    "UserSetting",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(
        __name__,
        __all__,
        "account",
        "analysis",
        "frames",
        "hardware",
        "outputs",
        "page",
        "projects",
        "settings",
        "tasks",
        "transfer",
    )
