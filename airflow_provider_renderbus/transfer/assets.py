"""What is sent: files with their places in the account's input storage, checked before anything moves."""

from __future__ import annotations

import glob
import json
import os
import stat
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_renderbus.transfer.errors import (
    FORBIDDEN_CHARACTERS,
    InvalidFiles,
    TransferIncomplete,
    join_limited,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

FILES_PER_LIST = 20_000
"""Files in one upload.json: the command reads all of it before it sends anything."""
_FILES_PER_WRITE = 5_000


class Asset(NamedTuple):
    """A file that is sent.

    :param local: its absolute path here.
    :param server: its path in the input storage.
    :param size: bytes.
    :param modified: its time of change in nanoseconds since 1970.
    """

    local: str
    server: str
    size: int
    modified: int


def assets_from_paths(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Asset]:
    """Return the files that paths name, each once, with the places that the vendor's rule gives them.

    Of a POSIX path that is the path itself, so that a scene finds its assets under the names it knows. Links
    to files and folders are followed.

    :param paths: absolute paths of files or of folders, which are sent with all folders in them, or patterns
        as of :mod:`glob`, where ``**`` means any folders. A path that is there is no pattern.
    :raises Refused: something is not there or cannot be read, a pattern matches nothing, or a name cannot be
        sent. All that is wrong is told at once.
    """
    problems: list[str] = []
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    found: dict[str, None] = {}
    for each in given:
        path = os.fspath(each)
        if not path.startswith("/") or ".." in path.split("/"):
            problems.append(f"{path!r}: an absolute path without '..' is wanted")
        else:
            found |= dict.fromkeys(_files(os.path.normpath(path), problems))
    if not given:
        problems.append("at least one file, folder or pattern is wanted")
    return _validate(((path, path) for path in found), problems)


def assets_from_upload_json(content: Mapping[str, Any]) -> list[Asset]:
    """Return the files that an upload.json lists, each once.

    :param content: of the file, already held against its schema.
    :raises Refused: what :func:`of_paths` says, or two local files are to have one place.
    """
    scene = content.get("scene") or []
    entries = [*content["asset"], *([scene] if isinstance(scene, dict) else scene)]
    problems: list[str] = []
    if not entries:
        problems.append("upload.json lists no file")
    return _validate(dict.fromkeys((entry["local"], entry["server"]) for entry in entries), problems)


def write_lists(assets: Sequence[Asset], folder: Path) -> Iterator[tuple[Path, Sequence[Asset]]]:
    """Write upload.json files, and yield each with what it lists.

    :param assets: the files.
    :param folder: where to; an upload.json lies there only until the next is asked for.
    """
    for start in range(0, len(assets), FILES_PER_LIST):
        listed = assets[start : start + FILES_PER_LIST]
        path = folder / "upload.json"
        with path.open("w", encoding="utf-8") as file:
            file.write('{"asset": [')
            for at in range(0, len(listed), _FILES_PER_WRITE):
                pairs = [
                    {"local": asset.local, "server": asset.server}
                    for asset in listed[at : at + _FILES_PER_WRITE]
                ]
                # The list's brackets are left out: the pieces make one list.
                file.write(f"{',' if at else ''}{json.dumps(pairs, ensure_ascii=False)[1:-1]}")
            file.write("]}")
        yield path, listed


def raise_if_changed(assets: Iterable[Asset]) -> None:
    """Look whether files are as they were when they were checked.

    :raises Unfinished: some have changed, so that the farm may hold half of each state; another try sends
        them again.
    """
    changed = [asset.local for asset in assets if _state(asset.local) != (asset.size, asset.modified)]
    if changed:
        raise TransferIncomplete(f"Files have changed while they were sent: {join_limited(changed)}")


def _state(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a hundred thousand of them: Path would double the time
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _files(path: str, problems: list[str]) -> Iterator[str]:
    if os.path.lexists(path):
        yield from _walk(path, problems, ())
        return
    # Path.glob reads ** differently from one line of Python to the next.
    matches = sorted(glob.iglob(path, recursive=True, include_hidden=True))  # noqa: PTH207
    if not matches:
        problems.append(f"{path!r}: there is nothing of that name, and nothing matches it")
    for match in matches:
        yield from _walk(match, problems, ())


def _walk(path: str, problems: list[str], around: tuple[tuple[int, int], ...]) -> Iterator[str]:
    """Yield the files of a folder, or the file. A folder that holds itself by a link is walked once."""
    try:
        found = os.stat(path)  # noqa: PTH116 - see above
        if not stat.S_ISDIR(found.st_mode):
            yield path
            return
        own = (found.st_dev, found.st_ino)
        if own in around:
            return
        with os.scandir(path) as entries:
            inside = sorted((entry.path, entry.is_dir()) for entry in entries)
    except OSError as problem:
        problems.append(f"{path!r}: {problem.strerror}")
        return
    for inner, is_folder in inside:
        if is_folder:
            yield from _walk(inner, problems, (*around, own))
        else:
            yield inner


def _validate(pairs: Iterable[tuple[str, str]], problems: list[str]) -> list[Asset]:
    assets: list[Asset] = []
    places: dict[str, str] = {}
    for local, server in pairs:
        problem = _name_problem(local, server)
        place = server.strip("/")
        if not problem and place in places:
            if places[place] == local:
                continue
            problem = f"{places[place]!r} is to have the same place, {server!r}"
        places[place] = local
        if not problem:
            try:
                found = os.stat(local)  # noqa: PTH116 - see above
            except (OSError, ValueError) as error:
                problem = getattr(error, "strerror", None) or str(error)
            else:
                problem = _file_problem(local, found)
                assets.append(Asset(local, server, found.st_size, found.st_mtime_ns))
        if problem:
            problems.append(f"{local!r}: {problem}")
    if not assets and not problems:
        problems.append("the folders hold no file")
    if problems:
        raise InvalidFiles(f"Nothing was sent. {join_limited(problems)}")
    return assets


def _name_problem(local: str, server: str) -> str:
    for what, path in (("its path", local), ("its place in the storage", server)):
        if FORBIDDEN_CHARACTERS.search(path):
            return f"{what} holds a backslash, a line break or another character that cannot be sent"
        if ".." in path and ".." in path.split("/"):
            return f"{what} holds '..'"
    if not local.startswith("/"):
        return "an absolute path is wanted"
    return "" if server.strip("/") else "its place in the storage is empty"


def _file_problem(path: str, found: os.stat_result) -> str:
    if not stat.S_ISREG(found.st_mode):
        return "a file is wanted, not a folder, a pipe or a device"
    return "" if os.access(path, os.R_OK) else "it may not be read"
