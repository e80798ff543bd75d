"""Machines that a render can ask for."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_renderbus.api.parsing import each, flag, integer, optional, reader, required, text

ENABLED = 1


@dataclass(frozen=True, slots=True)
class HardwareConfig:
    """A kind of machine on one platform.

    ``ram`` reads "64GB" here and "64" in task.json; ``gpu_num`` is None on CPU and reads "2*GPU" on GPU.
    """

    id: int = required("id", integer)
    platform: int = required("platform", integer)
    model: str | None = optional("model", text)
    ram: str | None = optional("ram", text)
    gpu_num: str | None = optional("gpuNum", text)
    kind: int | None = optional("type", integer)
    current: bool = optional("current", flag, False)
    not_support_cg_ids: tuple[int, ...] = optional("notSupportCgId", each(integer), ())
    status: int | None = optional("status", integer)

    def takes(self, platform: int, cg_id: int) -> bool:
        """Whether it is enabled, stands on a platform and can render a software.

        :param platform: the platform's number.
        :param cg_id: the software's number.
        """
        return self.status == ENABLED and self.platform == platform and cg_id not in self.not_support_cg_ids


read_hardware_config = reader(HardwareConfig)
