"""Every public class, imported as a DAG author imports it. mypy checks this file strictly (`make types`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_renderbus.hooks import RenderbusHook
from airflow_provider_renderbus.operators import (
    RenderbusAbandonTaskOperator,
    RenderbusCreateTaskOperator,
    RenderbusDeleteTaskOperator,
    RenderbusDownloadFramesOperator,
    RenderbusFullSpeedOperator,
    RenderbusListOutputsOperator,
    RenderbusPreflightOperator,
    RenderbusRecommitFramesOperator,
    RenderbusRenderOperator,
    RenderbusSetMachineLimitOperator,
    RenderbusSetPriorityOperator,
    RenderbusStartTaskOperator,
    RenderbusStopFramesOperator,
    RenderbusStopLeftoversOperator,
    RenderbusStopTaskOperator,
    RenderbusSubmitTaskOperator,
    RenderbusUploadAssetsOperator,
    RenderbusUploadTaskJsonOperator,
)
from airflow_provider_renderbus.sensors import (
    RenderbusFramesSensor,
    RenderbusFundsSensor,
    RenderbusOutputSensor,
    RenderbusTaskSensor,
)
from airflow_provider_renderbus.triggers import RenderbusConditionTrigger, RenderbusTaskTrigger
from tests.airflow_version import HAS_APPROVAL

if TYPE_CHECKING:
    from airflow_provider_renderbus.operators.base import RenderbusOperator
    from airflow_provider_renderbus.sensors.base import RenderbusSensor
    from airflow_provider_renderbus.triggers.base import RenderbusTrigger

HOOKS: set[type[RenderbusHook]] = {RenderbusHook}
OPERATORS: set[type[RenderbusOperator]] = {
    RenderbusAbandonTaskOperator,
    RenderbusCreateTaskOperator,
    RenderbusDeleteTaskOperator,
    RenderbusDownloadFramesOperator,
    RenderbusFullSpeedOperator,
    RenderbusListOutputsOperator,
    RenderbusPreflightOperator,
    RenderbusRecommitFramesOperator,
    RenderbusRenderOperator,
    RenderbusSetPriorityOperator,
    RenderbusSetMachineLimitOperator,
    RenderbusStartTaskOperator,
    RenderbusStopFramesOperator,
    RenderbusStopLeftoversOperator,
    RenderbusStopTaskOperator,
    RenderbusSubmitTaskOperator,
    RenderbusUploadAssetsOperator,
    RenderbusUploadTaskJsonOperator,
}
if TYPE_CHECKING or HAS_APPROVAL:
    from airflow_provider_renderbus.operators import RenderbusApproveFramesOperator

    OPERATORS.add(RenderbusApproveFramesOperator)
SENSORS: set[type[RenderbusSensor]] = {
    RenderbusFramesSensor,
    RenderbusFundsSensor,
    RenderbusOutputSensor,
    RenderbusTaskSensor,
}
TRIGGERS: set[type[RenderbusTrigger]] = {RenderbusConditionTrigger, RenderbusTaskTrigger}
