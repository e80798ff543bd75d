"""Which files a transfer copies, from where to where, by its type."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.storage.confined_folder import NotAllowed, open_file, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_renderbus.farm.storage.confined_folder import Enclosure

DRIVE = re.compile(r"([A-Za-z]):(?=/|$)")


@dataclass(frozen=True, slots=True)
class Item:
    """A file to be copied.

    :param name: its path as the output lines show it.
    :param open: opens it to be read.
    :param target: its path where it is copied to, not yet checked.
    """

    name: str
    open: Callable[[], int]
    target: str


def uploads(kind: str, local: str, remote: str, cut: slice, *, keep: bool) -> list[Item]:
    """Return what an upload copies.

    :param kind: ``upload_path``, ``upload_json`` or ``upload_list``.
    :param local: the file to send, or the file that names what to send.
    :param remote: of a single file its path in the storage, else the folder there.
    :param cut: which entries of a list.
    :param keep: of a list of paths, keep their folders.
    :raises OSError: there is no such local file.
    :raises ValueError: it does not hold what the kind wants.
    """
    if kind == "upload_path":
        return [_upload(local, remote)] if Path(local).stat() else []
    if kind == "upload_json":
        return [_upload(*pair) for pair in _assets(local, remote)][cut]
    targets = ((path, server_path(path) if keep else _last(path)) for path in _lines(local))
    return [_upload(path, f"{remote}/{target}") for path, target in targets][cut]


def downloads(kind: str, remote: str, cut: slice, storage: Enclosure, *, keep: bool) -> Iterator[Item]:
    """Yield what a download copies; targets are relative to the local folder.

    :param kind: ``download_path`` or ``download_list``.
    :param remote: the path in the storage of a file or folder, or the local file with a list of such paths.
    :param cut: which entries of a list.
    :param keep: keep the folders of the storage, from its root.
    :raises OSError: there is no such list.
    :raises ValueError: it is none.
    """
    for name in _lines(remote)[cut] if kind == "download_list" else [remote]:
        try:
            top = parts_of(name)
            found = list(storage.files(top))
        except (OSError, NotAllowed):  # told again when it is opened
            yield Item(name, partial(_open, storage, name), name)
            continue
        for parts in found:
            kept = parts if keep else parts[len(top) :] or parts[-1:]
            yield Item(f"/{'/'.join(parts)}", partial(storage.open, parts), "/".join(kept))


def server_path(local: str) -> str:
    """Return where a local path lies in the input storage: without the drive's colon, with slashes only."""
    return DRIVE.sub(r"\1", local.replace("\\", "/"), count=1).lstrip("/")


def _upload(local: str, target: str) -> Item:
    return Item(local, partial(open_file, local), target)


def _open(storage: Enclosure, name: str) -> int:
    return storage.open(parts_of(name))


def _assets(path: str, remote: str) -> Iterator[tuple[str, str]]:
    try:
        content = json.loads(Path(path).read_bytes())
        scene = content.get("scene")
        for entry in [*content["asset"], *([scene] if scene else [])]:
            yield entry["local"] + "", f"{remote}/" + entry["server"]  # fails where they are no texts
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError(f"{path} is no upload.json: expected {{'asset': [{{'local', 'server'}}]}}") from None


def _lines(path: str) -> list[str]:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no list: expected a path a line, in UTF-8") from None
    return [line for line in text.split("\n") if line.strip()]


def _last(path: str) -> str:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]
