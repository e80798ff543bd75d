"""The calls of the farm: which path is served by which function.

Written from the farm's documents, not from the product's own calls, so that each checks the other.
"""

from __future__ import annotations

from airflow_provider_renderbus.farm.calls import account, frames, tasks, transfer
from airflow_provider_renderbus.farm.calls.desk import Call, Desk, Request

ROUTES: dict[str, Call] = {
    "/api/render/setUp/queryUserProfile": account.query_user_profile,
    "/api/render/submit/createTask": tasks.create_task,
    "/api/render/task/createTask": tasks.create_task,
    "/api/render/submit/taskJsonFile": tasks.upload_task_json,
    "/api/render/submit/task": tasks.submit_task,
    "/api/rendering/task/plugin/pluginSubmitTask": tasks.submit_task,
    "/api/rendering/task/renderingTask/stopTask": tasks.stop_task,
    "/api/render/handle/stopTask": tasks.stop_task,
    "/api/render/handle/queryTaskInfo/v2": tasks.query_task_info,
    "/api/rendering/task/renderingTask/queryTaskInfo": tasks.query_task_info,
    "/api/render/handle/queryTaskInfo": tasks.query_task_info,
    "/api/render/handle/queryTaskFrames": frames.query_task_frames,
    "/api/render/transfer/getBid": transfer.get_transfer_bid,
    "/api/rendering/task/plugin/getPluginTransferBid": transfer.get_transfer_bid,
    "/api/render/file/operate/getOutputUserDirFile": transfer.get_output_files,
}

__all__ = ["ROUTES", "Call", "Desk", "Request"]
