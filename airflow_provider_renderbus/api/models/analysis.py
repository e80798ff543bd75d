"""What an analysis of a scene can find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.parsing import flag, integer, moment, optional, reader, required, text

if TYPE_CHECKING:
    from datetime import datetime

ERROR = 1


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """A code of tips.json: what was found, and what to do about it (documented in Chinese only)."""

    code: str = required("code", text)
    id: int | None = optional("id", integer)
    kind: int | None = optional("type", integer)
    language_flag: int | None = optional("languageFlag", integer)
    description: str | None = optional("desDescriptionCn", text)
    solution: str | None = optional("desSolutionCn", text)
    solution_path: str | None = optional("solutionPath", text)
    is_repair: bool | None = optional("isRepair", flag)
    is_delete: int | None = optional("isDelete", integer)
    is_open: bool | None = optional("isOpen", flag)
    last_modify_admin: str | None = optional("lastModifyAdmin", text)
    updated_at: datetime | None = optional("updateTime", moment)

    @property
    def stops_the_job(self) -> bool:
        """Whether it is an error, and one that the farm enforces."""
        return self.kind == ERROR and self.is_open is not False


read_error_detail = reader(ErrorDetail)
