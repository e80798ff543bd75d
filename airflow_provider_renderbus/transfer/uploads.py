"""Uploads scenes and assets: lists and validates all files, then runs the command on upload.json files."""

from __future__ import annotations

import glob
import json
import logging
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_renderbus.api.text import join_limited
from airflow_provider_renderbus.api.validation import excerpt
from airflow_provider_renderbus.transfer.command import MAX_SPEED_KB_PER_S, TransferArguments
from airflow_provider_renderbus.transfer.errors import (
    FORBIDDEN_CHARACTERS,
    InvalidFiles,
    TransferIncomplete,
)
from airflow_provider_renderbus.transfer.folder import staging_folder
from airflow_provider_renderbus.transfer.process import describe_size
from airflow_provider_renderbus.transfer.progress import TransferProgress
from airflow_provider_renderbus.transfer.spelling import find_spelling, folded, forms, normal_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from airflow_provider_renderbus.transfer.endpoints import StorageEndpoint
    from airflow_provider_renderbus.transfer.process import TransferRunner

log = logging.getLogger(__name__)

FILES_PER_LIST = 20_000
"""Files per upload.json: the command reads all of it before it sends anything."""
_FILES_PER_WRITE = 5_000


class Asset(NamedTuple):
    """A local file to upload: both its paths, its size in bytes, its modification time in nanoseconds."""

    local: str
    server: str
    size: int
    modified: int


class UploadResult(NamedTuple):
    """How many files are in the input storage now, and their bytes."""

    files: int
    size: int


def assets_from_paths(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Asset]:
    """Return the files at paths, each once, with the server paths that the vendor's rule gives them.

    The server path of a POSIX path is the path itself as its author wrote it, so that the scene finds its
    assets. The disk may compose its letters in another way. Links to files and folders are followed.

    :param paths: absolute paths of files, of folders (uploaded with all subfolders), or patterns of
        :mod:`glob`, in which ``**`` matches any folders. A path that exists is not treated as a pattern.
    :raises InvalidFiles: a path is missing or unreadable, a pattern matches nothing, or a name cannot be
        transferred. The message lists all problems.
    """
    problems: list[str] = []
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    files: dict[tuple[str, str], None] = {}
    for each in given:
        path: Any = os.fspath(each) if isinstance(each, os.PathLike) else each
        if not isinstance(path, str):
            problems.append(f"{excerpt(each)}: must be a path")
        elif not path.startswith("/") or ".." in path.split("/"):
            problems.append(f"{path!r}: must be an absolute path without '..'")
        else:
            files |= dict.fromkeys(_find_files(normal_path(path), problems))
    if not given:
        problems.append("must have at least one file, folder or pattern")
    return _validate(files, problems)


def assets_from_upload_json(content: Mapping[str, Any]) -> list[Asset]:
    """Return the files that a valid upload.json lists, each once.

    :raises InvalidFiles: see :func:`assets_from_paths`; also if two local files have the same server path.
    """
    scene = content.get("scene") or []
    entries = [*content["asset"], *([scene] if isinstance(scene, dict) else scene)]
    problems: list[str] = []
    if not entries:
        problems.append("upload.json lists no file")
    return _validate(dict.fromkeys((entry["local"], entry["server"]) for entry in entries), problems)


def upload(
    runner: TransferRunner,
    endpoint: StorageEndpoint,
    assets: Sequence[Asset],
    resume_ini: Path | None,
    speed_limit_kb_per_s: int = MAX_SPEED_KB_PER_S,
) -> UploadResult:
    """Upload validated files to the input storage. The command skips files that the resume database holds.

    :raises TransferError: not all files were uploaded.
    """
    size = sum(asset.size for asset in assets)
    started_at = runner.clock()
    log.info("Uploading %s", describe_size(len(assets), size))
    with staging_folder(resume_ini.parent if resume_ini else Path(tempfile.gettempdir())) as staging:
        folder = staging.list.parent
        for upload_json, batch in write_lists(assets, folder):
            arguments = TransferArguments(
                "upload_json", endpoint, upload_json, "/", resume_ini, speed_limit_kb_per_s, folder
            )
            runner.run(arguments, TransferProgress({asset.local: asset.size for asset in batch}))
            raise_if_changed(batch)
    seconds = runner.clock() - started_at
    log.info("Uploaded %s in %.0f s", describe_size(len(assets), size), seconds)
    return UploadResult(len(assets), size)


def write_lists(assets: Sequence[Asset], folder: Path) -> Iterator[tuple[Path, Sequence[Asset]]]:
    """Write upload.json files, each over the previous one, and yield each with the files that it lists."""
    for start in range(0, len(assets), FILES_PER_LIST):
        batch = assets[start : start + FILES_PER_LIST]
        path = folder / "upload.json"
        with path.open("w", encoding="utf-8") as file:
            file.write('{"asset": [')
            for offset in range(0, len(batch), _FILES_PER_WRITE):
                entries = [
                    {"local": asset.local, "server": asset.server}
                    for asset in batch[offset : offset + _FILES_PER_WRITE]
                ]
                # Without the brackets of their lists, all chunks make one list.
                file.write(f"{',' if offset else ''}{json.dumps(entries, ensure_ascii=False)[1:-1]}")
            file.write("]}")
        yield path, batch


