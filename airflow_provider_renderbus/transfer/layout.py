"""Where frames go below the folder of a download: as in the storage, or by layer, shot or render."""

from __future__ import annotations

import os
import re
import string
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.validation import MAX_LAYOUT_CHARS
from airflow_provider_renderbus.transfer.errors import FORBIDDEN_CHARACTERS
from airflow_provider_renderbus.transfer.folder import STAGING_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from airflow_provider_renderbus.transfer.downloads import RemoteFile
    from airflow_provider_renderbus.transfer.folder import Parts

LAYOUT_FIELDS = ("layer", "shot", "render_task_id", "output_folder")
"""The fields of a layout."""
_LAYOUT_HELP = (
    "must be a relative path of names and the fields "
    f"{', '.join(f'{{{name}}}' for name in LAYOUT_FIELDS)}, such as '{{shot}}/{{layer}}'"
)
_DIGITS = re.compile(r"[0-9]+")
_MAX_NAME_BYTES = 255


def check_layout(name: str, layout: object) -> str:
    """Return a layout that is valid.

    :param name: name of the argument, for error messages.
    :raises ValueError: it is not a relative path of known fields.
    """
    if not isinstance(layout, str):
        raise ValueError(f"{name}: {_LAYOUT_HELP}, got {type(layout).__name__}")
    try:
        fields = list(string.Formatter().parse(layout))
    except ValueError as error:
        raise ValueError(f"{name}: {_LAYOUT_HELP}, got {layout!r} ({error})") from None
    is_plain = all(
        field is None or (field in LAYOUT_FIELDS and not spec and not conversion)
        for _, field, spec, conversion in fields
    )
    parts = layout.split("/")
    if not is_plain or any(
        part in {"", ".", ".."} or part.startswith(STAGING_PREFIX) or FORBIDDEN_CHARACTERS.search(part)
        for part in parts
    ):
        raise ValueError(f"{name}: {_LAYOUT_HELP}, got {layout!r}")
    if len(layout) > MAX_LAYOUT_CHARS:
        raise ValueError(f"{name}: must be at most {MAX_LAYOUT_CHARS} characters, got {len(layout)}")
    return layout


def layout_folder(layout: str, values: Mapping[str, object]) -> Parts:
    """Return the folder of a layer, below that of the download.

    :param values: of the fields; a slash in one of them does not make a folder.
    """
    safe = {name: _safe_name(str(value)) for name, value in values.items()}
    return tuple(_cut(part) for part in layout.format_map(safe).split("/"))


def place(files: Iterable[RemoteFile], folder: Parts) -> list[RemoteFile]:
    """Return files with a folder in place of the first one of their paths in the storage."""
    return [file._replace(target=(*folder, *(file.parts[1:] or file.parts))) for file in files]


def check_targets(layers: Iterable[Sequence[RemoteFile]]) -> None:
    """Check that no two files go to one place.

    :raises ValueError: two do.
    """
    sources: dict[Parts, str] = {}
    for files in layers:
        for file in files:
            other = sources.setdefault(file.target, file.path)
            if other != file.path:
                raise ValueError(
                    f"layout: must have a place for each file, got {'/'.join(file.target)} for {other} and "
                    f"{file.path}; add {{layer}} or {{render_task_id}}"
                )


def find_strangers(folder: Path, files: Iterable[RemoteFile]) -> list[str]:
    """Return files that are on the disk beside others of their sequences, and are not among them."""
    names: dict[Parts, set[str]] = {}
    for file in files:
        names.setdefault(file.target[:-1], set()).add(file.target[-1])
    strangers = []
    for parts, own in names.items():
        kinds = {_DIGITS.sub("#", name) for name in own}
        try:
            present = os.listdir(folder.joinpath(*parts))  # noqa: PTH208 - names only
        except OSError:
            continue
        strangers += [
            "/".join((*parts, name))
            for name in sorted(present)
            if name not in own and _DIGITS.sub("#", name) in kinds
        ]
    return strangers


def _safe_name(text: str) -> str:
    name = FORBIDDEN_CHARACTERS.sub("_", text).strip("/").replace("/", "_")
    return f"_{name}" if name in {"", ".", ".."} or name.startswith(STAGING_PREFIX) else name


def _cut(name: str) -> str:
    return name.encode()[:_MAX_NAME_BYTES].decode(errors="ignore")
