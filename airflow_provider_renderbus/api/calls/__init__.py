"""The farm's calls, one function each, named as in the vendor's client where it has them."""

from airflow_provider_renderbus.api.calls.account import query_user_profile
from airflow_provider_renderbus.api.calls.frames import query_task_frames
from airflow_provider_renderbus.api.calls.tasks import create_task, query_task_info, stop_task, submit_task
from airflow_provider_renderbus.api.calls.transfer import get_output_files, upload_task_json

__all__ = [
    "create_task",
    "get_output_files",
    "query_task_frames",
    "query_task_info",
    "query_user_profile",
    "stop_task",
    "submit_task",
    "upload_task_json",
]
