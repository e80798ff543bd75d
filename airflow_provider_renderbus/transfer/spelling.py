"""Finds paths on the disk whose letters are composed in another way than their author wrote them.

"ü" is one character or two, a letter and its mark. They look alike; macOS stores the second form, most
programs write the first, and for Linux they differ.
"""

from __future__ import annotations

import os
import re
import unicodedata

_SLASHES = re.compile(r"/+")


def normal_path(path: str) -> str:
    """Return an absolute path without repeated slashes, ``.`` and a slash at its end."""
    # os.path.normpath keeps two slashes at the start.
    return os.path.normpath(_SLASHES.sub("/", path))


def folded(path: str) -> str:
    """Return a path in the form that all spellings of it share."""
    return path if path.isascii() else unicodedata.normalize("NFC", path)


def forms(path: str) -> tuple[str, ...]:
    """Return a path as it is written, composed, and decomposed, each once."""
    if path.isascii():
        return (path,)
    return tuple(dict.fromkeys([path, *(unicodedata.normalize(form, path) for form in ("NFC", "NFD"))]))


def find_spelling(path: str) -> str:
    """Return an absolute path as the disk spells it; names that are not on the disk stay as they are."""
    if path.isascii() or os.path.lexists(path):
        return path
    found = "/"
    for name in path.strip("/").split("/"):
        found = os.path.join(found, _find_name(found, name))  # noqa: PTH118 - as the caller's paths
    return found


def _find_name(folder: str, name: str) -> str:
    candidates = [form for form in forms(name) if os.path.lexists(f"{folder}/{form}")]
    if candidates or name.isascii():
        return candidates[0] if candidates else name
    try:
        # A name can also mix both forms.
        others = sorted(other for other in os.listdir(folder) if folded(other) == folded(name))  # noqa: PTH208
    except OSError:
        others = []
    return others[0] if others else name
