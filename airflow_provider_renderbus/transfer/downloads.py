"""Downloads frames: each file in the target folder is complete."""

from __future__ import annotations

import fnmatch
import functools
import logging
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_renderbus.api.text import join_limited
from airflow_provider_renderbus.transfer.command import MAX_SPEED_KB_PER_S, TransferArguments
from airflow_provider_renderbus.transfer.errors import (
    InvalidFiles,
    TransferError,
    TransferIncomplete,
)
from airflow_provider_renderbus.transfer.folder import (
    FileStat,
    IncompleteFile,
    SafeFolder,
    is_same_file_name,
    split_path,
    staging_folder,
)
from airflow_provider_renderbus.transfer.process import describe_size
from airflow_provider_renderbus.transfer.progress import TransferProgress
from airflow_provider_renderbus.transfer.spelling import folded
from airflow_provider_renderbus.transfer.unset_times import UNSET_TIMES_NAME, UnsetTimes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from airflow_provider_renderbus.api.models.transfer import OutputFile
    from airflow_provider_renderbus.transfer.command import TransferKind
    from airflow_provider_renderbus.transfer.endpoints import StorageEndpoint
    from airflow_provider_renderbus.transfer.folder import Parts
    from airflow_provider_renderbus.transfer.process import TransferRunner
    from airflow_provider_renderbus.transfer.unset_times import RecordedTimes

log = logging.getLogger(__name__)


class RemoteFile(NamedTuple):
    """A file of the storage, and where it goes.

    :param path: its path without a leading slash.
    :param parts: the names in its path.
    :param stat: its listed size and time.
    :param target: the names in its path in the target folder.
    """

    path: str
    parts: Parts
    stat: FileStat
    target: Parts


class DownloadResult(NamedTuple):
    """How many files are in the folder now, their bytes, and how many were complete before the download.

    :param new: the paths in the storage of the others.
    """

    files: int
    size: int
    already_present: int
    new: frozenset[str] = frozenset()


class Selection(NamedTuple):
    """The files of a listing that match a pattern, and why others that match cannot be written."""

    files: list[RemoteFile]
    problems: list[str]


def select_files(listing: Iterable[OutputFile], pattern: str) -> Selection:
    """Return the files of a listing whose paths match a pattern of :mod:`fnmatch`: ``*`` matches slashes too.

    A listed name that leads out of the folder or is not a file name is a problem, and no file.
    """
    selection = Selection([], [])
    for file in listing:
        if file.is_directory or not fnmatch.fnmatchcase(file.path, pattern):
            continue
        try:
            parts = split_path(file.path)
        except InvalidFiles as error:
            selection.problems.append(str(error))
            continue
        stat = FileStat(file.size, _parse_time(file.modified))
        selection.files.append(RemoteFile("/".join(parts), parts, stat, parts))
    return selection


def find_same_names(folder: Path, files: Iterable[RemoteFile]) -> dict[Parts, str]:
    """Return, by target, why files would replace earlier ones of them in a folder.

    Many shares ignore the case of names, or how their letters are composed.
    """
    first: dict[str, RemoteFile] = {}
    found: dict[Parts, str] = {}
    for file in files:
        other = first.setdefault(folded("/".join(file.target)).casefold(), file)
        if other is not file and is_same_file_name(folder, other.target, file.target):
            found[file.target] = (
                f"{file.path}: {folder} does not distinguish its name from that of {other.path}"
            )
    return found


def download(
    runner: TransferRunner,
    endpoint: StorageEndpoint,
    files: Sequence[RemoteFile],
    folder: Path,
    *,
    storage_folder: str | None = None,
    speed_limit_kb_per_s: int = MAX_SPEED_KB_PER_S,
    subject: str = "download",
) -> DownloadResult:
    """Download files to a folder.

    They are downloaded to a staging folder in it, and each is moved to its final path as soon as it is
    complete: the command reports it as done, and it has the listed size. A file that exists with the listed
    size and time is not downloaded again. A file that cannot be written keeps no other file away.

    :param folder: the target folder; created if missing.
    :param storage_folder: the folder in the storage that has exactly these files, if there is one.
    :param subject: what the files are, for the log.
    :raises TransferError: not all files were downloaded; those that are complete stay.
    """
    with SafeFolder(folder) as target:
        times = UnsetTimes.load(target)
        # Checked once per folder: none of them exists before the first download.
        has_folder = functools.cache(target.has_folder)
        missing = [
            file
            for file in files
            if not (
                has_folder(file.target[:-1])
                and _is_current(target.stat(file.target), file.stat, times.recorded("/".join(file.target)))
            )
        ]
        size = sum(file.stat.size or 0 for file in files)
        if missing:
            fitting, problems = _select_fitting(folder, missing)
            started_at = runner.clock()
            new_size = sum(file.stat.size or 0 for file in fitting)
            log.info(
                "%s: downloading %s of %s to %s",
                subject,
                describe_size(len(fitting), new_size),
                describe_size(len(files), size),
                folder,
            )
            with staging_folder(folder) as (staging, list_path):
                # Now, because files that are being downloaded may fill the disk.
                new_folders = target.make_folders(file.target[:-1] for file in fitting)
                publisher = _Publisher({f"/{file.path}": file for file in fitting}, staging, target, times)
                kind: TransferKind
                if storage_folder is not None and len(fitting) == len(files):
                    kind, remote = "download_path", storage_folder
                else:
                    kind, remote = "download_list", str(list_path)
                    list_path.write_text("".join(f"{file.path}\n" for file in fitting), "utf-8")
                arguments = TransferArguments(
                    kind,
                    endpoint,
                    staging.path,
                    remote,
                    speed_limit_kb_per_s=speed_limit_kb_per_s,
                    scratch=list_path.parent,
                )
                progress = TransferProgress(publisher.sizes(), publisher.publish)
                try:
                    if fitting:
                        runner.run(arguments, progress)
                    problems += publisher.publish_all(publisher.files)
                except TransferError as error:
                    problems += publisher.publish_all(progress.done)
                    if problems:
                        raise type(error)(f"{error}. Also {_describe(problems, missing)}") from error
                    raise
                finally:
                    publisher.warn_of_times(folder)
                    times.save(target, list_path.parent)
                    target.remove_empty_folders(new_folders)
            if problems:
                error_type = TransferIncomplete if any(each.retryable for each in problems) else InvalidFiles
                raise error_type(_describe(problems, missing))
            log.info(
                "%s: downloaded %s in %.0f s, %s were there already",
                subject,
                describe_size(len(fitting), new_size),
                runner.clock() - started_at,
                f"{len(files) - len(missing):,}",
            )
        elif files:
            log.info("%s: nothing new, %s are there already", subject, describe_size(len(files), size))
    new = frozenset(file.path for file in missing)
    return DownloadResult(len(files), size, len(files) - len(missing), new)


