"""Text of the farm, made fit for one line of a log, an error or a database field."""

from __future__ import annotations

from itertools import islice

MAX_CHARS = 300
"""The farm's messages are shorter; a longer one is cut."""


def printable(text: str, max_chars: int = MAX_CHARS) -> str:
    """Return a text as one line of printable characters, at most `max_chars` long with the ellipsis of a cut.

    Line breaks and tabs become blanks. Control, format and bidirectional characters, lone surrogates and
    unassigned code points become U+FFFD: they can hide, reorder or forge what a terminal or page shows.
    """
    # Read no more than is shown: a message can have millions of characters.
    excerpt = " ".join(text[: max_chars * 4].split())
    shown = "".join(char if char.isprintable() else "\ufffd" for char in islice(excerpt, max_chars + 1))
    is_cut = len(shown) > max_chars or len(text) > max_chars * 4
    return f"{shown[: max_chars - 1]}…" if is_cut else shown
