"""Fetching frames: each is whole in its folder or not there."""

from __future__ import annotations

import fnmatch
import functools
import logging
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_renderbus.transfer.command import FASTEST, Order
from airflow_provider_renderbus.transfer.errors import Unfinished, told
from airflow_provider_renderbus.transfer.folder import Folder, Stamp, halfway, parts_of
from airflow_provider_renderbus.transfer.progress import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from airflow_provider_renderbus.api.models.outputs import OutputFile
    from airflow_provider_renderbus.transfer.endpoints import Route
    from airflow_provider_renderbus.transfer.folder import Parts
    from airflow_provider_renderbus.transfer.process import Runner

log = logging.getLogger(__name__)


class Wanted(NamedTuple):
    """A file of the output storage.

    :param path: its path from the storage's root, without a slash before it.
    :param parts: the names that the path is made of.
    :param stamp: its size and time by the farm's listing.
    """

    path: str
    parts: Parts
    stamp: Stamp


class Fetched(NamedTuple):
    """What has become of wanted files.

    :param files: those that are in the folder now.
    :param size: their bytes.
    :param there_before: those of them that were there, whole, before.
    """

    files: int
    size: int
    there_before: int


def wanted(listing: Iterable[OutputFile], pattern: str) -> list[Wanted]:
    """Return what is to be fetched of a listing.

    :param listing: files of the output storage.
    :param pattern: of paths, as of :mod:`fnmatch`: ``*`` matches slashes too.
    :raises Refused: the farm lists a name that leads out of the folder or is none.
    """
    return [
        Wanted("/".join(parts := parts_of(file.path)), parts, Stamp(file.size, _moment(file.modified)))
        for file in listing
        if not file.is_directory and fnmatch.fnmatchcase(file.path, pattern)
    ]


def fetch(
    runner: Runner,
    route: Route,
    files: Sequence[Wanted],
    folder: Path,
    *,
    whole: str | None = None,
    speed_limit: int = FASTEST,
) -> Fetched:
    """Fetch files into a folder, under the paths that they have in the storage.

    They come into a hidden folder within it, and each gets its name as soon as it is whole: the command calls
    it done, and it has the size that the farm lists. A file that is there with the listed size and time is
    not fetched again.

    :param runner: runs the command.
    :param route: the way to the storage that holds them.
    :param files: the files.
    :param folder: where to; made where it is missing.
    :param whole: the folder of the storage that holds these files and no others, where there is one.
    :param speed_limit: KB/s.
    :raises TransferError: not all could be fetched; those that came whole are there all the same.
    """
    with Folder(folder) as target:
        # Each folder is asked for once: of a first download none is there.
        is_folder = functools.cache(target.has_folder)
        missing = [
            file
            for file in files
            if not (is_folder(file.parts[:-1]) and _is_there(target.stamp(file.parts), file.stamp))
        ]
        size = sum(file.stamp.size or 0 for file in files)
        if missing:
            _expect_room(folder, missing)
            log.info("Fetching %s of %s files to %s", f"{len(missing):,}", f"{len(files):,}", folder)
            with halfway(folder) as (coming, paths):
                arrivals = _Arrivals({f"/{file.path}": file for file in missing}, coming, target)
                if whole is not None and len(missing) == len(files):
                    order = Order("download_path", route, coming.path, whole, speed_limit=speed_limit)
                else:
                    paths.write_text("".join(f"{file.path}\n" for file in missing), "utf-8")
                    order = Order("download_list", route, coming.path, str(paths), speed_limit=speed_limit)
                runner.run(order, Tally(arrivals.sizes(), arrivals.take))
                arrivals.take_all()
    return Fetched(len(files), size, len(files) - len(missing))


@dataclass(frozen=True, slots=True)
class _Arrivals:
    """Files that are expected, by the path that the command's lines show.

    :param files: the files.
    :param coming: the hidden folder that they come into.
    :param target: the folder in which they get their names.
    """

    files: Mapping[str, Wanted]
    coming: Folder
    target: Folder
    _named: set[str] = field(default_factory=set)

    def sizes(self) -> dict[str, int]:
        """Return the listed bytes of each file."""
        return {path: file.stamp.size or 0 for path, file in self.files.items()}

    def take(self, path: str) -> str | None:
        """Give a file its name, and return what is wrong with it where it is not the listed one.

        A file of full size can still have holes: it must be known that the command is done with it.
        """
        if path not in self.files or path in self._named:
            return None
        file = self.files[path]
        came = self.coming.stamp(file.parts)
        if came is None:
            return f"{file.path}: not there"
        if file.stamp.size is not None and came.size != file.stamp.size:
            return f"{file.path}: {file.stamp.size} bytes are listed, {came.size} came"
        self.target.take(self.coming, file.parts, file.stamp.modified)
        self._named.add(path)
        return None

    def take_all(self) -> None:
        """Give all files their names, for the command has ended well.

        :raises Unfinished: some are not as the farm lists them.
        """
        wrong = [reason for path in self.files if (reason := self.take(path))]
        if wrong:
            raise Unfinished(
                f"{len(wrong):,} of {len(self.files):,} files did not come as the farm lists them: "
                f"{told(wrong)}"
            )


def _is_there(found: Stamp | None, listed: Stamp) -> bool:
    """Tell whether a file is the listed one: a frame that was rendered again can have its old size."""
    return (
        found is not None
        and found.size == listed.size
        and (listed.modified is None or found.modified == listed.modified)
    )


def _expect_room(folder: Path, files: Iterable[Wanted]) -> None:
    needed = sum(file.stamp.size or 0 for file in files)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise Unfinished(
            f"{folder} has no room: {needed / 1e6:,.1f} MB are wanted, {free / 1e6:,.1f} are free"
        )


@functools.lru_cache
def _moment(modified: str | None) -> float | None:
    """Return a listing's time. It carries no zone; UTC does, since it is only compared with itself."""
    try:
        return datetime.fromisoformat(modified).replace(tzinfo=UTC).timestamp() if modified else None
    except ValueError:
        return None
