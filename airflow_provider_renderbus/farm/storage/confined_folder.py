"""A folder whose files are opened so that no name and no symbolic link leads out of it.

Paths are opened part by part with ``O_NOFOLLOW``, each relative to the folder before it. So nobody can
replace a folder with a link between check and use.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Parts = tuple[str, ...]

CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Characters that break a line of output: control characters, line and paragraph separators, surrogates."""
MAX_NAME_BYTES = 255  # bytes, the limit of Linux
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Non-blocking, because a named pipe may be in the place of a file.
READ_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
PARTIAL_PREFIX = ".unfinished-"
CHUNK_SIZE = 1 << 26  # bytes
# Part of the name of partial files: a killed process with the same process id may have left some.
_PROCESS_TOKEN, _COUNTER = os.urandom(8).hex(), count()


class PathNotAllowed(ValueError):
    """A name that is not allowed, with the reason."""


class FileChanged(OSError):
    """The file changed while it was read."""


def split_path(path: str) -> Parts:
    """Split a path at its slashes, ignoring leading and trailing ones.

    :raises PathNotAllowed: a part leaves the folder, is too long for a file system or has control characters.
    """
    parts = tuple(part for part in path.split("/") if part not in {"", "."})
    for part in parts:
        if part == "..":
            raise PathNotAllowed("path: must stay in the storage, got '..'")
        if "\\" in part or CONTROL_CHARACTERS.search(part):
            raise PathNotAllowed("name: must not have a backslash, line break or other control character")
        if len(part.encode()) > MAX_NAME_BYTES:
            raise PathNotAllowed(f"name: must be at most {MAX_NAME_BYTES} bytes, got {len(part.encode())}")
    return parts


def open_file(path: str | Path, folder: int | None = None, flags: int = 0) -> int:
    """Open a file for reading and return its file descriptor.

    :param folder: file descriptor of the folder of a relative path.
    :raises OSError: the file cannot be read.
    :raises PathNotAllowed: the path is not a regular file.
    """
    file = os.open(path, READ_FLAGS | flags, dir_fd=folder)
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    raise PathNotAllowed("must be a regular file, not a folder, pipe or device")


class ConfinedFolder:
    """A folder and its files. Paths are relative to it and given as parts.

    :param root: the folder; its own path may contain links.
    :raises OSError: the folder does not exist.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._last: tuple[Parts, int] = ((), self._root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close_last()
        os.close(self._root)

    def open(self, parts: Parts) -> int:
        """Open a file for reading, see :func:`open_file`."""
        return open_file(parts[-1], self._folder(parts[:-1]), os.O_NOFOLLOW)

    def read(self, parts: Parts, max_bytes: int = -1) -> bytes:
        """Return the content of a file, at most ``max_bytes`` of it (-1 for all)."""
        with os.fdopen(self.open(parts), "rb") as file:
            return file.read(max_bytes)

    def size(self, parts: Parts) -> int | None:
        """Return the size of a file in bytes, None if it does not exist."""
        try:
            file = self.open(parts)
        except (OSError, PathNotAllowed):
            return None
        try:
            return os.fstat(file).st_size
        finally:
            os.close(file)

    def list_files(self, parts: Parts) -> Iterator[Parts]:
        """Yield all files and links below a folder, sorted; if the path is a file, only that.

        :raises OSError: the file or folder does not exist.
        """
        if parts:
            top = os.stat(parts[-1], dir_fd=self._folder(parts[:-1]), follow_symlinks=False)
            if not stat.S_ISDIR(top.st_mode):
                yield parts
                return
        yield from self._walk(parts)

    def _walk(self, parts: Parts) -> Iterator[Parts]:
        with os.scandir(self._folder(parts)) as entries:
            children = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        for name, is_folder in children:
            if is_folder:
                yield from self._walk((*parts, name))
            elif not name.startswith(PARTIAL_PREFIX):
                yield (*parts, name)

    def copy_in(self, source: int, parts: Parts, *, first_half: bool = False) -> int:
        """Copy an open file into the folder. The file gets its name when it is complete.

        Creates missing folders.

        :param first_half: copy only the first half, to simulate a fault.
        :return: bytes copied.
        :raises FileChanged: the file changed during the copy.
        :raises OSError: the file cannot be read or written.
        """
        if not parts:
            raise PathNotAllowed("path: must name a file, got the storage itself")
        folder = self._folder(parts[:-1], create=True)
        before = os.fstat(source)
        partial = f"{PARTIAL_PREFIX}{_PROCESS_TOKEN}-{os.getpid()}-{next(_COUNTER)}"
        target = os.open(partial, CREATE_FLAGS, 0o666, dir_fd=folder)
        try:
            try:
                size = _copy_bytes(source, target, before.st_size // (2 if first_half else 1))
            finally:
                os.close(target)
            _check_unchanged(before, os.fstat(source))
            os.rename(partial, parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(partial, dir_fd=folder)
            raise
        return size

    def _folder(self, parts: Parts, *, create: bool = False) -> int:
        """Return the file descriptor of a folder. It is valid until the next call."""
        if self._last[0] == parts:
            return self._last[1]
        folder = self._root
        for part in parts:
            try:
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=folder)
                inner = os.open(part, FOLDER_FLAGS, dir_fd=folder)
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


def _check_unchanged(before: os.stat_result, after: os.stat_result) -> None:
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise FileChanged("the file changed during the copy")


def _copy_bytes(source: int, target: int, size: int) -> int:
    """Copy the first bytes of a file within the kernel and return their number."""
    done = 0
    while done < size and (copied := os.sendfile(target, source, done, min(size - done, CHUNK_SIZE))):
        done += copied
    return done
