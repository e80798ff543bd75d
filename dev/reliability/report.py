"""The tables of the experiments, which two documents hold between marks; their prose is by hand.

docs/reliability-tables.md has every case, and docs/reliability.md the sums.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dev.reliability.testbed import PROJECT

TABLES = PROJECT / "docs" / "reliability-tables.md"
SUMMARY = TABLES.with_name("reliability.md")
EXPERIMENTS = {
    "crash": "[the worker is killed](#the-worker-is-killed) at each of its steps",
    "restarts": "[triggerer and scheduler are killed](#the-triggerer-and-the-scheduler-are-killed)",
    "kills": "[what waits is killed](#what-waits-is-killed), on Airflow 3.3, 3.0 and 2.11",
    "frozen": "[a worker is frozen](#a-worker-is-frozen) for a while and continues, on the same lines",
    "triggerers": "[two triggerers](#two-triggerers) on one database: one is killed, terminated or paused",
    "ends": "[a run of thousands is ended](#a-run-of-thousands-is-ended)",
    "chaos": "[chaos](#chaos) in one process",
    "random_faults": "[random faults](#random-faults) in a real Airflow",
    "celery": "[Celery](#celery): two workers and two triggerers as machines, every server restarted",
}
"""The description of each experiment, with a link to its section of the tables; in this order."""


@dataclass(frozen=True)
class Row:
    """One case of an experiment, one text per column, with the result that it must have and had."""

    case: tuple[str, ...]
    expected: str
    result: str

    @property
    def passed(self) -> bool:
        """Whether it came as expected."""
        return self.expected == self.result

    def __str__(self) -> str:
        text = f"{', '.join(self.case)}: {self.result}"
        return text if self.passed else f"{text}; EXPECTED: {self.expected}"


@dataclass(frozen=True)
class Table:
    """The rows of an experiment, with the columns of their cases."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def markdown(self) -> str:
        """Return it folded under its summary. Rows that differ in the last column only become one."""
        merged: dict[tuple[tuple[str, ...], str], list[str]] = {}
        for row in self.rows:
            result = row.result if row.passed else f"**{row.result}**, expected: {row.expected}"
            merged.setdefault((row.case[:-1], result), []).append(row.case[-1])
        lines = [(*case, "; ".join(last), result) for (case, result), last in merged.items()]
        summary = f"{sum(row.passed for row in self.rows)} of {len(self.rows)} cases as expected"
        table = _markdown((*self.columns, "result"), lines)
        return f"<details><summary>{summary}</summary>\n\n{table}\n\n</details>"


def write(tables: Sequence[Table]) -> None:
    """Write tables and sums into the documents; those of other experiments stay as they are."""
    document = replace_tables(TABLES.read_text("utf-8"), tables)
    summary = replace_sums(SUMMARY.read_text("utf-8"), document)
    TABLES.write_text(document, "utf-8")
    SUMMARY.write_text(summary, "utf-8")


def replace_tables(document: str, tables: Sequence[Table]) -> str:
    """Return the document with these tables.

    :raises ValueError: the document has no place for a table.
    """
    for table in tables:
        document = _put(document, table.name, table.markdown())
    return document


def replace_sums(summary: str, document: str) -> str:
    """Return the summary with the sums of all tables of the document."""
    sums = [
        (text.replace("](#", f"]({TABLES.name}#"), _summary(document, name))
        for name, text in EXPERIMENTS.items()
    ]
    return _put(summary, "sums", _markdown(("experiment", "result"), sums))


def _summary(document: str, name: str) -> str:
    found = re.search(rf"<!-- begin {name} -->\n\n<details><summary>(.*)</summary>", document)
    return found[1] if found else "not run"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _put(document: str, name: str, content: str) -> str:
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before, mark, rest = document.partition(begin)
    _, closing, after = rest.partition(end)
    if not mark or not closing:
        raise ValueError(f"the document: must have a place for {name}, {begin} and {end}")
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"
