"""The hidden folder that files come into before they are whole."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_renderbus.transfer.folder import HIDDEN, ONE_FOLDER, Folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK = "lock"
_NEW = 60.0  # seconds in which a worker has surely locked what it has made


class Halfway(NamedTuple):
    """A hidden folder.

    :param files: what is fetched comes into it.
    :param list: where the list of wanted files can be written, out of the way of all of them.
    """

    files: Folder
    list: Path


@contextmanager
def halfway(folder: Path) -> Iterator[Halfway]:
    """Make a hidden folder in a folder; it is removed at the end.

    What a worker has left that was killed is removed too: it is known by its lock, which ends with its
    process.

    :raises OSError: it cannot be made.
    """
    for left in folder.glob(f"{HIDDEN}*"):
        with suppress(FileNotFoundError):  # another worker was faster
            if time.time() - left.lstat().st_mtime > _NEW:
                with _locked(left) as is_left:
                    if is_left:
                        shutil.rmtree(left, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=HIDDEN, dir=folder))
    try:
        with _locked(path), Folder(path / "files") as files:
            yield Halfway(files, path / "list")
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold the lock of a hidden folder, and tell whether it could be had."""
    try:
        folder = os.open(path, ONE_FOLDER)
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
