"""Calls about the farm's machines."""

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
    # id, type, model, ram, GPU cards, platforms, software that it cannot render
    (301, CPU, "Default", "64GB", None, (2, 62), []),
    (303, CPU, "Default", "128GB", None, (2, 62), []),
    (337, GPU, "1080Ti", "64GB", "1*GPU", (21,), [KEYSHOT]),
    (339, GPU, "2080Ti", "64GB", "2*GPU", (21,), []),
    (341, GPU, "2080Ti", "128GB", "2*GPU", (21,), []),
)


def list_hardware_configs(desk: CallContext, request: Request) -> list[dict[str, Any]]:
    """Tell the hardware that can be chosen. Tasks are named as texts; what they have is marked."""
    request.one_of("cloneTask", "false", "true")
    chosen = set()
    for number in request.strings("taskIds", []):
        if not number.isdecimal():
            raise ApiRefusal(ILLEGAL_PARAMETER, field="taskIds", expected="task numbers as texts")
        chosen.update(desk.task(int(number)).hardware_ids.split(","))
    return [
        {
            "id": number,
            "type": kind,
            "model": model,
            "gpuNum": cards,
            "ram": ram,
            "platform": platform,
            "current": str(number) in chosen,
            "notSupportCgId": lacking,
            "status": 1,
            # No document has the next three; the vendor's client reads them.
            "notSupportCode": [],
            "notSupportCgVersions": [],
            "notSupportPluginList": [],
        }
        for number, kind, model, ram, cards, platforms, lacking in CONFIGS
        for platform in platforms
    ]


def edit_task_hardware_config(desk: CallContext, request: Request) -> None:
    """Choose other hardware for tasks."""
    tasks = desk.tasks(request)
    ids = request.strings("hardwareConfigIds")
    for name in ("model", "gpuNum", "ram"):
        request.string(name)
    if not ids or not {str(config[0]) for config in CONFIGS}.issuperset(ids):
        raise ApiRefusal(
            ILLEGAL_PARAMETER, field="hardwareConfigIds", expected="ids of list_hardware_configs as texts"
        )
    for task in tasks:
        for each in desk.simulation.with_leaves(task):
            each.hardware_ids = ",".join(ids)
            desk.simulation.mark_dirty(each)


def query_platforms(_desk: CallContext, request: Request) -> list[dict[str, Any]]:
    """Tell the platforms of a zone; both zones have the same ones here."""
    request.integer("zone", maximum=2)
    return [
        {"platform": platform, "name": name, "type": kind, "status": 1, "taskPrefix": prefix, "isShow": 1}
        for platform, name, kind, prefix in PLATFORMS
    ]


def get_pack_nodes(_desk: CallContext, _request: Request) -> list[dict[str, Any]]:
    """Tell the machines reserved for the customer: one group."""
    return [{"packNodeId": 1, "packName": "night"}]
