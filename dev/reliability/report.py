"""docs/reliability.md: what was found stands between marks, the words around it are written by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dev.reliability.result import Table
from dev.reliability.testbed import PROJECT

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCUMENT = PROJECT / "docs" / "reliability.md"
RESULTS = PROJECT / "docs" / "reliability.json"
EXPERIMENTS = {
    "crash": "[the worker is killed](#the-worker-is-killed) at each of its steps",
    "restarts": "[triggerer and scheduler are killed](#the-triggerer-and-the-scheduler-are-killed)",
    "kills": "[what waits is killed](#what-waits-is-killed), on Airflow 3.3, 3.0 and 2.11",
    "triggerers": "[two triggerers](#two-triggerers) on one database: one is killed, ended or paused",
    "chaos": "[chaos](#chaos) in one process",
    "storm": "[a storm](#chaos) in a real Airflow",
}
"""What each experiment is, with a link to where the document tells of it; in this order."""


def write(tables: Sequence[Table]) -> None:
    """Keep the tables, and write them into the document.

    Tables of other experiments stay as they are.
    """
    kept = {table.name: table for table in read()} | {table.name: table for table in tables}
    RESULTS.write_text(f"[{', '.join(_lines(kept[name]) for name in sorted(kept))}]\n", "utf-8")
    DOCUMENT.write_text(filled_in(DOCUMENT.read_text("utf-8"), read()), "utf-8")


def read() -> list[Table]:
    """Return the tables that are kept, by name."""
    return [Table.read(kept) for kept in json.loads(RESULTS.read_text("utf-8"))]


def filled_in(text: str, tables: Sequence[Table]) -> str:
    """Return the document with these tables.

    :param text: the document.
    :param tables: what to put in the place of what stands there.
    :raises ValueError: the document has no place for a table.
    """
    for table in tables:
        folded = f"<details><summary>{table.sum()}</summary>\n\n{table.markdown()}\n\n</details>"
        text = _put(text, table.name, folded)
    found = {table.name: table for table in tables}
    sums = [f"| {told} | {found[name].sum()} |" for name, told in EXPERIMENTS.items() if name in found]
    return _put(text, "sums", "\n".join(["| experiment | result |", "| --- | --- |", *sums]))


def _put(text: str, name: str, content: str) -> str:
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before, mark, rest = text.partition(begin)
    _, closing, after = rest.partition(end)
    if not mark or not closing:
        raise ValueError(f"{DOCUMENT} has no place for {name}: {begin} and {end} are wanted")
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"


def _lines(table: Table) -> str:
    """Return a table as JSON with a row a line."""
    kept = table.as_json()
    rows = ",\n".join(json.dumps(row) for row in kept.pop("rows"))
    return f'{json.dumps(kept)[:-1]}, "rows": [\n{rows}\n]}}'
