"""Registry of running farms, with which the transfer command finds the storage of the farm at a port.

Each running farm has a small file in ``renderbus-farms-<uid>``, a folder in the temporary folder that only
the user can access.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

STORAGE_VARIABLE = "RENDERBUS_FARM_STORAGE"
"""Environment variable with the path of a storage folder; it overrides the registry."""
LOCAL_NAMES = ("127.0.0.1", "localhost")
"""Names of the loopback interface."""
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - compared with, not bound


@contextmanager
def registered(host: str, port: int, storage: Path) -> Iterator[None]:
    """Register a farm while the block runs.

    :param host: address that the farm listens on.
    :param port: port of the farm.
    :param storage: storage folder of the farm.
    :raises OSError: the folder of the registry cannot be created or belongs to another user.
    """
    entry = _folder() / f"{port}.json"
    new = entry.with_suffix(f".{os.getpid()}")
    with new.open("w") as file:
        # The kernel releases the lock when this process ends; a stored process id might be reused.
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump({"host": host, "storage": str(storage.absolute())}, file)
        file.flush()
        new.replace(entry)
        try:
            yield
        finally:
            entry.unlink(missing_ok=True)


def find_storage(host: str, port: int) -> Path | None:
    """Return the storage folder of the farm running at an address, None if none is running.

    :raises OSError: the folder of the registry belongs to another user.
    """
    if path := os.environ.get(STORAGE_VARIABLE):
        return Path(path)
    try:
        with (_folder() / f"{port}.json").open() as file:
            if not _is_locked(file):
                return None
            entry = json.load(file)
    except FileNotFoundError:
        return None
    hosts = (
        (entry["host"], *LOCAL_NAMES) if entry["host"] in (*LOCAL_NAMES, ANY_ADDRESS) else (entry["host"],)
    )
    return Path(entry["storage"]) if host in hosts else None


def _is_locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"renderbus-farms-{os.getuid()}"
    folder.mkdir(0o700, exist_ok=True)
    stat = folder.lstat()
    if folder.is_symlink() or stat.st_uid != os.getuid() or stat.st_mode & 0o077:
        raise OSError(f"{folder}: must be accessible to this user only; remove it or set {STORAGE_VARIABLE}")
    return folder
