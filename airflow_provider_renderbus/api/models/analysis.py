"""Findings of an analysis of a scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.parsing import (
    optional_field,
    read_bool,
    read_int,
    read_str,
    read_timestamp_ms,
    reader_for,
    required_field,
)

if TYPE_CHECKING:
    from datetime import datetime

ERROR = 1


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """A code of tips.json: the finding and its solution (documented in Chinese only)."""

    code: str = required_field("code", read_str)
    id: int | None = optional_field("id", read_int)
    kind: int | None = optional_field("type", read_int)
    language_flag: int | None = optional_field("languageFlag", read_int)
    description: str | None = optional_field("desDescriptionCn", read_str)
    solution: str | None = optional_field("desSolutionCn", read_str)
    solution_path: str | None = optional_field("solutionPath", read_str)
    is_repair: bool | None = optional_field("isRepair", read_bool)
    is_delete: int | None = optional_field("isDelete", read_int)
    is_open: bool | None = optional_field("isOpen", read_bool)
    last_modify_admin: str | None = optional_field("lastModifyAdmin", read_str)
    updated_at: datetime | None = optional_field("updateTime", read_timestamp_ms)

    @property
    def is_blocking(self) -> bool:
        """Whether it is an error that the farm enforces: it refuses the job."""
        return self.kind == ERROR and self.is_open is not False


read_error_detail = reader_for(ErrorDetail)
