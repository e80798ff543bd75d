"""HTML that cannot be broken by what is put into it, and the frame that all pages have."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal


class Html(str):
    """A text that is HTML already."""

    __slots__ = ()


def html(template: str, **values: object) -> Html:
    """Return a template with values in the places of their names; what is not :class:`Html` is escaped."""
    safe = {
        name: value if isinstance(value, Html) else escape(str(value).encode(errors="replace").decode())
        for name, value in values.items()
    }
    return Html(template.format(**safe))


def join(parts: Iterable[Html]) -> Html:
    """Return pieces of HTML one after the other."""
    return Html("".join(parts))


def render_page(title: str, main: Html) -> bytes:
    """Return a whole page.

    :param title: what the browser shows as its name.
    :param main: its content.
    """
    return html(PAGE_TEMPLATE, title=title, main=main).encode()


DASH = Html("&ndash;")


def format_amount(value: Decimal, decimals: int = 2) -> str:
    """Return an amount of money, in RMB."""
    return f"¥{value:,.{decimals}f}"


def time_element(milliseconds: int | None) -> Html:
    """Return a date, milliseconds since 1970, in this machine's zone; a dash for None."""
    if milliseconds is None:
        return DASH
    when = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
    return html(
        '<time datetime="{iso}">{time} <small>{day}</small></time>',
        iso=when.isoformat(timespec="seconds"),
        time=f"{when:%H:%M:%S}",
        day=f"{when:%d %b}",
    )


def format_duration(seconds: float) -> str:
    """Return a time in hours, minutes and seconds, without those that are 0 at its beginning."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


PAGE_TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark light">
<title>{title}</title>
<link rel="icon" href="/static/farm.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/farm.css">
<script src="/static/farm.js" defer></script>
<noscript><meta http-equiv="refresh" content="5"></noscript>
</head>
<body>
<header>
<a class="home" href="/"><img src="/static/farm.svg" alt="" width="28" height="28">Render farm</a>
<p class="lost" role="status">The farm does not answer. Trying again …</p>
<p class="where">embedded, on this machine</p>
</header>
<main>{main}</main>
</body>
</html>
"""
