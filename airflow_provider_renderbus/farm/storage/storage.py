"""The farm's storage folder: private files, finished frames, and what a customer sees of them.

``account.json``, ``connections.json`` and ``farm.db`` are for the owner alone, ``scratch/`` holds frames
that are being made, and ``output/<bid>-<user>/`` is the root "/" of the customer's output storage: a frame
appears there only when it is done. Thumbnails and the tiles of which frames were made lie under
``thumbnails/`` and ``tiles/``, for the farm's pages. ``input/<bid>-<user>/`` and
``config/<bid>-<user>/`` hold what the transfer command has brought.
"""

from __future__ import annotations

import os
import shutil
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from stat import S_ISDIR, S_ISLNK
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.storage.confined_folder import ConfinedFolder, PathNotAllowed

if TYPE_CHECKING:
    from pathlib import Path

MAX_TASK_FILE_BYTES = 20 * 1024 * 1024  # bytes, as of one that comes by the API
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
# The farm gives such times as text without a zone; its documents suggest China's.
FARM_ZONE = timezone(timedelta(hours=8))


def thumbnail_path(path: Path) -> Path:
    """Return where the thumbnail of a picture in the scratch folder lies."""
    return path.with_suffix(".thumbnail")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; it appears whole or not at all."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "w") as file:
        file.write(text)
    new.replace(path)


class Storage:
    """The folders under the farm's storage folder, which are made where they are missing.

    :param root: the storage folder.
    :param inputs: the name of the customer's folder for scenes, ``<bid>-<user id>``.
    :param outputs: likewise for frames.
    :param configs: likewise for files that describe tasks.
    :raises ValueError: the folder is open to others and holds files that are not the farm's.
    """

    def __init__(self, root: Path, inputs: str, outputs: str, configs: str) -> None:
        self.root = root = root.resolve()
        self.account_file = root / "account.json"
        self.connections_file = root / "connections.json"
        self.database_file, self.lock_file = root / "farm.db", root / "lock"
        self.input = root / "input" / inputs
        self.output = root / "output" / outputs
        self.config = root / "config" / configs
        self.thumbnails, self.tiles = root / "thumbnails", root / "tiles"
        self._prefix_length = len(str(self.output))
        self._latest_files: dict[str, str] = {}
        self.scratch = root / "scratch"
        root.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
        if root.stat().st_mode & ~PRIVATE_FOLDER & 0o777:
            if any(root.iterdir()) and not self.account_file.exists():
                raise ValueError(
                    f"{root} is open to others and holds files that are not the farm's; "
                    "expected an empty or a new folder, or one with mode 0700"
                )
            root.chmod(PRIVATE_FOLDER)
        for folder in (self.input, self.output, self.config, self.thumbnails, self.tiles):
            folder.mkdir(parents=True, exist_ok=True)

    def clear_scratch(self) -> None:
        """Make the scratch folder anew: what a farm that was killed has left in it is never used."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()

    def last_task_id(self) -> int:
        """Return the highest task number that has output here, or 0."""
        heads = (folder.name.partition("_")[0] for folder in self.output.iterdir())
        return max((int(head) for head in heads if head.isdecimal()), default=0)

    def publish(self, path: Path, folder: str, name: str, *, is_tile: bool = False) -> None:
        """Move a finished file and its thumbnail from the scratch folder to where they are seen.

        :param folder: the task's output folder.
        :raises OSError: it cannot be moved.
        """
        thumbnail = thumbnail_path(path)
        if thumbnail.exists():
            _move(thumbnail, self.thumbnails / folder, name)
        _move(path, (self.tiles if is_tile else self.output) / folder, name)
        self._latest_files[folder] = name

    def latest_file(self, folder: str) -> str | None:
        """Return the name of the file last published in an output folder, None before there is one."""
        if folder not in self._latest_files:
            names = sorted(path.name for path in (self.thumbnails / folder).glob("*") if path.is_file())
            self._latest_files[folder] = names[-1] if names else ""
        return self._latest_files[folder] or None

    def read_task_file(self, task_id: int, name: str) -> bytes | None:
        """Return a file with which the transfer command has described a task, None where there is none."""
        try:
            with ConfinedFolder(self.config) as config:
                return config.read((str(task_id), "cfg", name), MAX_TASK_FILE_BYTES)
        except (OSError, PathNotAllowed):
            return None

    def file_entry(self, path: str, *, in_arrears: bool = False) -> dict[str, Any] | None:
        """Return what the farm tells about a file or folder of the output storage.

        :return: None for a link, which leads out of the storage, and for what is not there any more.
        """
        try:
            stat = os.lstat(path)
        except FileNotFoundError:
            return None
        if S_ISLNK(stat.st_mode):
            return None
        is_folder = S_ISDIR(stat.st_mode)
        # Not pathlib's: a folder of ten thousand frames is listed at once.
        name = path.rpartition("/")[2]
        _, dot, ending = name.lstrip(".").rpartition(".")
        return {
            "fileName": name,
            "fileSize": None if is_folder else stat.st_size,
            "iconPath": None,
            "lastModify": _format_time(int(stat.st_mtime)),
            "fileType": None if is_folder else ending if dot else "",
            "filePath": self.customer_path(path),
            "directory": is_folder,
            "isArrears": int(in_arrears),
        }

    def list_folder(self, folder: Path) -> list[str]:
        """Return the paths of what is in a folder, sorted."""
        with os.scandir(folder) as entries:
            return sorted(entry.path for entry in entries)

    def customer_path(self, path: str) -> str:
        """Return how the customer names a file or folder of the output storage."""
        return path[self._prefix_length :]

    def resolve_folder(self, tree_path: str) -> Path | None:
        """Return the folder that a customer's path names, or None where there is none.

        :param tree_path: a path from the root "/" of the output storage. One that leaves it names nothing.
        """
        try:
            folder = (self.output / tree_path.strip("/")).resolve()
            inside = folder.is_relative_to(self.output.resolve()) and folder.is_dir()
        except (OSError, ValueError):  # too long a name, a NUL in it
            return None
        return folder if inside else None


@lru_cache
def _format_time(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment, FARM_ZONE):%Y-%m-%d %H:%M:%S}"


def _move(file: Path, folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    file.replace(folder / name)
