"""Fetching frames: each is whole in its folder or not there."""

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

    from airflow_provider_renderbus.api.models.outputs import OutputFile
    from airflow_provider_renderbus.transfer.endpoints import StorageEndpoint
    from airflow_provider_renderbus.transfer.folder import Parts
    from airflow_provider_renderbus.transfer.process import TransferRunner

log = logging.getLogger(__name__)


class RemoteFile(NamedTuple):
    """A file of the output storage.

    :param path: its path from the storage's root, without a slash before it.
    :param parts: the names that the path is made of.
    :param stamp: its size and time by the farm's listing.
    """

    path: str
    parts: Parts
    stat: FileStat


class DownloadResult(NamedTuple):
    """What has become of wanted files.

    :param files: those that are in the folder now.
    :param size: their bytes.
    :param there_before: those of them that were there, whole, before.
    """

    files: int
    size: int
    already_present: int


def select_files(listing: Iterable[OutputFile], pattern: str) -> list[RemoteFile]:
    """Return what is to be fetched of a listing.

    :param listing: files of the output storage.
    :param pattern: of paths, as of :mod:`fnmatch`: ``*`` matches slashes too.
    :raises Refused: the farm lists a name that leads out of the folder or is none.
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
    """Fetch files into a folder, under the paths that they have in the storage.

    They come into a hidden folder within it, and each gets its name as soon as it is whole: the command calls
    it done, and it has the size that the farm lists. A file that is there with the listed size and time is
    not fetched again.

    :param runner: runs the command.
    :param endpoint: the way to the storage that holds them.
    :param files: the files.
    :param folder: where to; made where it is missing.
    :param storage_folder: the folder of the storage that holds these files and no others, where there is one.
    :param speed_limit_kb_per_s: KB/s.
    :raises TransferError: not all could be fetched; those that came whole are there all the same.
    """
    with SafeFolder(folder) as target:
        # Each folder is asked for once: of a first download none is there.
        is_folder = functools.cache(target.has_folder)
        missing = [
            file
            for file in files
            if not (is_folder(file.parts[:-1]) and _is_current(target.stat(file.parts), file.stat))
        ]
        size = sum(file.stat.size or 0 for file in files)
        if missing:
            _check_disk_space(folder, missing)
            log.info("Fetching %s of %s files to %s", f"{len(missing):,}", f"{len(files):,}", folder)
            with staging_folder(folder) as (coming, paths):
                arrivals = _Publisher({f"/{file.path}": file for file in missing}, coming, target)
                if storage_folder is not None and len(missing) == len(files):
                    order = TransferArguments(
                        "download_path",
                        endpoint,
                        coming.path,
                        storage_folder,
                        speed_limit_kb_per_s=speed_limit_kb_per_s,
                    )
                else:
                    paths.write_text("".join(f"{file.path}\n" for file in missing), "utf-8")
                    order = TransferArguments(
                        "download_list",
                        endpoint,
                        coming.path,
                        str(paths),
                        speed_limit_kb_per_s=speed_limit_kb_per_s,
                    )
                runner.run(order, TransferProgress(arrivals.sizes(), arrivals.take))
                arrivals.take_all()
    return DownloadResult(len(files), size, len(files) - len(missing))


@dataclass(frozen=True, slots=True)
class _Publisher:
    """Files that are expected, by the path that the command's lines show.

    :param files: the files.
    :param coming: the hidden folder that they come into.
    :param target: the folder in which they get their names.
    """

    files: Mapping[str, RemoteFile]
    coming: SafeFolder
    target: SafeFolder
    _named: set[str] = field(default_factory=set)

    def sizes(self) -> dict[str, int]:
        """Return the listed bytes of each file."""
        return {path: file.stat.size or 0 for path, file in self.files.items()}

    def take(self, path: str) -> str | None:
        """Give a file its name, and return what is wrong with it where it is not the listed one.

        A file of full size can still have holes: it must be known that the command is done with it.
        """
        if path not in self.files or path in self._named:
            return None
        file = self.files[path]
        came = self.coming.stat(file.parts)
        if came is None:
            return f"{file.path}: not there"
        if file.stat.size is not None and came.size != file.stat.size:
            return f"{file.path}: {file.stat.size} bytes are listed, {came.size} came"
        self.target.move_in(self.coming, file.parts, file.stat.modified)
        self._named.add(path)
        return None

    def take_all(self) -> None:
        """Give all files their names, for the command has ended well.

        :raises Unfinished: some are not as the farm lists them.
        """
        wrong = [reason for path in self.files if (reason := self.take(path))]
        if wrong:
            raise TransferIncomplete(
                f"{len(wrong):,} of {len(self.files):,} files did not come as the farm lists them: "
                f"{join_limited(wrong)}"
            )


def _is_current(found: FileStat | None, listed: FileStat) -> bool:
    """Tell whether a file is the listed one: a frame that was rendered again can have its old size."""
    return (
        found is not None
        and found.size == listed.size
        and (listed.modified is None or found.modified == listed.modified)
    )


def _check_disk_space(folder: Path, files: Iterable[RemoteFile]) -> None:
    needed = sum(file.stat.size or 0 for file in files)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise TransferIncomplete(
            f"{folder} has no room: {needed / 1e6:,.1f} MB are wanted, {free / 1e6:,.1f} are free"
        )


@functools.lru_cache
def _parse_time(modified: str | None) -> float | None:
    """Return a listing's time. It carries no zone; UTC does, since it is only compared with itself."""
    try:
        return datetime.fromisoformat(modified).replace(tzinfo=UTC).timestamp() if modified else None
    except ValueError:
        return None
