"""Ids and names of the software that the farm renders with."""

from __future__ import annotations

MAYA, HOUDINI, BLENDER = 2000, 2004, 2007

# Source: cg_id in the vendor's documentation of task.json and in its released client.
SOFTWARE = {
    MAYA: "Maya",
    2001: "3ds Max",
    2002: "LightWave",
    2003: "Arnold",
    HOUDINI: "Houdini",
    2005: "Cinema 4D",
    2006: "Softimage",
    BLENDER: "Blender",
    2008: "V-Ray Standalone",
    2009: "mr Standalone",
    2010: "SketchUp",
    2011: "Vue",
    2012: "KeyShot",
    2013: "Clarisse",
    2014: "Octane",
    2015: "Nuke",
    2016: "Katana",
    2020: "Unreal Engine",
}


def software_id(name: str, value: int | str) -> int:
    """Return the id of a software, given by id (2007 or "2007") or by name ("Blender").

    Names are compared by their letters and digits, case-insensitively: "cinema4d" is Cinema 4D.

    :param name: name of the argument in error messages.
    :param value: the id or the name.
    :raises ValueError: it is neither.
    """
    ids = {_normalize(key): cg_id for cg_id, title in SOFTWARE.items() for key in (str(cg_id), title)}
    cg_id = None if isinstance(value, bool) else ids.get(_normalize(str(value)))
    if cg_id is None:
        known = ", ".join(f"{title} ({cg_id})" for cg_id, title in SOFTWARE.items())
        raise ValueError(f"{name}: must be a name or id of a software, one of {known}, got {value!r}")
    return cg_id


def software_name(cg_id: int) -> str:
    """Return the name of a software, or e.g. "software 2099" if the id is unknown."""
    return SOFTWARE.get(cg_id, f"software {cg_id}")


def _normalize(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
