"""Files under one folder, opened so that no name and no link leads out of it.

Folders are walked part by part, each opened in the one before it and never through a link, so that nobody
can swap one for a link on the way either.
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
"""What would break a line of output: control characters, line and paragraph ends, halves of characters."""
MAX_NAME_BYTES = 255  # bytes, the limit of Linux
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Opened without waiting: somebody may have put a pipe in a file's place.
READ_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
PARTIAL_PREFIX = ".unfinished-"
CHUNK_SIZE = 1 << 26  # bytes
# What a killed process of this number has left must not be in the way.
_PROCESS_TOKEN, _COUNTER = os.urandom(8).hex(), count()


class PathNotAllowed(ValueError):
    """A name that may not be used, with the reason."""


class FileChanged(OSError):
    """A file that was written while it was read."""


def split_path(path: str) -> Parts:
    """Return the names that a path with slashes is made of; those at its beginning and end count nothing.

    :raises NotAllowed: one leaves the folder, is too long for a file system, or is not one line.
    """
    parts = tuple(part for part in path.split("/") if part not in {"", "."})
    for part in parts:
        if part == "..":
            raise PathNotAllowed("'..' leaves the storage")
        if "\\" in part or CONTROL_CHARACTERS.search(part):
            raise PathNotAllowed("a name may not hold a backslash, a line break or another control character")
        if len(part.encode()) > MAX_NAME_BYTES:
            raise PathNotAllowed(f"a name may have {MAX_NAME_BYTES} bytes at most")
    return parts


def open_file(path: str | Path, folder: int | None = None, flags: int = 0) -> int:
    """Open a file to read it, and return its descriptor.

    :param folder: the descriptor of the folder that a relative path is in.
    :raises OSError: it cannot be read.
    :raises NotAllowed: it is no plain file.
    """
    file = os.open(path, READ_FLAGS | flags, dir_fd=folder)
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    raise PathNotAllowed("expected a file, not a folder, a pipe or a device")


class ConfinedFolder:
    """A folder and what is in it. Paths are relative to it, as their parts.

    :param root: the folder. It may itself be reached through links.
    :raises OSError: there is no such folder.
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
        """Open a file to read it; see :func:`open_file`."""
        return open_file(parts[-1], self._folder(parts[:-1]), os.O_NOFOLLOW)

    def read(self, parts: Parts, max_bytes: int = -1) -> bytes:
        """Return the content of a file.

        :param max_bytes: bytes that are read at most.
        """
        with os.fdopen(self.open(parts), "rb") as file:
            return file.read(max_bytes)

    def size(self, parts: Parts) -> int | None:
        """Return the size of a file in bytes, None where there is none."""
        try:
            file = self.open(parts)
        except (OSError, PathNotAllowed):
            return None
        try:
            return os.fstat(file).st_size
        finally:
            os.close(file)

    def list_files(self, parts: Parts) -> Iterator[Parts]:
        """Yield the files in a folder and in all folders in it, sorted, with links; of a file only that.

        :raises OSError: there is no such file or folder.
        """
        if parts:
            top = os.stat(parts[-1], dir_fd=self._folder(parts[:-1]), follow_symlinks=False)
            if not stat.S_ISDIR(top.st_mode):
                yield parts
                return
        yield from self._walk(parts)

    def _walk(self, parts: Parts) -> Iterator[Parts]:
        with os.scandir(self._folder(parts)) as entries:
            found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        for name, is_folder in found:
            if is_folder:
                yield from self._walk((*parts, name))
            elif not name.startswith(PARTIAL_PREFIX):
                yield (*parts, name)

    def copy_in(self, source: int, parts: Parts, *, first_half: bool = False) -> int:
        """Copy an open file here, under its name only when it is whole. Missing folders are made.

        :param first_half: leave out its second half, as a farm does that has a fault.
        :return: bytes copied.
        :raises Changed: the file was written meanwhile.
        :raises OSError: it cannot be read or written.
        """
        if not parts:
            raise PathNotAllowed("expected the name of a file")
        folder = self._folder(parts[:-1], make=True)
        before = os.fstat(source)
        unfinished = f"{PARTIAL_PREFIX}{_PROCESS_TOKEN}-{os.getpid()}-{next(_COUNTER)}"
        target = os.open(unfinished, CREATE_FLAGS, 0o666, dir_fd=folder)
        try:
            try:
                size = _copy_bytes(source, target, before.st_size // (2 if first_half else 1))
            finally:
                os.close(target)
            _check_unchanged(before, os.fstat(source))
            os.rename(unfinished, parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(unfinished, dir_fd=folder)
            raise
        return size

    def _folder(self, parts: Parts, *, make: bool = False) -> int:
        """Return the descriptor of a folder, which is good until the next is asked for."""
        if self._last[0] == parts:
            return self._last[1]
        folder = self._root
        for part in parts:
            try:
                if make:
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
        raise FileChanged("it has changed while it was copied")


def _copy_bytes(source: int, target: int, size: int) -> int:
    """Copy the first bytes of a file within the kernel, and return how many there were."""
    done = 0
    while done < size and (copied := os.sendfile(target, source, done, min(size - done, CHUNK_SIZE))):
        done += copied
    return done