def raise_if_changed(assets: Iterable[Asset]) -> None:
    """Raise TransferIncomplete if files have changed: the farm may have a mixture of both states."""
    changed = [asset.local for asset in assets if _size_and_time(asset.local) != (asset.size, asset.modified)]
    if changed:
        raise TransferIncomplete(f"Files changed during the upload: {join_limited(changed)}")


def _size_and_time(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - for 100,000 files Path takes twice as long
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _find_files(path: str, problems: list[str]) -> Iterator[tuple[str, str]]:
    """Yield local and server paths of the files at a path, or of those that match it as a pattern."""
    found = find_spelling(path)
    if os.path.lexists(found):
        for file in _walk(found, problems, ()):
            yield file, path + file[len(found) :]
        return
    # What does not exist of the folder in front of a pattern is part of the pattern.
    head = path[: len(path) - len(path.lstrip("/"))]
    for part in path.split("/")[1:-1]:
        if glob.has_magic(part):
            break
        head = f"{head.rstrip('/')}/{part}"
    found_head, tail = find_spelling(head), path[len(head) :]
    # Path.glob treats ** differently in each version of Python.
    matches = sorted(
        {
            match
            for form in forms(tail)
            for match in glob.iglob(found_head + form, recursive=True, include_hidden=True)  # noqa: PTH207
        }
    )
    if not matches:
        problems.append(f"{path!r}: no such file or folder, and no match")
    for match in matches:
        for file in _walk(match, problems, ()):
            yield file, head + file[len(found_head) :]


def _walk(path: str, problems: list[str], ancestors: tuple[tuple[int, int], ...]) -> Iterator[str]:
    """Yield the file, or the files of the folder. A folder that links to an ancestor is visited once."""
    try:
        status = os.stat(path)  # noqa: PTH116 - see above
        if not stat.S_ISDIR(status.st_mode):
            yield path
            return
        identity = (status.st_dev, status.st_ino)
        if identity in ancestors:
            return
        with os.scandir(path) as entries:
            children = sorted((entry.path, entry.is_dir()) for entry in entries)
    except OSError as error:
        problems.append(f"{path!r}: {error.strerror}")
        return
    for child, is_folder in children:
        if is_folder:
            yield from _walk(child, problems, (*ancestors, identity))
        else:
            yield child


def _validate(pairs: Iterable[tuple[str, str]], problems: list[str]) -> list[Asset]:
    """Return assets of pairs of local path and server path, or raise an error with all problems."""
    assets: list[Asset] = []
    known = _KnownTargets({}, {})
    for given, server in pairs:
        local = find_spelling(given)
        problem = _name_problem(local, server)
        other = None if problem else known.other_file(local, server)
        if other == local:
            continue
        if other is not None:
            problem = f"{other!r} has the same server path {server!r}"
        if not problem:
            try:
                status = os.stat(local)  # noqa: PTH116 - see above
            except (OSError, ValueError) as error:
                problem = getattr(error, "strerror", None) or str(error)
            else:
                problem = _file_problem(local, status)
                assets.append(Asset(local, server, status.st_size, status.st_mtime_ns))
        if problem:
            problems.append(f"{local!r}: {problem}")
    if not assets and not problems:
        problems.append("the folders have no files")
    if problems:
        raise InvalidFiles(f"Nothing was uploaded. {join_limited(problems)}")
    return assets


class _KnownTargets(NamedTuple):
    """Local files by server path, as it is written and as all spellings of it."""

    by_path: dict[str, str]
    by_folded: dict[str, str]

    def other_file(self, local: str, server: str) -> str | None:
        """Return the file that has this server path already: the local one itself if it is the same file.

        Else None, and the file has the path from now on.
        """
        path = f"/{server.strip('/')}"
        if "//" in path or "/." in path:
            path = normal_path(path)
        other = self.by_path.get(path)
        spelled = self.by_folded.get(folded(path)) if other is None else other
        if spelled is not None and _is_same_file(spelled, local):
            return local
        if other is None:
            self.by_path[path] = self.by_folded[folded(path)] = local
        return other


def _is_same_file(one: str, other: str) -> bool:
    try:
        return one == other or Path(one).samefile(other)
    except OSError:
        return False


def _name_problem(local: str, server: str) -> str:
    for kind, path in (("local path", local), ("server path", server)):
        if FORBIDDEN_CHARACTERS.search(path):
            return f"{kind} must not have a backslash, line break or other control character"
        if ".." in path and ".." in path.split("/"):
            return f"{kind} must not have '..'"
    if not local.startswith("/"):
        return "must be an absolute path"
    return "" if server.strip("/") else "server path must not be empty"


def _file_problem(path: str, status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return "must be a file, not a folder, pipe or device"
    return "" if os.access(path, os.R_OK) else "not readable"
