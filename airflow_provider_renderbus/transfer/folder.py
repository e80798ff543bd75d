"""Folders to download to: nothing is written outside, and no partial file gets its final name.

Each folder of a path is opened in its parent and never through a link, so that nobody can replace one by
a link in between.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Self

from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.transfer.errors import FORBIDDEN_CHARACTERS, InvalidFiles

if TYPE_CHECKING:
    Parts = tuple[str, ...]
    from collections.abc import Iterable, Iterator, Sequence

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""Flags that open a folder, but not through a link."""
STAGING_PREFIX = ".renderbus-"
"""Prefix of staging folders. A file of a storage must not have it."""
_MAX_NAME_BYTES = 255  # the limit of Linux
_PERMISSIONS = 0o777
_LOCK = "lock"
_STALE_AFTER = 60.0  # seconds after which a staging folder without a lock is a killed worker's


class FileStat(NamedTuple):
    """Size in bytes, and modification time in seconds since 1970, of a file; None if not listed."""

    size: int | None
    modified: float | None


class IncompleteFile(Exception):
    """A file is missing, or has another size than the listed one."""


def split_path(path: str) -> Parts:
    """Return the names in a path of the storage.

    :raises InvalidFiles: one of them leaves the folder, or must not be written.
    """
    parts = tuple(part for part in path.split("/") if part)
    # Checked first: it is 30 times as fast as the pattern and true of nearly every path.
    plain = path.isprintable() and "\\" not in path
    if not (plain or not FORBIDDEN_CHARACTERS.search(path)) or not all(map(_is_valid_name, parts)):
        raise InvalidFiles(f"The storage lists {printable(path)!r}, a name that must not be written here")
    if not parts or parts[0].startswith("-"):
        raise InvalidFiles(f"The storage lists {printable(path)!r}, which is not a file name")
    return parts


def _is_valid_name(name: str) -> bool:
    if name in {".", ".."} or name.startswith(STAGING_PREFIX):
        return False
    return len(name) <= _MAX_NAME_BYTES // 4 or len(name.encode()) <= _MAX_NAME_BYTES


def make_private_folder(path: Path) -> None:
    """Create a folder that only its owner can access, or make it one."""
    path.mkdir(0o700, parents=True, exist_ok=True)
    # Another user's folder stays as it is, and is an error only if it cannot be written.
    with suppress(OSError):
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o700)


def probe_folder(path: Path) -> None:
    """Check that files can be written to a folder, which is created if missing.

    A file is written and removed, because permissions do not show whether a file system is full or read-only.

    :raises OSError: they cannot.
    """
    path.mkdir(parents=True, exist_ok=True)
    with (
        _name_lack_of_inodes(path),
        tempfile.NamedTemporaryFile(prefix=f"{STAGING_PREFIX}probe-", dir=path, buffering=0) as file,
    ):
        file.write(b"probe")


