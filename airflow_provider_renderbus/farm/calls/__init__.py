"""The calls of the farm: the function that answers each call, and its paths.

Written from the farm's documents and not from the provider's own calls: each verifies the other.
"""

from __future__ import annotations

from airflow_provider_renderbus.farm.calls import (
    account,
    frames,
    hardware,
    labels,
    software,
    task_control,
    task_info,
    tasks,
    transfer,
)
from airflow_provider_renderbus.farm.calls.context import Call, CallContext, Request

_PATHS: dict[Call, tuple[str, ...]] = {
    account.query_user_profile: ("/api/render/setUp/queryUserProfile",),
    account.query_user_setting: (
        "/api/render/setUp/queryUserSetting",
        "/api/rendering/user/client/queryUserSetting",
    ),
    account.update_user_setting: ("/api/render/setUp/updateUserSetting",),
    account.task_records: ("/api/render/handle/operate/sdk/taskRecord",),
    account.login_records: ("/api/render/handle/operate/sdk/loginRecord",),
    hardware.list_hardware_configs: ("/api/render/hardwareConfig/list",),
    hardware.edit_task_hardware_config: ("/api/render/handle/editTaskHardwareConfig",),
    hardware.query_platforms: ("/api/render/common/queryPlatforms",),
    hardware.get_pack_nodes: ("/api/render/submit/getUserPackNodeInfo",),
    tasks.create_task: ("/api/render/submit/createTask", "/api/render/task/createTask"),
    tasks.upload_task_json: ("/api/render/submit/taskJsonFile",),
    tasks.submit_task: ("/api/render/submit/task", "/api/rendering/task/plugin/pluginSubmitTask"),
    tasks.query_error_detail: ("/api/render/submit/queryAnalyseErrorDetail",),
    task_info.query_task_info: (
        "/api/render/handle/queryTaskInfo/v2",
        "/api/rendering/task/renderingTask/queryTaskInfo",
        "/api/render/handle/queryTaskInfo",
    ),
    task_info.get_task_list: ("/api/render/handle/getTaskList/v2", "/api/render/handle/getTaskList"),
    task_control.stop_task: ("/api/rendering/task/renderingTask/stopTask", "/api/render/handle/stopTask"),
    task_control.start_task: ("/api/rendering/task/renderingTask/startTask", "/api/render/handle/startTask"),
    task_control.abandon_task: ("/api/render/handle/abandonTask",),
    task_control.delete_task: ("/api/render/handle/deleteTask",),
    task_control.full_speed: ("/api/render/handle/fullSpeedRendering",),
    task_control.update_task_limit: ("/api/render/handle/updateTaskLimit",),
    task_control.update_task_user_level: ("/api/rendering/task/renderingTask/updateTaskUserLevel",),
    task_control.set_task_overtime_stop: ("/api/render/handle/setTaskOverTimeStop",),
    task_control.recommit_failed_frames: (
        "/api/render/handle/recommitTasks",
        "/api/rendering/task/renderingTask/recommitFailFrame",
    ),
    task_control.recommit_frames: ("/api/render/handle/recommitTaskFrames",),
    task_control.stop_frames: ("/api/render/handle/stopTaskFrames",),
    frames.query_task_frames: ("/api/render/handle/queryTaskFrames",),
    frames.query_all_frame_stats: ("/api/render/handle/queryAllFrameStats",),
    frames.show_log: ("/api/render/handle/showLog",),
    frames.load_frame_thumbnail: ("/api/render/handle/loadingFrameThumbnail",),
    frames.load_task_process_img: ("/api/render/handle/loadTaskProcessImg",),
    labels.add_project: ("/api/render/project/add",),
    labels.delete_project: ("/api/render/project/delete",),
    labels.get_project_list: ("/api/render/project/getList",),
    labels.list_projects: ("/api/render/project/list",),
    labels.add_task_label: ("/api/render/handle/addTaskLabel",),
    labels.delete_task_label: (
        "/api/render/handle/deleteTaskLabel",
        "/api/render/task/deleteTaskLabel",
    ),
    software.query_software_list: ("/api/render/plugin/querySoftwareList",),
    software.query_software_detail: ("/api/render/plugin/querySoftwareDetail",),
    software.add_render_env: ("/api/render/plugin/addUserPluginConfig",),
    software.edit_render_env: ("/api/render/plugin/editUserPluginConfig",),
    software.delete_render_env: ("/api/render/plugin/deleteUserPluginConfig",),
    software.set_default_render_env: ("/api/render/plugin/setDefaultUserPluginConfig",),
    software.get_render_env: ("/api/render/plugin/getUserPluginConfig",),
    transfer.get_transfer_bid: (
        "/api/render/transfer/getBid",
        "/api/rendering/task/plugin/getPluginTransferBid",
    ),
    transfer.get_transfer_config: ("/api/render/transfer/getConfig",),
    transfer.get_server_info: ("/api/render/transfer/getServerInfo",),
    transfer.get_raysync_user_key: (
        "/api/render/transfer/getRaySyncUserKey",
        "/api/render/user/getRaySyncUserKey",
    ),
    transfer.get_output_files: ("/api/render/file/operate/getOutputUserDirFile",),
}
ROUTES: dict[str, Call] = {path: call for call, paths in _PATHS.items() for path in paths}
"""Path to function. The function has the name of the call."""

__all__ = ["ROUTES", "Call", "CallContext", "Request"]
