"""HTML with escaped values, formats of values, and the template of all pages."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal


class Html(str):
    """A string that is already HTML."""

    __slots__ = ()


def html(template: str, **values: object) -> Html:
    """Fill a template with values by name. Every value that is not :class:`Html` is escaped."""
    safe = {
        name: value if isinstance(value, Html) else escape(str(value).encode(errors="replace").decode())
        for name, value in values.items()
    }
    return Html(template.format(**safe))


def join(parts: Iterable[Html]) -> Html:
    """Concatenate HTML."""
    return Html("".join(parts))


def render_page(title: str, main: Html) -> bytes:
    """Return a complete page with a title and a main element."""
    return html(PAGE_TEMPLATE, title=title, main=main).encode()


DASH = Html("&ndash;")


def format_amount(value: Decimal, decimals: int = 2) -> str:
    """Format an amount in RMB."""
    return f"¥{value:,.{decimals}f}"


def time_element(milliseconds: int | None) -> Html:
    """Return a time in the local time zone, a dash for None."""
    if milliseconds is None:
        return DASH
    local = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
    return html(
        '<time datetime="{iso}">{time} <small>{day}</small></time>',
        iso=local.isoformat(timespec="seconds"),
        time=f"{local:%H:%M:%S}",
        day=f"{local:%d %b}",
    )


def format_duration(seconds: float) -> str:
    """Format a duration in hours and minutes, minutes and seconds, or seconds."""
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
<p class="offline" role="status">The farm does not respond. Retrying …</p>
<p class="location">embedded, on this machine</p>
</header>
<main>{main}</main>
</body>
</html>
"""