def is_same_file_name(folder: Path, one: Parts, other: Parts) -> bool:
    """Return whether two paths are one in a folder, e.g. because its file system ignores case.

    Tries it in the folder, which is created if missing.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=STAGING_PREFIX, dir=folder) as scratch:
            file = Path(scratch, *one)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
            return os.path.lexists(Path(scratch, *other))
    except OSError:
        return False


@contextmanager
def _name_lack_of_inodes(folder: Path) -> Iterator[None]:
    """Say in an error about a full disk if it is inodes that are missing: there can be many bytes left."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            space = os.statvfs(folder)
            if space.f_files and not space.f_favail:
                reason = f"{error.strerror}: it has no free inodes, so remove some files"
                raise OSError(error.errno, reason, str(folder)) from error
        raise


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

    def make_folders(self, folders: Iterable[Parts]) -> list[Parts]:
        """Create folders with their parents, and return the new ones, from the outside in.

        An error is ignored: each file that is moved to such a folder has it again.
        """
        new: list[Parts] = []
        with_parents = (folder[:end] for folder in folders for end in range(1, len(folder) + 1))
        for parts in dict.fromkeys(with_parents):
            if not self.has_folder(parts):
                with suppress(OSError):
                    self._open(parts, create=True)
                    new.append(parts)
        return new

    def remove_empty_folders(self, folders: Sequence[Parts]) -> None:
        """Remove those of :meth:`make_folders` to which no file has come."""
        for parts in reversed(folders):
            with suppress(OSError):
                os.rmdir(parts[-1], dir_fd=self._open(parts[:-1]))

    def stat(self, parts: Parts) -> FileStat | None:
        """Return size and time of a regular file, None if there is none."""
        try:
            folder = self._open(parts[:-1])
        except OSError:
            return None
        status = _regular_file(parts[-1], folder)
        return None if status is None else FileStat(status.st_size, status.st_mtime)

    def move_in(self, source: SafeFolder, parts: Parts, target: Parts, listed: FileStat) -> str:
        """Move a whole file here from another folder of the same file system, and set its mode and time.

        It loses its setuid, setgid and sticky bits.

        :param parts: its path in the other folder.
        :param target: its path here.
        :param listed: the size that it must have, and the time to set.
        :return: why its time is not the one to set; "" if it is. Many network file systems refuse to set it.
        :raises IncompleteFile: it is missing or has another size.
        :raises InvalidFiles: a link or a file is in place of a folder, or a folder in place of the file.
        :raises OSError: it cannot be moved.
        """
        name = parts[-1]
        try:
            source_folder = source._open(parts[:-1])
        except OSError:
            raise IncompleteFile("missing") from None
        status = _regular_file(name, source_folder)
        if status is None:
            raise IncompleteFile("missing")
        if listed.size is not None and status.st_size != listed.size:
            raise IncompleteFile(f"{status.st_size} bytes instead of the listed {listed.size}")
        mode = stat.S_IMODE(status.st_mode)
        if mode & ~_PERMISSIONS:
            os.chmod(name, mode & _PERMISSIONS, dir_fd=source_folder)
        try:
            target_folder = self._open(target[:-1], create=True)
            problem = _set_time(name, source_folder, listed.modified)
            os.rename(name, target[-1], src_dir_fd=source_folder, dst_dir_fd=target_folder)
        except (NotADirectoryError, IsADirectoryError) as error:
            raise InvalidFiles(
                f"Cannot write {printable('/'.join(target))} in {self.path}: a link or a file is in place "
                f"of a folder, or a folder in place of a file ({error.strerror}); move it away"
            ) from None
        return problem

    def open_file(self, parts: Parts) -> BinaryIO:
        """Open a regular file for reading.

        :raises OSError: there is none.
        """
        # Without O_NONBLOCK a named pipe would wait for its writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(parts[-1], flags, dir_fd=self._open(parts[:-1]))
        if not _is_regular(os.fstat(descriptor)):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "not a regular file with one name")
        return os.fdopen(descriptor, "rb")

    def read_text(self, name: str) -> str:
        """Return the content of a file directly in the folder."""
        descriptor = os.open(
            name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._root
        )
        with os.fdopen(descriptor, encoding="utf-8") as file:
            return file.read()

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


def _regular_file(name: str, folder: int) -> os.stat_result | None:
    """Return the status of a regular file in an open folder; None if there is none."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None
    return status if _is_regular(status) else None


def _is_regular(status: os.stat_result) -> bool:
    # A hard link could be to a file outside the folder. Some file systems count no links at all.
    return stat.S_ISREG(status.st_mode) and status.st_nlink <= 1


def _set_time(name: str, folder: int, modified: float | None) -> str:
    """Set the time of a file in an open folder, and return why that had no effect; "" if it had."""
    if modified is None:
        return ""
    try:
        os.utime(name, (modified, modified), dir_fd=folder, follow_symlinks=False)
        # Some file systems accept a time and ignore or round it.
        kept = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime
    except OSError as error:
        return error.strerror or str(error)
    return "" if kept == modified else "the file system keeps another time"


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
        # Another worker may have removed it, or another user may own it.
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime > _STALE_AFTER:
                with _try_lock(path) as is_stale:
                    if is_stale:
                        shutil.rmtree(path, ignore_errors=True)
    with _name_lack_of_inodes(folder):
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