def find_outdated(folder: Path, files: Iterable[RemoteFile]) -> list[str]:
    """Return the paths of files in a folder that are in place of the listed ones."""
    with SafeFolder(folder) as target:
        times = UnsetTimes.load(target)
        local = [(file, "/".join(file.target), target.stat(file.target)) for file in files]
        return [
            name
            for file, name, stat in local
            if stat is not None and not _is_current(stat, file.stat, times.recorded(name))
        ]


class _Problem(NamedTuple):
    """Why a file was not downloaded, and whether a retry may succeed."""

    text: str
    retryable: bool = True


def _describe(problems: Sequence[_Problem], missing: Sequence[RemoteFile]) -> str:
    listed = join_limited([problem.text for problem in problems])
    return f"{len(problems):,} of {len(missing):,} files could not be downloaded: {listed}"


@dataclass(frozen=True, slots=True)
class _Publisher:
    """Moves complete files from the staging folder to their final paths.

    Files are known by the paths in the output of the command.
    """

    files: Mapping[str, RemoteFile]
    staging: SafeFolder
    target: SafeFolder
    times: UnsetTimes
    _published: set[str] = field(default_factory=set)
    _without_time: dict[str, str] = field(default_factory=dict)

    def sizes(self) -> dict[str, int]:
        """Return the listed bytes of each file."""
        return {path: file.stat.size or 0 for path, file in self.files.items()}

    def publish(self, path: str) -> _Problem | None:
        """Move a file to its final path, or return why that cannot be.

        Must be called after the command is done with the file: one of full size can still have holes.
        """
        if path not in self.files or path in self._published:
            return None
        file = self.files[path]
        try:
            reason = self.target.move_in(self.staging, file.parts, file.target, file.stat)
        except IncompleteFile as error:
            return _Problem(f"{file.path}: {error}")
        except InvalidFiles as error:
            return _Problem(str(error), retryable=False)
        except OSError as error:
            return _Problem(f"{file.path}: {error.strerror or error}")
        self._published.add(path)
        name = "/".join(file.target)
        if reason:
            self._without_time[name] = reason
            self.times.record(name, file.stat, self.target.stat(file.target))
        else:
            self.times.discard(name)
        return None

    def publish_all(self, paths: Iterable[str]) -> list[_Problem]:
        """Move files that the command is done with, and return why some cannot be."""
        return [problem for path in paths if (problem := self.publish(path))]

    def warn_of_times(self, folder: Path) -> None:
        """Log a warning about the files that do not have the listed time."""
        if self._without_time:
            log.warning(
                "%s: %s files are complete, but do not have the time of the farm's listing (%s): %s. They "
                "are recorded in %s, so that they are not downloaded again",
                folder,
                f"{len(self._without_time):,}",
                "; ".join(dict.fromkeys(self._without_time.values())),
                join_limited(sorted(self._without_time)),
                UNSET_TIMES_NAME,
            )


def _is_current(local: FileStat | None, listed: FileStat, recorded: RecordedTimes | None) -> bool:
    """Return whether a local file is the listed one: a re-rendered frame can have the size of the old one."""
    if local is None or local.size != listed.size:
        return False
    if listed.modified is None or local.modified == listed.modified:
        return True
    return recorded == (listed.modified, local.modified)


def _select_fitting(folder: Path, files: Sequence[RemoteFile]) -> tuple[Sequence[RemoteFile], list[_Problem]]:
    """Return the files for which there is space, and a problem for each of the others.

    Many network file systems do not say how much space is free, or say 0.
    """
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return files, []
    free = usage.free
    if usage.total <= 0 or free <= 0 or sum(file.stat.size or 0 for file in files) <= free:
        return files, []
    fitting, problems = [], []
    for file in files:
        size = file.stat.size or 0
        if size <= free:
            fitting.append(file)
            free -= size
        else:
            problems.append(
                _Problem(
                    f"{file.path}: not enough disk space, {size / 1e6:,.1f} MB required, "
                    f"{usage.free / 1e6:,.1f} MB free before the download"
                )
            )
    return fitting, problems


@functools.lru_cache
def _parse_time(modified: str | None) -> float | None:
    """Return a listed time in seconds since 1970. It has no time zone and is read as UTC."""
    try:
        return datetime.fromisoformat(modified).replace(tzinfo=UTC).timestamp() if modified else None
    except ValueError:
        return None
