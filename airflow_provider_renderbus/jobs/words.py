"""Values of JSON in plain words, for messages."""

from __future__ import annotations

from typing import Any

MISSING = object()
"""Stands where a value is missing. It is of no JSON type."""

_LONGEST = 60
_KINDS = {
    type(None): "null",
    str: "a text",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def kind(value: Any) -> str:
    """Return what a value is, e.g. "a list"."""
    if isinstance(value, bool):
        return str(value).lower()
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def excerpt(value: Any) -> str:
    """Return a value as it is written, its beginning only where it is long."""
    written = repr(value)
    return written if len(written) <= _LONGEST else f"{written[:_LONGEST]}…"


def one_line(text: str) -> str:
    """Return a text without line breaks."""
    return " ".join(text.split())
