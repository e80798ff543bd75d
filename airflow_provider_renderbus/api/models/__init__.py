"""What the farm answers, as frozen values."""

from airflow_provider_renderbus.api.models.account import UserProfile
from airflow_provider_renderbus.api.models.frames import Frame
from airflow_provider_renderbus.api.models.outputs import OutputFile
from airflow_provider_renderbus.api.models.page import Page
from airflow_provider_renderbus.api.models.tasks import CreatedTasks, Progress, TaskInfo, TaskOptions

__all__ = [
    "CreatedTasks",
    "Frame",
    "OutputFile",
    "Page",
    "Progress",
    "TaskInfo",
    "TaskOptions",
    "UserProfile",
]
