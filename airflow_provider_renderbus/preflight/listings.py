"""The farm's lists as values. Nobody has seen those of the live farm, so each is read entry by entry.

An entry that cannot be read is skipped, and its list is then incomplete: such a list can confirm a value, but
not refute one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

EMPTY = "the farm's list is empty"
OTHER_FORM = "the farm's list has another form than documented"
_EXTENSION = re.compile(r"[a-z0-9]+(?:\.[a-z0-9]+)*")
_DIGITS = re.compile("[0-9]{1,18}")
_MAX_TEXT_CHARS = 200


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """What the farm lists.

    :param values: the entries that can be read.
    :param gap: why a value that is not among them may be right all the same; "" if the list is complete.
    """

    values: tuple[T, ...] = ()
    gap: str = ""


@dataclass(frozen=True, slots=True)
class ListedSoftware:
    """A software: its id, its name if it has one, and the extensions of its scene files in lower case.

    :param has_linux: whether there are Linux machines for it; None if the farm does not say.
    """

    cg_id: int
    name: str | None
    extensions: tuple[str, ...]
    has_linux: bool | None


@dataclass(frozen=True, slots=True)
class ListedVersion:
    """A version of a software, with its id if it has one."""

    id: int | None
    text: str


@dataclass(frozen=True, slots=True)
class ListedPlugin:
    """A plug-in in one version, and the id of the version of the software that it is listed for.

    :param version: None if the plug-in is listed without versions.
    """

    version_id: int | None
    name: str
    version: str | None


@dataclass(frozen=True, slots=True)
class SoftwareDetail:
    """The versions of a software and its plug-ins on one operating system."""

    versions: Listing[ListedVersion]
    plugins: Listing[ListedPlugin]


@dataclass(frozen=True, slots=True)
class ListedPlatform:
    """A render platform."""

    id: int
    name: str | None
    status: int | None


@dataclass(frozen=True, slots=True)
class ListedHardware:
    """A kind of machine on one platform."""

    id: int
    platform: int | None
    status: int | None
    is_gpu: bool
    description: str
    unsupported: tuple[int, ...]


def read_software(data: Any) -> Listing[ListedSoftware]:
    """Read the data of ``query_software_list``. Of several entries for a software, each may be right."""
    listing = _read(data, "renderInfoList", _software)
    by_id: dict[int, ListedSoftware] = {}
    for each in listing.values:
        by_id[each.cg_id] = _joined(by_id[each.cg_id], each) if each.cg_id in by_id else each
    return Listing(tuple(by_id.values()), listing.gap)


def read_software_detail(data: Any) -> SoftwareDetail:
    """Read the data of ``query_software_detail``."""
    plugins = _read(data, "cgPlugin", _plugin_versions)
    return SoftwareDetail(
        _read(data, "cgVersion", _version),
        Listing(tuple(plugin for versions in plugins.values for plugin in versions), plugins.gap),
    )


def read_platforms(data: Any) -> Listing[ListedPlatform]:
    """Read the data of ``query_platforms``."""
    return _read(data, "", _platform)


def read_hardware(data: Any) -> Listing[ListedHardware]:
    """Read the data of ``list_hardware_configs``."""
    return _read(data, "", _hardware)


def read_projects(data: Any) -> Listing[str]:
    """Read the data of ``list_projects``: the names."""
    return _read(data, "projectNameList", lambda entry: _text(entry["projectName"]) or _unreadable())


def _read(data: Any, field: str, read: Callable[[dict[str, Any]], T]) -> Listing[T]:
    """Read the list in a field of an object, or a bare list."""
    entries = data.get(field) if isinstance(data, dict) else data
    if entries is None and isinstance(data, dict) and field in data:
        entries = []
    if not isinstance(entries, list):
        return Listing((), OTHER_FORM)
    values = []
    for entry in entries:
        try:
            values.append(read(entry))
        except (TypeError, KeyError, ValueError, AttributeError):
            continue
    unreadable = len(entries) - len(values)
    if not entries:
        return Listing((), EMPTY)
    gap = f"{unreadable} of {len(entries)} entries of the farm's list cannot be read" if unreadable else ""
    return Listing(tuple(values), gap)


def _software(entry: dict[str, Any]) -> ListedSoftware:
    linux = _int(entry.get("isSupportLinux"))
    return ListedSoftware(
        _int(entry["cgId"]) or _unreadable(),
        _text(entry.get("cgName")),
        tuple(_EXTENSION.findall((_text(entry.get("cgType")) or "").lower())),
        bool(linux) if linux in {0, 1} else None,
    )


def _joined(one: ListedSoftware, other: ListedSoftware) -> ListedSoftware:
    has_linux = True if True in {one.has_linux, other.has_linux} else one.has_linux
    return ListedSoftware(one.cg_id, one.name or other.name, (*one.extensions, *other.extensions), has_linux)


def _version(entry: dict[str, Any]) -> ListedVersion:
    return ListedVersion(_int(entry.get("id")), _text(entry["cgVersion"]) or _unreadable())


def _plugin_versions(entry: dict[str, Any]) -> list[ListedPlugin]:
    version_id, name = _int(entry.get("cvId")), _text(entry.get("pluginName"))
    versions = entry.get("pluginVersions")
    if not isinstance(versions, list) or not versions:
        return [ListedPlugin(version_id, name or _unreadable(), None)]
    return [
        ListedPlugin(
            version_id, name or _text(each["pluginName"]) or _unreadable(), _text(each.get("pluginVersion"))
        )
        for each in versions
    ]


def _platform(entry: dict[str, Any]) -> ListedPlatform:
    return ListedPlatform(
        _int(entry["platform"]) or _unreadable(), _text(entry.get("name")), _int(entry.get("status"))
    )


def _hardware(entry: dict[str, Any]) -> ListedHardware:
    model, ram, gpus = (_text(entry.get(name)) for name in ("model", "ram", "gpuNum"))
    has_gpu = gpus is not None and gpus.lower() not in {"null", "0"}
    unsupported = entry.get("notSupportCgId") or []
    return ListedHardware(
        _int(entry["id"]) or _unreadable(),
        _int(entry.get("platform")),
        _int(entry.get("status")),
        has_gpu,
        ", ".join(filter(None, (model, ram, gpus if has_gpu else "no GPU"))),
        tuple(cg_id for each in unsupported if (cg_id := _int(each)) is not None),
    )


def _int(value: Any) -> int | None:
    """Return an integer, which the farm may write as text; None if it is none."""
    if type(value) is int:
        return value
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if _DIGITS.fullmatch(text) else None


def _text(value: Any) -> str | None:
    """Return a text, or a number as text; None if it is neither, or empty, or longer than any name."""
    if type(value) in {int, float}:
        return str(value)
    return (value.strip() or None) if isinstance(value, str) and len(value) <= _MAX_TEXT_CHARS else None


def _unreadable() -> Any:
    raise ValueError
