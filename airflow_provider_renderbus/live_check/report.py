"""The table for the terminal, and the report for an issue: without secrets and personal data."""

from __future__ import annotations

import platform as machine
import re
import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus import __version__
from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.live_check.assumption import HOLDS, NOT_CHECKED, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_renderbus.live_check.session import Session

FORMAT = 1
LIVE_DOMAINS = ("renderbus.com", "foxrenderfarm.com")
HIDDEN = "…"
_COLUMNS = {"assumption": 44, "source": 18, "seen": 40, "verdict": 11}
_MIN_PRIVATE_CHARS = 3
_MAX_SEEN_CHARS = 600
_MAIL = re.compile(r"[^\s<>@,;]+@[^\s<>@,;]+")
# Numbers of phones, users and renders. Versions have dots.
_LONG_NUMBER = re.compile(r"\+?\d(?:[ -]?\d){6,}")


def is_live_host(host: str) -> bool:
    """Return whether a host is one of the vendor's."""
    return f".{host}".endswith(tuple(f".{domain}" for domain in LIVE_DOMAINS))


def hide_private(text: str, private: Iterable[str]) -> str:
    """Return a text without mail addresses, long numbers, and texts that are private.

    :param private: texts of the account.
    """
    for each in sorted(private, key=len, reverse=True):
        # Chinese has short names, and no blanks between words.
        if len(each) >= (_MIN_PRIVATE_CHARS if each.isascii() else _MIN_PRIVATE_CHARS - 1):
            pattern = rf"(?<!{_joined_to(each[0])}){re.escape(each)}(?!{_joined_to(each[-1])})"
            text = re.sub(pattern, HIDDEN, text, flags=re.IGNORECASE)
    return printable(_LONG_NUMBER.sub(HIDDEN, _MAIL.sub(HIDDEN, text)), _MAX_SEEN_CHARS)


def _joined_to(char: str) -> str:
    """Return the pattern of characters that make a text that begins or ends in `char` another word."""
    if char.isdecimal():
        return r"\d"
    return "[a-z0-9_]" if char.isascii() and char.isalpha() else "(?!)"


def table_head() -> str:
    """Return the first lines of the table."""
    line = "  ".join(name.ljust(width) for name, width in _COLUMNS.items())
    return f"{line.rstrip()}\n{'  '.join('-' * width for width in _COLUMNS.values())}"


def table_row(result: Result) -> str:
    """Return the lines of a row of the table."""
    cells = (result.assumption.claim, ", ".join(result.assumption.sources), result.seen, result.verdict)
    wrapped = [
        textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, _COLUMNS.values(), strict=True)
    ]
    height = max(map(len, wrapped))
    lines = [
        "  ".join(
            (cell[number] if number < len(cell) else "").ljust(width)
            for cell, width in zip(wrapped, _COLUMNS.values(), strict=True)
        ).rstrip()
        for number in range(height)
    ]
    return "\n".join(lines)


def summary(results: Sequence[Result]) -> str:
    """Return how many assumptions have which verdict."""
    verdicts = [result.verdict for result in results]
    return (
        f"{verdicts.count(HOLDS)} of {len(verdicts)} assumptions hold"
        f"{f', {verdicts.count(NOT_CHECKED)} could not be checked' if NOT_CHECKED in verdicts else ''}"
    )


def report(session: Session, results: Sequence[Result], *, is_complete: bool) -> dict[str, Any]:
    """Return the report as JSON.

    :param is_complete: whether all checks were run, and the created numbers deleted.
    """
    host = session.settings.domain.partition(":")[0]
    is_live = is_live_host(host)
    return {
        "format": FORMAT,
        "provider": __version__,
        "python": machine.python_version(),
        "date": datetime.fromtimestamp(session.clock.now(), UTC).strftime("%Y-%m-%d"),
        "farm": host if is_live else "not a domain of the vendor",
        "platform": session.settings.platform,
        "render": session.sample is not None,
        "complete": is_complete,
        "holds": is_complete and all(result.verdict == HOLDS for result in results),
        "assumptions": [
            {
                "key": result.assumption.key,
                "assumption": result.assumption.claim,
                "sources": list(result.assumption.sources),
                "seen": result.seen,
                "verdict": result.verdict,
            }
            for result in results
        ],
    }
