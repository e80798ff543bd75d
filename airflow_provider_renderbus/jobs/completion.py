"""Completing a task.json before it is uploaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.call import without_none
from airflow_provider_renderbus.jobs.loading import load
from airflow_provider_renderbus.jobs.words import kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_renderbus.api.models.hardware import HardwareConfig


def filled_in(
    task_json: Mapping[str, Any] | str,
    *,
    task_id: int,
    user_id: int,
    platform: int | str,
    project_id: int | None = None,
    project_name: str | None = None,
    hardware: Sequence[HardwareConfig] = (),
) -> str:
    """Return a task.json as text, with what only the farm and the connection know.

    :param task_json: the file: a mapping, JSON text or a path that ends in ``.json``.
    :param task_id: number of the created task.
    :param user_id: number of the account's user.
    :param platform: number of the render platform.
    :param project_id: number of the project on the farm; left as it is where it is left out.
    :param project_name: the project's name, likewise.
    :param hardware: the machines to render on, all of one kind: ``hardwareConfigIds``, ``ram``
        and ``graphics_cards_num``, likewise.
    :raises ValueError: it is no JSON object, or has no object `task_info`.
    """
    described = load("task_json", task_json)
    info = described.get("task_info")
    if not isinstance(info, dict):
        there = "none" if info is None else kind(info)
        raise ValueError(f"task_json: an object task_info is wanted in it, there is {there}")
    # Every value in task_info is text on the farm, numbers too.
    info |= {"task_id": str(task_id), "user_id": str(user_id), "platform": str(platform)}
    info |= without_none(
        project_id=None if project_id is None else str(project_id),
        project_name=project_name,
    )
    if hardware:
        info.pop("hardwareConfigId", None)  # the field's name in older files
        info |= _machines(hardware)
    return json.dumps(described, ensure_ascii=False)


def _machines(hardware: Sequence[HardwareConfig]) -> dict[str, Any]:
    """Return the fields of machines. Their list says "64GB" and "2*GPU", task.json "64" and "2"."""
    ram, gpus = hardware[0].ram, hardware[0].gpu_num
    return without_none(
        hardwareConfigIds=[str(each.id) for each in hardware],
        ram=ram and ram.upper().removesuffix("GB"),
        graphics_cards_num=gpus and gpus.partition("*")[0],
    )
