"""Downloads frames: each file in the target folder is complete."""

from __future__ import annotations

import fnmatch
import functools
import logging
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_renderbus.transfer.command import MAX_SPEED_KB_PER_S, TransferArguments
from airflow_provider_renderbus.transfer.errors import TransferIncomplete, join_limited
from airflow_provider_renderbus.transfer.folder import FileStat, SafeFolder, split_path, staging_folder
from airflow_provider_renderbus.transfer.progress import TransferProgress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from airflow_provider_renderbus.api.models.transfer import OutputFile
    from airflow_provider_renderbus.transfer.command import TransferKind
    from airflow_provider_renderbus.transfer.endpoints import StorageEndpoint
    from airflow_provider_renderbus.transfer.folder import Parts
    from airflow_provider_renderbus.transfer.process import TransferRunner

log = logging.getLogger(__name__)


class RemoteFile(NamedTuple):
    """A file of the storage: its path without a leading slash, the names in it, its listed size and time."""

    path: str
    parts: Parts
    stat: FileStat


class DownloadResult(NamedTuple):
    """How many files are in the folder now, their bytes, and how many were complete before the download."""

    files: int
    size: int
    already_present: int


def select_files(listing: Iterable[OutputFile], pattern: str) -> list[RemoteFile]:
    """Return the files of a listing whose paths match a pattern of :mod:`fnmatch`: ``*`` matches slashes too.

    :raises InvalidFiles: a listed name leads out of the folder or is not a file name.
    """
    return [
        RemoteFile(
            "/".join(parts := split_path(file.path)), parts, FileStat(file.size, _parse_time(file.modified))
        )
        for file in listing
        if not file.is_directory and fnmatch.fnmatchcase(file.path, pattern)
    ]


def download(
    runner: TransferRunner,
    endpoint: StorageEndpoint,
    files: Sequence[RemoteFile],
    folder: Path,
    *,
    storage_folder: str | None = None,
    speed_limit_kb_per_s: int = MAX_SPEED_KB_PER_S,
) -> DownloadResult:
    """Download files to a folder, with the paths that they have in the storage.

    They are downloaded to a staging folder in it, and each is moved to its final path as soon as it is
    complete: the command reports it as done, and it has the listed size. A file that exists with the listed
    size and time is not downloaded again.

    :param folder: the target folder; created if missing.
    :param storage_folder: the folder in the storage that has exactly these files, if there is one.
    :raises TransferError: not all files were downloaded; those that are complete stay.
    """
    with SafeFolder(folder) as target:
        # Checked once per folder: none of them exists before the first download.
        has_folder = functools.cache(target.has_folder)
        missing = [
            file
            for file in files
            if not (has_folder(file.parts[:-1]) and _is_current(target.stat(file.parts), file.stat))
        ]
        size = sum(file.stat.size or 0 for file in files)
        if missing:
            _check_disk_space(folder, missing)
            log.info(
                "Downloading %s of %s files of %s to %s",
                f"{len(missing):,}",
                f"{len(files):,}",
                files[0].parts[0],
                folder,
            )
            with staging_folder(folder) as (staging, list_path):
                publisher = _Publisher({f"/{file.path}": file for file in missing}, staging, target)
                kind: TransferKind
                if storage_folder is not None and len(missing) == len(files):
                    kind, remote = "download_path", storage_folder
                else:
                    kind, remote = "download_list", str(list_path)
                    list_path.write_text("".join(f"{file.path}\n" for file in missing), "utf-8")
                arguments = TransferArguments(
                    kind, endpoint, staging.path, remote, speed_limit_kb_per_s=speed_limit_kb_per_s
                )
                runner.run(arguments, TransferProgress(publisher.sizes(), publisher.publish))
                publisher.publish_all()
    return DownloadResult(len(files), size, len(files) - len(missing))


@dataclass(frozen=True, slots=True)
class _Publisher:
    """Moves complete files from the staging folder to their final paths.

    Files are known by the paths in the output of the command.
    """

    files: Mapping[str, RemoteFile]
    staging: SafeFolder
    target: SafeFolder
    _published: set[str] = field(default_factory=set)

    def sizes(self) -> dict[str, int]:
        """Return the listed bytes of each file."""
        return {path: file.stat.size or 0 for path, file in self.files.items()}

    def publish(self, path: str) -> str | None:
        """Move a file to its final path, or return why it is not the listed one.

        Must be called after the command is done with the file: one of full size can still have holes.
        """
        if path not in self.files or path in self._published:
            return None
        file = self.files[path]
        staged = self.staging.stat(file.parts)
        if staged is None:
            return f"{file.path}: missing"
        if file.stat.size is not None and staged.size != file.stat.size:
            return f"{file.path}: {staged.size} bytes instead of the listed {file.stat.size}"
        self.target.move_in(self.staging, file.parts, file.stat.modified)
        self._published.add(path)
        return None

    def publish_all(self) -> None:
        """Move all files, because the command has succeeded.

        :raises TransferIncomplete: some are not as listed.
        """
        problems = [problem for path in self.files if (problem := self.publish(path))]
        if problems:
            raise TransferIncomplete(
                f"{len(problems):,} of {len(self.files):,} downloaded files differ from the farm's listing: "
                f"{join_limited(problems)}"
            )


def _is_current(local: FileStat | None, listed: FileStat) -> bool:
    """Return whether a local file is the listed one: a re-rendered frame can have the size of the old one."""
    return (
        local is not None
        and local.size == listed.size
        and (listed.modified is None or local.modified == listed.modified)
    )


def _check_disk_space(folder: Path, files: Iterable[RemoteFile]) -> None:
    required = sum(file.stat.size or 0 for file in files)
    free = shutil.disk_usage(folder).free
    if required > free:
        raise TransferIncomplete(
            f"Not enough disk space in {folder}: {required / 1e6:,.1f} MB required, {free / 1e6:,.1f} MB free"
        )


@functools.lru_cache
def _parse_time(modified: str | None) -> float | None:
    """Return a listed time in seconds since 1970. It has no time zone and is read as UTC."""
    try:
        return datetime.fromisoformat(modified).replace(tzinfo=UTC).timestamp() if modified else None
    except ValueError:
        return None
