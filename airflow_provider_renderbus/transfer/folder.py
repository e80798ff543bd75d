"""A folder that is written into, so that no name and no link leads out of it.

Folders are walked part by part, each opened in the one before it and never through a link: nobody can swap
one for a link on the way either.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from airflow_provider_renderbus.transfer.errors import FORBIDDEN_CHARACTERS, InvalidFiles, one_line

if TYPE_CHECKING:
    Parts = tuple[str, ...]
    from collections.abc import Iterator


OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""Opens a folder, and no link to one."""
STAGING_PREFIX = ".renderbus-"
"""Begins the names of folders of this provider's own, which no file of a storage may have."""
_LONGEST_NAME = 255  # bytes, the limit of Linux


class FileStat(NamedTuple):
    """What tells that a file is the one that is wanted.

    :param size: bytes, where the listing tells them.
    :param modified: seconds since 1970, where the listing tells them.
    """

    size: int | None
    modified: float | None


def split_path(path: str) -> Parts:
    """Return the names that a path of the storage is made of.

    :raises Refused: one of them leaves the folder, or is none that is written here.
    """
    parts = tuple(part for part in path.split("/") if part)
    # Asked first, for it is thirty times as fast and says of nearly every path that it is fine.
    plain = path.isprintable() and "\\" not in path
    if not (plain or not FORBIDDEN_CHARACTERS.search(path)) or not all(map(_is_valid_name, parts)):
        raise InvalidFiles(
            f"The storage lists {one_line(path)!r}, a name that is not written on this machine"
        )
    if not parts or parts[0].startswith("-"):
        raise InvalidFiles(f"The storage lists {one_line(path)!r}, which is no name of a file")
    return parts


def _is_valid_name(name: str) -> bool:
    if name in {".", ".."} or name.startswith(STAGING_PREFIX):
        return False
    return len(name) <= _LONGEST_NAME // 4 or len(name.encode()) <= _LONGEST_NAME


class SafeFolder:
    """A folder and what is in it. Paths are relative to it, as their parts.

    :param path: the folder, which is made where it is missing. It may itself be reached through links.
    :raises OSError: it cannot be made or opened.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._last: tuple[Parts, int] = ((), self._root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close_last()
        os.close(self._root)

    def has_folder(self, parts: Parts) -> bool:
        """Tell whether a folder is there that can be opened."""
        try:
            self._open(parts)
        except OSError:
            return False
        return True

    def stat(self, parts: Parts) -> FileStat | None:
        """Return size and time of a plain file, None where there is none."""
        try:
            found = os.stat(parts[-1], dir_fd=self._open(parts[:-1]), follow_symlinks=False)
        except OSError:
            return None
        # A second name of a file could be one outside of the folder.
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            return None
        return FileStat(found.st_size, found.st_mtime)

    def move_in(self, other: SafeFolder, parts: Parts, modified: float | None) -> None:
        """Move a file here from the same place in another folder of the same file system.

        :param other: the other folder.
        :param parts: the file's path in both.
        :param modified: the time that it gets, in seconds since 1970; its own where it is left out.
        :raises Refused: a link or a file stands where a folder is wanted, or the other way round.
        :raises OSError: it cannot be moved.
        """
        source = other._open(parts[:-1])
        try:
            target = self._open(parts[:-1], make=True)
            if modified is not None:
                os.utime(parts[-1], (modified, modified), dir_fd=source, follow_symlinks=False)
            os.rename(parts[-1], parts[-1], src_dir_fd=source, dst_dir_fd=target)
        except (NotADirectoryError, IsADirectoryError) as problem:
            raise InvalidFiles(
                f"{self.path / '/'.join(parts)} is not written: a link or a file stands where a folder is "
                f"wanted, or a folder where a file is ({problem.strerror}); move it away"
            ) from None

    def _open(self, parts: Parts, *, make: bool = False) -> int:
        """Return the descriptor of a folder, which is good until the next is asked for."""
        if self._last[0] == parts:
            return self._last[1]
        folder = self._root
        for part in parts:
            try:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, dir_fd=folder)
                inner = os.open(part, OPEN_DIRECTORY, dir_fd=folder)
            finally:
                if folder != self._root:
                    os.close(folder)
            folder = inner
        self._close_last()
        self._last = parts, folder
        return folder

    def _close_last(self) -> None:
        if self._last[1] != self._root:
            os.close(self._last[1])
        self._last = (), self._root


_LOCK = "lock"
_STALE_AFTER = 60.0  # seconds in which a worker has surely locked what it has made


class StagingFolder(NamedTuple):
    """A hidden folder.

    :param files: what is fetched comes into it.
    :param list: where the list of wanted files can be written, out of the way of all of them.
    """

    files: SafeFolder
    list: Path


@contextmanager
def staging_folder(folder: Path) -> Iterator[StagingFolder]:
    """Make a hidden folder in a folder; it is removed at the end.

    What a worker has left that was killed is removed too: it is known by its lock, which ends with its
    process.

    :raises OSError: it cannot be made.
    """
    for left in folder.glob(f"{STAGING_PREFIX}*"):
        with suppress(FileNotFoundError):  # another worker was faster
            if time.time() - left.lstat().st_mtime > _STALE_AFTER:
                with _locked(left) as is_left:
                    if is_left:
                        shutil.rmtree(left, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=folder))
    try:
        with _locked(path), SafeFolder(path / "files") as files:
            yield StagingFolder(files, path / "list")
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold the lock of a hidden folder, and tell whether it could be had."""
    try:
        folder = os.open(path, OPEN_DIRECTORY)
        try:
            # A file, for NFS carries no locks of folders to other machines.
            lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(lock)
