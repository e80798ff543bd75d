"""Names as people write them: of software, renderers and image formats. An error names the nearest one."""

from __future__ import annotations

import difflib
import re
from string import digits
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.validation import excerpt
from airflow_provider_renderbus.task_json.software import SOFTWARE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_renderbus.task_json.fields import Software

_CUTOFF = 0.7
_MIN_CHARS = 3
_WORD_END = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")
_WINDOWS_PATH = re.compile(r"[A-Za-z]:[\\/]|\\\\|//")


def normalize(name: str) -> str:
    """Return the letters and digits of a name in lower case: "V-Ray Standalone" is "vraystandalone"."""
    return "".join(filter(str.isalnum, name.casefold()))


_NAMES: dict[str, int] = {
    normalize(name): each.cg_id
    for each in SOFTWARE.values()
    for name in (each.name, each.cg_name, *each.aliases)
    if name
}


def software_id(name: str, value: Any) -> int:
    """Return the id of a software, given by id (2007 or "2007") or by name ("Blender", "C4d", "V-Ray").

    Names are compared by their letters and digits, case-insensitively: "cinema4d" is Cinema 4D.

    :param name: name of the argument in error messages.
    :param value: the id or the name.
    :raises ValueError: it is neither. The message has the nearest name.
    """
    ids = {str(cg_id): cg_id for cg_id in SOFTWARE}
    if type(value) is int and value in SOFTWARE:
        return value
    if isinstance(value, str):
        cg_id = ids.get(value) or _NAMES.get(normalize(value))
        if cg_id is not None:
            return cg_id
    known = ", ".join(f"{each.name} ({each.cg_id})" for each in SOFTWARE.values())
    hint = ""
    if isinstance(value, str) and (near := _nearest_software(normalize(value))):
        hint = f"; did you mean {SOFTWARE[_NAMES[near]].name!r}?"
    raise ValueError(
        f"{name}: must be a name or id of a software, one of {known}, got {excerpt(value)}{hint}"
    )


def _nearest_software(key: str) -> str | None:
    """Return the known name that is most like another one, which may have a version or be cut off."""
    near = nearest(key, _NAMES) or key.rstrip(digits)
    longer = (name for name in _NAMES if len(key) >= _MIN_CHARS and name.startswith(key))
    return near if near in _NAMES else next(longer, None)


def software_of(task_info: Mapping[str, Any]) -> Software | None:
    """Return the software that a task.json is for, None if its cg_id is missing or unknown."""
    return next((each for cg_id, each in SOFTWARE.items() if str(cg_id) == task_info.get("cg_id")), None)


def known_name(argument: str, value: str, known: Mapping[str, str], *, may_have_version: bool = False) -> str:
    """Return a name as its software writes it. A name that is like no known one is returned unchanged.

    :param argument: name of the argument in error messages.
    :param value: the name, in upper or lower case.
    :param known: names as the software writes them, by their letters and digits in lower case.
    :param may_have_version: whether a known name may be followed by digits or more words, such as vray5 or
        V-Ray GPU.
    :raises ValueError: it is nearly a known name: a typing error.
    """
    key = normalize(value)
    if key in known:
        return known[key]
    words = _WORD_END.split(value) if may_have_version else []
    if any(normalize("".join(words[: end + 1])).rstrip(digits) in known for end in range(len(words))):
        return value
    if near := nearest(key, known):
        raise ValueError(
            f"{argument}: must be a name that exists, got {value!r}; did you mean {known[near]!r}?"
        )
    return value


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like another one, None if none is."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=_CUTOFF)
    return matches[0] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a message that has the nearest of the known names, "" if none is near."""
    near = nearest(name, known)
    return "" if near is None else f"; did you mean {near!r}?"


def path_system(path: str) -> str | None:
    """Return the system of a path: "windows" (D:/a, //server/a), "linux" (/mnt/a), None if neither."""
    if _WINDOWS_PATH.match(path):
        return "windows"
    return "linux" if path.startswith("/") else None


def extension_software(path: str) -> Software | None:
    """Return the software whose scene files have a path's extension."""
    return next((each for each in SOFTWARE.values() if has_extension(each, path)), None)


def has_extension(software: Software, path: str) -> bool:
    """Return whether a path has the extension of a software's scene files."""
    return path.lower().endswith(tuple(f".{extension}" for extension in software.extensions))
