"""Files in the account's output storage."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_renderbus.api.parsing import (
    optional_field,
    read_bool,
    read_count,
    read_non_empty_str,
    read_str,
    reader_for,
    required_field,
)


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file or a folder in the account's output storage.

    ``path`` is relative to the storage's root and begins with a slash. ``modified`` carries no time zone.
    """

    name: str = required_field("fileName", read_str)
    path: str = required_field("filePath", read_non_empty_str)
    is_directory: bool = required_field("directory", read_bool)
    size: int | None = optional_field("fileSize", read_count)
    file_type: str | None = optional_field("fileType", read_str)
    modified: str | None = optional_field("lastModify", read_str)
    in_arrears: bool = optional_field("isArrears", read_bool, False)
    icon_path: str | None = optional_field("iconPath", read_str)


read_output_file = reader_for(OutputFile)
