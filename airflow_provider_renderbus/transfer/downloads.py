"""Fetching frames: each is whole in its folder or not there."""

from __future__ import annotations

import fnmatch
import functools
import logging
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_renderbus.transfer.errors import TransferError, Unfinished, told
from airflow_provider_renderbus.transfer.folder import Folder, Stamp, parts_of
from airflow_provider_renderbus.transfer.order import FASTEST, Order
from airflow_provider_renderbus.transfer.output import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from airflow_provider_renderbus.api.models.outputs import OutputFile
    from airflow_provider_renderbus.transfer.routes import Route
    from airflow_provider_renderbus.transfer.running import Runner

log = logging.getLogger(__name__)


class Wanted(NamedTuple):
    """A file of the output storage.

    :param parts: its path, from the storage's root.
    :param stamp: its size and time by the farm's listing.
    """

    parts: tuple[str, ...]
    stamp: Stamp

    @property
    def path(self) -> str:
        """Its path from the storage's root, without a slash before it."""
        return "/".join(self.parts)


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
        Wanted(parts_of(file.path), Stamp(file.size, _moment(file.modified)))
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

    They come into a hidden folder within it, and get their names when they are whole: of the size that the
    farm lists. A file that is there with the listed size and time is not fetched again.

    :param runner: runs the command.
    :param route: the way to the storage that holds them.
    :param files: the files.
    :param folder: where to; made where it is missing.
    :param whole: the folder of the storage that holds these files and no others, where there is one.
    :param speed_limit: KB/s.
    :raises TransferError: not all could be fetched; those that came whole are there all the same.
    """
    with Folder(folder) as target:
        missing = [file for file in files if not _is_there(target.stamp(file.parts), file.stamp)]
        size = sum(file.stamp.size or 0 for file in files)
        if missing:
            _expect_room(folder, missing)
            log.info("Fetching %s of %s files to %s", f"{len(missing):,}", f"{len(files):,}", folder)
            with target.halfway() as halfway:
                _run(
                    runner,
                    route,
                    missing,
                    halfway,
                    target,
                    whole if len(missing) == len(files) else None,
                    speed_limit,
                )
    return Fetched(len(files), size, len(files) - len(missing))


def _run(
    runner: Runner,
    route: Route,
    files: Sequence[Wanted],
    halfway: Folder,
    target: Folder,
    whole: str | None,
    speed_limit: int,
) -> None:
    if whole is not None:
        order = Order("download_path", route, halfway.path, whole, speed_limit=speed_limit)
    else:
        paths = halfway.path / ".list"
        paths.write_text("".join(f"{file.path}\n" for file in files), "utf-8")
        order = Order("download_list", route, halfway.path, str(paths), speed_limit=speed_limit)
    tally = Tally({f"/{file.path}": file.stamp.size or 0 for file in files})
    try:
        runner.run(order, tally)
    except TransferError:
        # A file of full size can still have holes; only what the command calls done is whole.
        done = [file for file in files if f"/{file.path}" in tally.done]
        _keep(done, halfway, target)
        raise
    left = _keep(files, halfway, target)
    if left:
        raise Unfinished(
            f"{len(left):,} of {len(files):,} files did not come as the farm lists them: {told(left)}"
        )


def _keep(files: Iterable[Wanted], halfway: Folder, target: Folder) -> list[str]:
    """Give files that are whole their names, and return what is wrong with the others."""
    left = []
    for file in files:
        came = halfway.stamp(file.parts)
        if came is None:
            left.append(f"{file.path}: not there")
        elif file.stamp.size is not None and came.size != file.stamp.size:
            left.append(f"{file.path}: {file.stamp.size} bytes are listed, {came.size} came")
        else:
            target.take(halfway, file.parts, file.stamp.modified)
    return left


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
    """Return a listing's time. It carries no zone; any will do, since it is only compared with itself."""
    try:
        return datetime.fromisoformat(modified).replace(tzinfo=UTC).timestamp() if modified else None
    except ValueError:
        return None
