"""Text of the farm, made fit for one line of a log, an error or a database field."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_CHARS = 300
"""The farm's messages are shorter; a longer one is cut."""
MAX_LISTED = 20
"""Items that a message lists."""


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


def join_limited(items: Sequence[str], separator: str = "; ") -> str:
    """Return the first items, each :func:`printable`, on one line, and how many there are more."""
    text = separator.join(printable(item) for item in items[:MAX_LISTED])
    return f"{text} and {len(items) - MAX_LISTED:,} more" if len(items) > MAX_LISTED else text
