"""Folders to download to: nothing is written outside, and no partial file gets its final name.

Each folder of a path is opened in its parent and never through a link, so that nobody can replace one by
a link in between.
"""

from __future__ import annotations

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
"""Flags that open a folder, but not through a link."""
STAGING_PREFIX = ".renderbus-"
"""Prefix of staging folders. A file of a storage must not have it."""
_MAX_NAME_BYTES = 255  # the limit of Linux
_LOCK = "lock"
_STALE_AFTER = 60.0  # seconds after which a staging folder without a lock is a killed worker's


class FileStat(NamedTuple):
    """Size in bytes, and modification time in seconds since 1970, of a file; None if not listed."""

    size: int | None
    modified: float | None


def split_path(path: str) -> Parts:
    """Return the names in a path of the storage.

    :raises InvalidFiles: one of them leaves the folder, or must not be written.
    """
    parts = tuple(part for part in path.split("/") if part)
    # Checked first: it is 30 times as fast as the pattern and true of nearly every path.
    plain = path.isprintable() and "\\" not in path
    if not (plain or not FORBIDDEN_CHARACTERS.search(path)) or not all(map(_is_valid_name, parts)):
        raise InvalidFiles(f"The storage lists {one_line(path)!r}, a name that must not be written here")
    if not parts or parts[0].startswith("-"):
        raise InvalidFiles(f"The storage lists {one_line(path)!r}, which is not a file name")
    return parts


def _is_valid_name(name: str) -> bool:
    if name in {".", ".."} or name.startswith(STAGING_PREFIX):
        return False
    return len(name) <= _MAX_NAME_BYTES // 4 or len(name.encode()) <= _MAX_NAME_BYTES


class SafeFolder:
    """A folder, created if missing, which may itself be reached through links.

    Paths in it are relative, as tuples of names.
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
        """Return whether a folder exists and can be opened."""
        try:
            self._open(parts)
        except OSError:
            return False
        return True

    def stat(self, parts: Parts) -> FileStat | None:
        """Return size and time of a regular file, None if there is none."""
        try:
            status = os.stat(parts[-1], dir_fd=self._open(parts[:-1]), follow_symlinks=False)
        except OSError:
            return None
        # A hard link could be to a file outside the folder.
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            return None
        return FileStat(status.st_size, status.st_mtime)

    def move_in(self, source: SafeFolder, parts: Parts, modified: float | None) -> None:
        """Move a file here from the same path in another folder of the same file system, and set its time.

        :raises InvalidFiles: a link or a file is in place of a folder, or a folder in place of the file.
        """
        source_folder = source._open(parts[:-1])
        try:
            target_folder = self._open(parts[:-1], create=True)
            if modified is not None:
                os.utime(parts[-1], (modified, modified), dir_fd=source_folder, follow_symlinks=False)
            os.rename(parts[-1], parts[-1], src_dir_fd=source_folder, dst_dir_fd=target_folder)
        except (NotADirectoryError, IsADirectoryError) as error:
            raise InvalidFiles(
                f"Cannot write {self.path / '/'.join(parts)}: a link or a file is in place of a folder, or a "
                f"folder in place of a file ({error.strerror}); move it away"
            ) from None

    def _open(self, parts: Parts, *, create: bool = False) -> int:
        """Return the descriptor of a folder, which is valid until the next call."""
        if self._last[0] == parts:
            return self._last[1]
        folder = self._root
        for part in parts:
            try:
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=folder)
                child = os.open(part, OPEN_DIRECTORY, dir_fd=folder)
            finally:
                if folder != self._root:
                    os.close(folder)
            folder = child
        self._close_last()
        self._last = parts, folder
        return folder

    def _close_last(self) -> None:
        if self._last[1] != self._root:
            os.close(self._last[1])
        self._last = (), self._root


class StagingFolder(NamedTuple):
    """A hidden folder: `files` for files that are not complete yet, and the path of a `list` of them."""

    files: SafeFolder
    list: Path


@contextmanager
def staging_folder(folder: Path) -> Iterator[StagingFolder]:
    """Create a staging folder in a folder, and remove it at the end.

    Those of killed workers are removed too: nobody holds their lock, which ends with the process.
    """
    for path in folder.glob(f"{STAGING_PREFIX}*"):
        with suppress(FileNotFoundError):  # another worker has removed it
            if time.time() - path.lstat().st_mtime > _STALE_AFTER:
                with _try_lock(path) as is_stale:
                    if is_stale:
                        shutil.rmtree(path, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=folder))
    try:
        with _try_lock(path), SafeFolder(path / "files") as files:
            yield StagingFolder(files, path / "list")
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _try_lock(path: Path) -> Iterator[bool]:
    """Hold the lock of a staging folder, and yield whether it was free."""
    try:
        folder = os.open(path, OPEN_DIRECTORY)
        try:
            # A file, because locks of folders do not reach other machines over NFS.
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
