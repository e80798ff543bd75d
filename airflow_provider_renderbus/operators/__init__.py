"""Operators that make a farm render: submit, control, upload, download."""

from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.lazy_exports import lazy_getattr

if TYPE_CHECKING:
    from airflow_provider_renderbus.operators.approval import RenderbusApproveFramesOperator
    from airflow_provider_renderbus.operators.download_frames import RenderbusDownloadFramesOperator
    from airflow_provider_renderbus.operators.leftovers import RenderbusStopLeftoversOperator
    from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
    from airflow_provider_renderbus.operators.task_actions import (
        RenderbusAbandonTaskOperator,
        RenderbusDeleteTaskOperator,
        RenderbusFullSpeedOperator,
        RenderbusRecommitFramesOperator,
        RenderbusSetMachineLimitOperator,
        RenderbusSetPriorityOperator,
        RenderbusStartTaskOperator,
        RenderbusStopFramesOperator,
        RenderbusStopTaskOperator,
    )
    from airflow_provider_renderbus.operators.tasks import (
        RenderbusCreateTaskOperator,
        RenderbusPreflightOperator,
        RenderbusSubmitTaskOperator,
        RenderbusUploadTaskJsonOperator,
    )
    from airflow_provider_renderbus.operators.transfers import (
        RenderbusListOutputsOperator,
        RenderbusUploadAssetsOperator,
    )

__all__ = [
    "RenderbusAbandonTaskOperator",
    "RenderbusApproveFramesOperator",
    "RenderbusCreateTaskOperator",
    "RenderbusDeleteTaskOperator",
    "RenderbusDownloadFramesOperator",
    "RenderbusFullSpeedOperator",
    "RenderbusListOutputsOperator",
    "RenderbusPreflightOperator",
    "RenderbusRecommitFramesOperator",
    "RenderbusRenderOperator",
    "RenderbusSetMachineLimitOperator",
    "RenderbusSetPriorityOperator",
    "RenderbusStartTaskOperator",
    "RenderbusStopFramesOperator",
    "RenderbusStopLeftoversOperator",
    "RenderbusStopTaskOperator",
    "RenderbusSubmitTaskOperator",
    "RenderbusUploadAssetsOperator",
    "RenderbusUploadTaskJsonOperator",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(
        __name__,
        __all__,
        "render",
        "tasks",
        "transfers",
        "download_frames",
        "task_actions",
        "leftovers",
        "approval",
    )
