"""Calls on the farm's machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.server.envelope import ILLEGAL_PARAMETER, ApiRefusal

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.calls.context import CallContext, Request

KEYSHOT = 2012
CPU, GPU = 1, 2
PLATFORMS = (
    # platform, name, type (0 GPU, 1 CPU), prefix of aliases
    (2, "W2", 1, "2W"),
    (21, "GPU", 0, "21W"),
    (62, "W3", 1, "62W"),
)
CONFIGS: tuple[tuple[int, int, str, str, str | None, tuple[int, ...], list[int]], ...] = (
    # id, type, model, RAM, GPUs, platforms, ids of unsupported software
    (301, CPU, "Default", "64GB", None, (2, 62), []),
    (303, CPU, "Default", "128GB", None, (2, 62), []),
    (337, GPU, "1080Ti", "64GB", "1*GPU", (21,), [KEYSHOT]),
    (339, GPU, "2080Ti", "64GB", "2*GPU", (21,), []),
    (341, GPU, "2080Ti", "128GB", "2*GPU", (21,), []),
)


def list_hardware_configs(ctx: CallContext, request: Request) -> list[dict[str, Any]]:
    """Return the available hardware, that of the tasks in ``taskIds`` (strings) marked as current."""
    request.one_of("cloneTask", "false", "true")
    current = set()
    for task_id in request.strings("taskIds", []):
        if not task_id.isdecimal():
            raise ApiRefusal(ILLEGAL_PARAMETER, field="taskIds", expected="task ids as strings")
        current.update(ctx.task(int(task_id)).hardware_ids.split(","))
    return [
        {
            "id": config_id,
            "type": machine_type,
            "model": model,
            "gpuNum": gpus,
            "ram": ram,
            "platform": platform,
            "current": str(config_id) in current,
            "notSupportCgId": unsupported,
            "status": 1,
            # No document has the next three; the vendor's client reads them.
            "notSupportCode": [],
            "notSupportCgVersions": [],
            "notSupportPluginList": [],
        }
        for config_id, machine_type, model, ram, gpus, platforms, unsupported in CONFIGS
        for platform in platforms
    ]


def edit_task_hardware_config(ctx: CallContext, request: Request) -> None:
    """Set the hardware of tasks."""
    tasks = ctx.tasks(request)
    ids = request.strings("hardwareConfigIds")
    for name in ("model", "gpuNum", "ram"):
        request.string(name)
    if not ids or not {str(config[0]) for config in CONFIGS}.issuperset(ids):
        raise ApiRefusal(
            ILLEGAL_PARAMETER, field="hardwareConfigIds", expected="ids of list_hardware_configs as strings"
        )
    for task in tasks:
        for each in ctx.simulation.with_leaves(task):
            each.hardware_ids = ",".join(ids)
            ctx.simulation.mark_dirty(each)


def query_platforms(_ctx: CallContext, request: Request) -> list[dict[str, Any]]:
    """Return the platforms of a zone; both zones have the same."""
    request.integer("zone", maximum=2)
    return [
        {
            "platform": platform,
            "name": name,
            "type": machine_type,
            "status": 1,
            "taskPrefix": prefix,
            "isShow": 1,
        }
        for platform, name, machine_type, prefix in PLATFORMS
    ]


def get_pack_nodes(_ctx: CallContext, _request: Request) -> list[dict[str, Any]]:
    """Return the machines that are reserved for the customer: one group."""
    return [{"packNodeId": 1, "packName": "night"}]
