"""Records the files of a folder whose file system does not keep the time of the farm's listing.

Without it, such a file looks like an old one, and each retry would download it again.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TypeAlias

from airflow_provider_renderbus.transfer.folder import STAGING_PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_renderbus.transfer.folder import FileStat, SafeFolder

RecordedTimes: TypeAlias = "tuple[float | None, float | None]"
"""The listed time and the time on the disk, in seconds since 1970."""
UNSET_TIMES_NAME = f"{STAGING_PREFIX}times"
"""Name of the file with the record, in the folder of the download."""


@dataclass(slots=True)
class UnsetTimes:
    """Listed and local times of files, by their paths in the folder."""

    _files: dict[str, RecordedTimes] = field(default_factory=dict)
    _is_changed: bool = False

    @classmethod
    def load(cls, folder: SafeFolder) -> Self:
        """Read the record of a folder; one that cannot be read is empty."""
        try:
            stored = json.loads(folder.read_text(UNSET_TIMES_NAME))
            return cls({name: (listed, local) for name, (listed, local) in stored.items()})
        except (OSError, ValueError, TypeError, AttributeError):
            return cls()

    def recorded(self, name: str) -> RecordedTimes | None:
        """Return the recorded times of a file."""
        return self._files.get(name) if self._files else None

    def record(self, name: str, listed: FileStat, local: FileStat | None) -> None:
        """Record the times of a file that was downloaded."""
        self._files[name] = listed.modified, local and local.modified
        self._is_changed = True

    def discard(self, name: str) -> None:
        """Remove a file that has its listed time."""
        if name in self._files:
            del self._files[name]
            self._is_changed = True

    def save(self, folder: SafeFolder, staging: Path) -> None:
        """Write the record to the folder if it has changed.

        :param staging: a folder of the same file system, where the file gets its content.
        """
        if not self._is_changed:
            return
        new = staging / UNSET_TIMES_NAME
        try:
            new.write_text(json.dumps(self._files), "utf-8")
            os.replace(new, folder.path / UNSET_TIMES_NAME)  # noqa: PTH105 - both are in open folders
        except OSError:
            return  # the files are downloaded again
