"""The software that the farm renders with, by number and by name."""

from __future__ import annotations

MAYA, HOUDINI, BLENDER = 2000, 2004, 2007

# Source: cg_id in the vendor's documents of task.json and in its released client.
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


def software_id(argument: str, value: int | str) -> int:
    """Return a software's number, given as such (2007 or "2007") or by its name ("Blender").

    Of a name, letters and digits count, in either case: "cinema4d" is Cinema 4D.

    :param argument: what the value is called in messages.
    :param value: the number or the name.
    :raises ValueError: it is neither.
    """
    known = {
        letters: number for number, name in SOFTWARE.items() for letters in (str(number), _letters(name))
    }
    number = None if isinstance(value, bool) else known.get(_letters(str(value)))
    if number is None:
        names = ", ".join(f"{name} ({number})" for number, name in SOFTWARE.items())
        raise ValueError(f"{argument}: a software's name or number is wanted, one of {names}; not {value!r}")
    return number


def software_name(number: int) -> str:
    """Return a software's name, or its number as text where it is not known."""
    return SOFTWARE.get(number, f"software {number}")


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
