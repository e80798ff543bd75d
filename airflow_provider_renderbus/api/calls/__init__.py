"""Calls of the farm's API, one function each, with the names of the vendor's client if it has them.

Each function raises a `ValueError` that names the argument if an argument is invalid.
"""

from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.lazy_exports import lazy_getattr

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.calls.account import (
        get_pack_nodes,
        list_hardware_configs,
        login_records,
        query_platforms,
        query_user_profile,
        query_user_setting,
        task_records,
        update_user_setting,
    )
    from airflow_provider_renderbus.api.calls.frames import (
        load_frame_thumbnail,
        load_task_process_img,
        query_all_frame_stats,
        query_task_frames,
        recommit_failed_frames,
        recommit_frames,
        show_log,
        stop_frames,
    )
    from airflow_provider_renderbus.api.calls.labels import (
        add_project,
        add_task_label,
        delete_project,
        delete_task_label,
        get_project_list,
        list_projects,
    )
    from airflow_provider_renderbus.api.calls.software import (
        add_render_env,
        delete_render_env,
        edit_render_env,
        get_render_env,
        query_software_detail,
        query_software_list,
        set_default_render_env,
    )
    from airflow_provider_renderbus.api.calls.tasks import (
        abandon_task,
        create_task,
        delete_task,
        edit_task_hardware_config,
        full_speed,
        get_task_list,
        query_error_detail,
        query_task_info,
        set_task_overtime_stop,
        start_task,
        stop_task,
        submit_task,
        update_task_limit,
        update_task_user_level,
    )
    from airflow_provider_renderbus.api.calls.transfer import (
        get_output_files,
        get_raysync_user_key,
        get_server_info,
        get_transfer_bid,
        get_transfer_config,
        upload_task_json,
    )

__all__ = [
    "abandon_task",
    "add_project",
    "add_render_env",
    "add_task_label",
    "create_task",
    "delete_project",
    "delete_render_env",
    "delete_task",
    "delete_task_label",
    "edit_render_env",
    "edit_task_hardware_config",
    "full_speed",
    "get_output_files",
    "get_pack_nodes",
    "get_project_list",
    "get_raysync_user_key",
    "get_render_env",
    "get_server_info",
    "get_task_list",
    "get_transfer_bid",
    "get_transfer_config",
    "list_hardware_configs",
    "list_projects",
    "load_frame_thumbnail",
    "load_task_process_img",
    "login_records",
    "query_all_frame_stats",
    "query_error_detail",
    "query_platforms",
    "query_software_detail",
    "query_software_list",
    "query_task_frames",
    "query_task_info",
    "query_user_profile",
    "query_user_setting",
    "recommit_failed_frames",
    "recommit_frames",
    "set_default_render_env",
    "set_task_overtime_stop",
    "show_log",
    "start_task",
    "stop_frames",
    "stop_task",
    "submit_task",
    "task_records",
    "update_task_limit",
    "update_task_user_level",
    "update_user_setting",
    "upload_task_json",
]

if not TYPE_CHECKING:
    # What a render needs comes first: its task imports no other calls.
    __getattr__ = lazy_getattr(
        __name__, __all__, "tasks", "account", "frames", "labels", "software", "transfer"
    )
