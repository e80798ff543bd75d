"""Where running farms enrol, so that the transfer command finds the storage of the farm at a port.

Each has a small file in a folder of the user's own under the temporary folder: ``renderbus-farms-<uid>``.
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
"""The environment variable that names a farm's storage folder, in place of what is enrolled."""
LOCAL_NAMES = ("127.0.0.1", "localhost")
"""Names by which only this machine calls itself."""
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - compared with, not bound


@contextmanager
def registered(host: str, port: int, storage: Path) -> Iterator[None]:
    """Be found, while the block lasts, as the farm at a port.

    :param storage: the farm's storage folder.
    :raises OSError: the folder cannot be made, or is another user's.
    """
    entry = _folder() / f"{port}.json"
    new = entry.with_suffix(f".{os.getpid()}")
    with new.open("w") as file:
        # The lock ends with this process, however it ends; a process number could be another's by then.
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump({"host": host, "storage": str(storage.absolute())}, file)
        file.flush()
        new.replace(entry)
        try:
            yield
        finally:
            entry.unlink(missing_ok=True)


def find_storage(host: str, port: int) -> Path | None:
    """Return the storage folder of the farm that runs at an address, None where none does.

    :raises OSError: the folder with the entries is another user's.
    """
    if named := os.environ.get(STORAGE_VARIABLE):
        return Path(named)
    try:
        with (_folder() / f"{port}.json").open() as file:
            if not _is_locked(file):
                return None
            entry = json.load(file)
    except FileNotFoundError:
        return None
    here = (entry["host"], *LOCAL_NAMES) if entry["host"] in (*LOCAL_NAMES, ANY_ADDRESS) else (entry["host"],)
    return Path(entry["storage"]) if host in here else None


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
        raise OSError(f"{folder} is not this user's alone; remove it, or set {STORAGE_VARIABLE}")
    return folder
