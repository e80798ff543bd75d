"""Which files a transfer copies, from where to where, by its type."""

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
    """A file to be copied.

    :param name: its path as the output lines show it.
    :param open: opens it to be read.
    :param target: its path where it is copied to, not yet checked.
    """

    name: str
    open: Callable[[], int]
    target: str


def list_uploads(
    transfer_type: str, local: str, remote: str, entries: slice, *, keep_paths: bool
) -> list[TransferItem]:
    """Return what an upload copies.

    :param transfer_type: ``upload_path``, ``upload_json`` or ``upload_list``.
    :param local: the file to send, or the file that names what to send.
    :param remote: of a single file its path in the storage, else the folder there.
    :param entries: which entries of a list.
    :param keep_paths: of a list of paths, keep their folders.
    :raises OSError: there is no such local file.
    :raises ValueError: it does not hold what the kind wants.
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
    """Yield what a download copies; targets are relative to the local folder.

    :param transfer_type: ``download_path`` or ``download_list``.
    :param remote: the path in the storage of a file or folder, or the local file with a list of such paths.
    :param entries: which entries of a list.
    :param keep_paths: keep the folders of the storage, from its root.
    :raises OSError: there is no such list.
    :raises ValueError: it is none.
    """
    for name in _read_lines(remote)[entries] if transfer_type == "download_list" else [remote]:
        try:
            top = split_path(name)
            found = list(storage.list_files(top))
        except (OSError, PathNotAllowed):  # told again when it is opened
            yield TransferItem(name, partial(_open, storage, name), name)
            continue
        for parts in found:
            kept = parts if keep_paths else parts[len(top) :] or parts[-1:]
            yield TransferItem(f"/{'/'.join(parts)}", partial(storage.open, parts), "/".join(kept))


def server_path(local: str) -> str:
    """Return where a local path lies in the input storage: without the drive's colon, with slashes only."""
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
            yield entry["local"] + "", f"{remote}/" + entry["server"]  # fails where they are no texts
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError(f"{path} is no upload.json: expected {{'asset': [{{'local', 'server'}}]}}") from None


def _read_lines(path: str) -> list[str]:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no list: expected a path a line, in UTF-8") from None
    return [line for line in text.split("\n") if line.strip()]


def _base_name(path: str) -> str:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]
