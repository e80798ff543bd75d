"""What the demo prints: a line with the time at each event, tables, and what is wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Journal:
    """Prints lines that begin with the seconds since it was made."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    def say(self, text: str) -> None:
        """Print a line."""
        print(f"{time.monotonic() - self._begin:6.1f} s  {text}", flush=True)

    def event(self, subject: str, text: str) -> None:
        """Print a line about something."""
        self.say(f"{subject:<16}{text}")


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of text as a table: the first row is its head, all columns but the first go right.

    :raises ValueError: a row has more or fewer columns than the first.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("   ".join(cells))
    lines.insert(1, "   ".join("-" * width for width in widths))
    return "\n".join(lines)
