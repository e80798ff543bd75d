"""Lists the files that a transfer copies, with source and target, by the type of the transfer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.storage.confined_folder import PathNotAllowed, open_file, split_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_renderbus.farm.storage.confined_folder import ConfinedFolder

_DRIVE = re.compile(r"([A-Za-z]):(?=/|$)")


@dataclass(frozen=True, slots=True)
class TransferItem:
    """A file to copy.

    :param name: path of the file in the output lines.
    :param open: opens the file for reading.
    :param target: path of the copy, not validated yet.
    """

    name: str
    open: Callable[[], int]
    target: str


def list_uploads(
    transfer_type: str, local: str, remote: str, entries: slice, *, keep_paths: bool
) -> list[TransferItem]:
    """Return the files of an upload.

    :param transfer_type: ``upload_path``, ``upload_json`` or ``upload_list``.
    :param local: the file to send, or the list of files to send.
    :param remote: path of a single file in the storage, else of the folder.
    :param entries: the entries of the list to copy.
    :param keep_paths: whether the files of a list of paths keep their folders.
    :raises OSError: the local file does not exist.
    :raises ValueError: the list has a wrong format.
    """
    if transfer_type == "upload_path":
        return [_upload_item(local, remote)] if Path(local).stat() else []
    if transfer_type == "upload_json":
        return [_upload_item(*pair) for pair in _read_assets(local, remote)][entries]
    targets = ((path, server_path(path) if keep_paths else _base_name(path)) for path in _read_lines(local))
    return [_upload_item(path, f"{remote}/{target}") for path, target in targets][entries]


def list_downloads(
    transfer_type: str, remote: str, entries: slice, storage: ConfinedFolder, *, keep_paths: bool
) -> Iterator[TransferItem]:
    """Yield the files of a download; targets are relative to the local folder.

    :param transfer_type: ``download_path`` or ``download_list``.
    :param remote: path of a file or folder in the storage, or a local file with a list of such paths.
    :param entries: the entries of the list to copy.
    :param storage: the customer's folder.
    :param keep_paths: whether targets keep the folders from the root of the storage.
    :raises OSError: the list does not exist.
    :raises ValueError: the list has a wrong format.
    """
    for name in _read_lines(remote)[entries] if transfer_type == "download_list" else [remote]:
        try:
            top = split_path(name)
            files = list(storage.list_files(top))
        except (OSError, PathNotAllowed):  # opening the file raises it again
            yield TransferItem(name, partial(_open, storage, name), name)
            continue
        for parts in files:
            target = parts if keep_paths else parts[len(top) :] or parts[-1:]
            yield TransferItem(f"/{'/'.join(parts)}", partial(storage.open, parts), "/".join(target))


def server_path(local: str) -> str:
    """Return the path of a local file in the input storage: no colon after the drive, only slashes."""
    return _DRIVE.sub(r"\1", local.replace("\\", "/"), count=1).lstrip("/")


def _upload_item(local: str, target: str) -> TransferItem:
    return TransferItem(local, partial(open_file, local), target)


def _open(storage: ConfinedFolder, name: str) -> int:
    return storage.open(split_path(name))


def _read_assets(path: str, remote: str) -> Iterator[tuple[str, str]]:
    try:
        content = json.loads(Path(path).read_bytes())
        scene = content.get("scene")
        for entry in [*content["asset"], *([scene] if scene else [])]:
            yield entry["local"] + "", f"{remote}/" + entry["server"]  # raises if these are not strings
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError(f"{path}: must be {{'asset': [{{'local', 'server'}}]}}, as in upload.json") from None


def _read_lines(path: str) -> list[str]:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: must be a UTF-8 text with one path per line") from None
    return [line for line in text.split("\n") if line.strip()]


def _base_name(path: str) -> str:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]
