"""The report of a run as text, Markdown and HTML, from the results of its renders.

Its size is bounded: a report has the worst renders first, and counts those that it does not list. The names
and messages in it are those of the farm and of files, so they are escaped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.text import join_limited, printable
from airflow_provider_renderbus.api.validation import excerpt
from airflow_provider_renderbus.reports.rows import NO_VALUE, SUCCESSES, Row, RowOutcome, row_of

if TYPE_CHECKING:
    from airflow_provider_renderbus.reports.thumbnails import ThumbnailSource

MAX_ROWS = 300
"""Renders that a report lists."""
_MAX_DECIMALS = 4
# GitHub's Markdown makes links of bare addresses too.
_MARKDOWN_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$@-]|:(?=//)|(?<=www)\.)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a run: ``text``, ``markdown`` and ``html``.

    :param rows: the renders, worst first.
    :param title: its heading.
    :param currency: of all amounts, such as "RMB".
    :param thumbnails: pictures by render task id, for the HTML.
    """

    rows: tuple[Row, ...]
    title: str = "Renders"
    currency: str = ""
    thumbnails: Mapping[int, ThumbnailSource] = field(default_factory=dict)

    @property
    def failures(self) -> int:
        """How many renders have not succeeded."""
        return sum(row.outcome not in SUCCESSES for row in self.rows)

    @property
    def cost(self) -> Decimal:
        """What all renders have cost together."""
        return sum((row.cost for row in self.rows if row.cost is not None), Decimal(0))

    @property
    def forecast(self) -> Decimal | None:
        """What the renders with a forecast were to cost together, None if there are none."""
        forecasts = [row.forecast for row in self.rows if row.forecast is not None]
        return sum(forecasts, Decimal(0)) if forecasts else None

    @property
    def summary(self) -> str:
        """A line: how many renders ended how, and what they cost."""
        counts = Counter(row.outcome for row in self.rows)
        ends = ", ".join(
            f"{counts[outcome]} {outcome.value}" for outcome in reversed(RowOutcome) if counts[outcome]
        )
        noun = "render" if len(self.rows) == 1 else "renders"
        line = f"{len(self.rows)} {noun}{f': {ends}' if ends else ''}. Cost {self.amount(self.cost)}"
        return f"{line}. Forecast {self.forecast_sum}" if self.forecast is not None else line

    @property
    def forecast_sum(self) -> str:
        """The forecast in words; if only some renders have one, with what these have cost."""
        with_forecast = [row for row in self.rows if row.forecast is not None]
        if len(with_forecast) == len(self.rows):
            return self.amount(self.forecast)
        cost = sum((row.cost or Decimal(0) for row in with_forecast), Decimal(0))
        return f"{self.amount(self.forecast)} for {len(with_forecast)}, which cost {self.amount(cost)}"

    @property
    def text(self) -> str:
        """The report as plain text, a render per line, with the reasons of failures below."""
        cells = [self.cells(row) for row in self.listed]
        widths = [max(len(cell) for cell in column) for column in zip(self.columns, *cells, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in (self.columns, *cells)
        ]
        details = [
            f"{row.name}: {row.why or row.outcome.value}{_below(row.url)}"
            for row in self.listed
            if row.why or row.outcome not in SUCCESSES
        ]
        parts = (self.title, self.summary, "\n".join(lines) if cells else "", *details, self.rest)
        return "\n\n".join(filter(None, parts)) + "\n"

    @property
    def markdown(self) -> str:
        """The report as Markdown, with a table."""
        header = [*self.columns, "Why"]
        lines = [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]
        for row in self.listed:
            name, *others = map(escape_markdown, self.cells(row))
            linked = f"[{name}](<{row.url}>)" if row.url else name
            lines.append(f"| {' | '.join((linked, *others, escape_markdown(row.why)))} |")
        table = "\n".join(lines) if self.rows else ""
        parts = (f"## {escape_markdown(self.title)}", escape_markdown(self.summary), table, self.rest)
        return "\n\n".join(filter(None, parts)) + "\n"

    @property
    def html(self) -> str:
        """The report as an HTML page of its own, with thumbnails. It has no script, and loads nothing."""
        from airflow_provider_renderbus.reports.html import page  # noqa: PLC0415 - at its use

        return page(self)

    def __str__(self) -> str:
        return self.text

    @property
    def columns(self) -> tuple[str, ...]:
        """The headings of the table."""
        return ("Shot", "End", "Frames", "Cost", "Forecast", "Time")

    def cells(self, row: Row) -> tuple[str, ...]:
        """Return a row of the table as text."""
        time = NO_VALUE if row.duration_seconds is None else _duration(row.duration_seconds)
        forecast = NO_VALUE if row.forecast is None else self.amount(row.forecast)
        cost = NO_VALUE if row.cost is None else self.amount(row.cost)
        return (row.name, row.outcome.value, row.frames, cost, forecast, time)

    @property
    def listed(self) -> tuple[Row, ...]:
        """The rows that are listed."""
        return self.rows[:MAX_ROWS]

    @property
    def rest(self) -> str:
        """A line on the rows that are not listed, or empty."""
        others = len(self.rows) - len(self.listed)
        return f"and {others:,} more, which are in the sums above." if others else ""

    def amount(self, amount: Decimal | None) -> str:
        """Return an amount with its currency."""
        if amount is None:
            return NO_VALUE
        rounded = round(amount, _MAX_DECIMALS)
        is_small = 0 < abs(rounded) < Decimal("0.01")
        digits = f"{rounded.normalize():f}" if is_small else f"{amount:,.2f}"
        return f"{digits} {self.currency}".rstrip()


def report(
    results: Any,
    *,
    title: str = "Renders",
    currency: str | None = None,
    thumbnails: Mapping[int, ThumbnailSource] | Mapping[str, ThumbnailSource] | None = None,
) -> Report:
    """Return the report of a run.

    :param results: results of renders: what operators return, or what
        :func:`~airflow_provider_renderbus.reports.collect_results` returns, which has the failed renders too.
        A single one, or a list, also of lists; None stands for a task that has returned nothing.
    :param title: heading of the report.
    :param currency: of the amounts, such as "RMB"; that in the results if omitted.
    :param thumbnails: a picture for each render task id: the bytes or the path of a picture file. With Pillow
        they are made small; without it, or if one cannot be read, large ones are omitted.
    :raises ValueError: the results are neither a mapping nor a list; or they have several currencies, whose
        amounts have no sum, and `currency` is omitted.
    """
    flat = list(_flatten(results))
    found = {str(each["currency"]) for each in flat if isinstance(each, Mapping) and each.get("currency")}
    if currency is None and len(found) > 1:
        raise ValueError(f"results: must have one currency, got {join_limited(sorted(found), ', ')}")
    rows = sorted(map(row_of, flat), key=lambda row: (list(RowOutcome).index(row.outcome), row.name))
    return Report(
        tuple(rows),
        printable(str(title)),
        printable("".join(found) if currency is None else currency, 10),
        # JSON makes texts of the ids.
        {int(each): picture for each, picture in (thumbnails or {}).items() if str(each).isdecimal()},
    )


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return _MARKDOWN_SPECIAL.sub(r"\\\1", text)


def _flatten(results: Any) -> Iterable[Any]:
    if (
        isinstance(results, Mapping)
        and results
        and all(isinstance(each, Mapping) for each in results.values())
    ):
        names = join_limited([excerpt(name) for name in results], ", ")
        raise ValueError(f"results: must be a list of results, got a mapping of results by {names}")
    if results is None or isinstance(results, Mapping):
        yield results
    elif isinstance(results, Iterable) and not isinstance(results, str | bytes):
        for result in results:
            # A task that only submits returns the id.
            yield from [{"render_task_id": result}] if isinstance(result, int) else _flatten(result)
    else:
        raise ValueError(
            f"results: must be the result of a render or a list of results, got {excerpt(results)}"
        )


def _below(line: str) -> str:
    return line and f"\n  {line}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"
