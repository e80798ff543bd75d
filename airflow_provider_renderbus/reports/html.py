"""A report as an HTML page that mail programs show too: a table with inline styles, and no other file."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from airflow_provider_renderbus.reports.rows import RowOutcome
from airflow_provider_renderbus.reports.thumbnails import WIDTH, data_uri

if TYPE_CHECKING:
    from airflow_provider_renderbus.reports.build import Report
    from airflow_provider_renderbus.reports.rows import Row

MAX_PICTURE_BYTES = 3_000_000
"""Size of all thumbnails of a report."""
_GREEN, _AMBER, _RED, _GREY = "#1a7f37", "#9a6700", "#cf222e", "#57606a"
_COLORS = {
    RowOutcome.DONE: _GREEN,
    RowOutcome.FRAMES_FAILED: _AMBER,
    RowOutcome.PAUSED: _AMBER,
    RowOutcome.RENDERING: _AMBER,
    RowOutcome.REJECTED: _GREY,
    RowOutcome.SKIPPED: _GREY,
}
_CELL = "padding:8px 12px;border-bottom:1px solid #d0d7de;text-align:left;vertical-align:top"
_FONT = "font:14px/1.45 system-ui,-apple-system,'Segoe UI',sans-serif;color:#1f2328"
_NO_WRAP = ";white-space:nowrap"


def page(report: Report) -> str:
    """Return the page of a report."""
    title = escape(report.title)
    pictures = _pictures(report)
    columns = ("", *report.columns, "Why") if pictures else (*report.columns, "Why")
    head = "".join(_cell("th", name, f";color:{_GREY}") for name in columns)
    rows = "\n".join(_row(report, row, pictures) for row in report.listed)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
</head>
<body style="margin:24px;{_FONT};background:#ffffff">
<h1 style="font-size:20px;margin:0 0 8px">{title}</h1>
<p style="margin:0 0 16px">{escape(report.summary)}</p>
<table style="border-collapse:collapse;{_FONT}">
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody>
<tfoot>{_totals(report, has_pictures=bool(pictures))}</tfoot>
</table>
<p>{escape(report.rest)}</p>
</body>
</html>
"""


def _row(report: Report, row: Row, pictures: dict[int, str]) -> str:
    name, end, *others = map(escape, report.cells(row))
    if row.url:
        name = f'<a href="{escape(row.url)}" style="color:#0969da">{name}</a>'
    badge = f'<b style="color:{_COLORS.get(row.outcome, _RED)}">{end}</b>'
    cells = [(f"<b>{name}</b>", ""), (badge, _NO_WRAP), *((other, _NO_WRAP) for other in others)]
    cells.append((escape(row.why), ";max-width:480px;overflow-wrap:anywhere"))
    if pictures:
        uri = pictures.get(row.render_task_id or 0)
        image = f'<img src="{uri}" width="{WIDTH // 2}" alt="" style="display:block">' if uri else ""
        cells.insert(0, (image, ""))
    return f"<tr>{''.join(_cell('td', *cell) for cell in cells)}</tr>"


def _totals(report: Report, *, has_pictures: bool) -> str:
    forecast = "" if report.forecast is None else report.amount(report.forecast)
    done, total = (sum(getattr(row, name) for row in report.rows) for name in ("done", "total"))
    values = [f"{done} of {total}", report.amount(report.cost), forecast, "", ""]
    span = 3 if has_pictures else 2
    cells = "".join(_cell("th", escape(value), _NO_WRAP) for value in values)
    return f'<tr><th colspan="{span}" style="{_CELL}">Sum</th>{cells}</tr>'


def _cell(tag: str, content: str, style: str = "") -> str:
    return f'<{tag} style="{_CELL}{style}">{content}</{tag}>'


def _pictures(report: Report) -> dict[int, str]:
    """Return as many thumbnails as fit, as data URIs by render task id."""
    pictures: dict[int, str] = {}
    size = 0
    for row in report.listed:
        source = report.thumbnails.get(row.render_task_id or 0)
        uri = None if source is None else data_uri(source)
        if uri and row.render_task_id and size + len(uri) <= MAX_PICTURE_BYTES:
            pictures[row.render_task_id] = uri
            size += len(uri)
    return pictures
