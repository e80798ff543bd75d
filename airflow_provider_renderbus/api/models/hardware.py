"""Machines that a render can use."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_renderbus.api.parsing import (
    list_of,
    optional_field,
    read_bool,
    read_int,
    read_str,
    reader_for,
    required_field,
)

ENABLED = 1


@dataclass(frozen=True, slots=True)
class HardwareConfig:
    """A kind of machine on one platform.

    ``ram`` is "64GB" here and "64" in task.json; ``gpu_num`` is None for CPU machines, else e.g. "2*GPU".
    """

    id: int = required_field("id", read_int)
    platform: int = required_field("platform", read_int)
    model: str | None = optional_field("model", read_str)
    ram: str | None = optional_field("ram", read_str)
    gpu_num: str | None = optional_field("gpuNum", read_str)
    kind: int | None = optional_field("type", read_int)
    current: bool = optional_field("current", read_bool, False)
    not_support_cg_ids: tuple[int, ...] = optional_field("notSupportCgId", list_of(read_int), ())
    status: int | None = optional_field("status", read_int)

    def supports(self, platform: int, cg_id: int) -> bool:
        """Return whether it is enabled, belongs to a platform and can render a software."""
        return self.status == ENABLED and self.platform == platform and cg_id not in self.not_support_cg_ids


read_hardware_config = reader_for(HardwareConfig)
