"""The storage folder of the farm: private files, finished frames and the customer's view of them.

``account.json``, ``connections.json`` and ``farm.db`` are private to the owner. ``scratch/`` holds frames in
progress. ``output/<bid>-<user>/`` is the root "/" of the customer's output storage; a frame appears there
when it is done. ``thumbnails/`` and ``tiles/`` are for the web console. ``input/<bid>-<user>/`` and
``config/<bid>-<user>/`` hold the files that the transfer command has uploaded.
"""

from __future__ import annotations

import os
import re
import shutil
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from stat import S_ISDIR, S_ISLNK
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.storage.confined_folder import ConfinedFolder, PathNotAllowed, split_path

if TYPE_CHECKING:
    from pathlib import Path

MAX_TASK_FILE_BYTES = 20 * 1024 * 1024  # the limit of an upload by API call
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
# The farm returns these times as text without time zone; its documents suggest China Standard Time.
FARM_ZONE = timezone(timedelta(hours=8))


_DRIVE = re.compile(r"([A-Za-z]):(?=/|$)")


def input_path(path: str) -> str:
    """Return the path in the input storage of a file, given by its path on a machine.

    As the vendor's packages upload it: without the colon of a drive and without leading slashes.
    """
    return _DRIVE.sub(r"\1", path.replace("\\", "/")).lstrip("/")


def thumbnail_path(path: Path) -> Path:
    """Return the path of the thumbnail of a file in the scratch folder."""
    return path.with_suffix(".thumbnail")


def write_private(path: Path, text: str) -> None:
    """Write a file that only the owner can read, with an atomic rename."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "w") as file:
        file.write(text)
    new.replace(path)


class Storage:
    """The folders of the farm's storage. Creates missing ones.

    :param root: the storage folder.
    :param inputs: name of the customer's folder for scenes, ``<bid>-<user id>``.
    :param outputs: the same for frames.
    :param configs: the same for task files.
    :raises ValueError: other users can access the folder, and it holds files of another program.
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
        mode = root.stat().st_mode & 0o777
        if mode & ~PRIVATE_FOLDER:
            if any(root.iterdir()) and not self.account_file.exists():
                raise ValueError(
                    f"storage: must be an empty or new folder, or have mode 0700, got {root} "
                    f"with mode {mode:04o} and files of another program"
                )
            root.chmod(PRIVATE_FOLDER)
        for folder in (self.input, self.output, self.config, self.thumbnails, self.tiles):
            folder.mkdir(parents=True, exist_ok=True)

    def clear_scratch(self) -> None:
        """Recreate the scratch folder, because files of a killed farm are not used."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()

    def last_task_id(self) -> int:
        """Return the highest task id with an output folder, 0 if there is none."""
        ids = (folder.name.partition("_")[0] for folder in self.output.iterdir())
        return max((int(task_id) for task_id in ids if task_id.isdecimal()), default=0)

    def publish(self, path: Path, folder: str, name: str, *, is_tile: bool = False) -> None:
        """Move a finished file and its thumbnail from the scratch folder to the customer's folders.

        :param path: the file in the scratch folder.
        :param folder: name of the task's output folder.
        :param name: the new name of the file.
        :param is_tile: whether the file is a tile, which is not part of the output.
        :raises OSError: the file cannot be moved.
        """
        thumbnail = thumbnail_path(path)
        if thumbnail.exists():
            _move(thumbnail, self.thumbnails / folder, name)
        _move(path, (self.tiles if is_tile else self.output) / folder, name)
        self._latest_files[folder] = name

    def latest_file(self, folder: str) -> str | None:
        """Return the name of the file published last in an output folder, None if there is none."""
        if folder not in self._latest_files:
            names = sorted(path.name for path in (self.thumbnails / folder).glob("*") if path.is_file())
            self._latest_files[folder] = names[-1] if names else ""
        return self._latest_files[folder] or None

    def read_task_file(self, task_id: int, name: str) -> bytes | None:
        """Return the content of an uploaded task file such as task.json, None if it does not exist."""
        try:
            with ConfinedFolder(self.config) as config:
                return config.read((str(task_id), "cfg", name), MAX_TASK_FILE_BYTES)
        except (OSError, PathNotAllowed):
            return None

    def has_input(self, path: str) -> bool:
        """Return whether the input storage has a file, given by its path on a machine."""
        try:
            parts = split_path(input_path(path))
            with ConfinedFolder(self.input) as inputs:
                return bool(parts) and inputs.size(parts) is not None
        except (OSError, ValueError):  # forbidden names, and text that is no path
            return False

    def file_entry(self, path: str, *, in_arrears: bool = False) -> dict[str, Any] | None:
        """Return the API's description of a file or folder in the output storage.

        :param path: absolute path.
        :param in_arrears: whether the task of the file has unpaid costs.
        :return: None for a symbolic link, which may lead out of the storage, and for a file that is gone.
        """
        try:
            stat = os.lstat(path)
        except FileNotFoundError:
            return None
        if S_ISLNK(stat.st_mode):
            return None
        is_folder = S_ISDIR(stat.st_mode)
        # pathlib would be too slow for a folder with ten thousand frames.
        name = path.rpartition("/")[2]
        _, dot, extension = name.lstrip(".").rpartition(".")
        return {
            "fileName": name,
            "fileSize": None if is_folder else stat.st_size,
            "iconPath": None,
            "lastModify": _format_time(int(stat.st_mtime)),
            "fileType": None if is_folder else extension if dot else "",
            "filePath": self.customer_path(path),
            "directory": is_folder,
            "isArrears": int(in_arrears),
        }

    def list_folder(self, folder: Path) -> list[str]:
        """Return the sorted paths of the entries of a folder."""
        with os.scandir(folder) as entries:
            return sorted(entry.path for entry in entries)

    def customer_path(self, path: str) -> str:
        """Return the customer's path of a file or folder in the output storage."""
        return path[self._prefix_length :]

    def resolve_folder(self, tree_path: str) -> Path | None:
        """Return the folder of a customer's path, None if it does not exist or is not in the storage.

        :param tree_path: path from the root "/" of the output storage.
        """
        try:
            folder = (self.output / tree_path.strip("/")).resolve()
            inside = folder.is_relative_to(self.output.resolve()) and folder.is_dir()
        except (OSError, ValueError):  # name too long, or with a NUL character
            return None
        return folder if inside else None


@lru_cache
def _format_time(timestamp: int) -> str:
    return f"{datetime.fromtimestamp(timestamp, FARM_ZONE):%Y-%m-%d %H:%M:%S}"


def _move(file: Path, folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    file.replace(folder / name)
