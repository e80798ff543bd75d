"""Files in the account's output storage."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_renderbus.api.parsing import flag, integer, optional, reader, required, text


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file or a folder in the account's output storage.

    ``path`` is relative to the storage's root and begins with a slash. ``modified`` carries no time zone.
    """

    name: str = required("fileName", text)
    path: str = required("filePath", text)
    is_directory: bool = required("directory", flag)
    size: int | None = optional("fileSize", integer)
    file_type: str | None = optional("fileType", text)
    modified: str | None = optional("lastModify", text)
    in_arrears: bool = optional("isArrears", flag, False)
    icon_path: str | None = optional("iconPath", text)


read_output_file = reader(OutputFile)
