"""docs/reliability.md: what was found stands between marks, the words around it are written by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reliability.result import Table
from reliability.stage import PROJECT

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCUMENT = PROJECT / "docs" / "reliability.md"
RESULTS = PROJECT / "docs" / "reliability.json"


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
        begin, end = f"<!-- begin {table.name} -->", f"<!-- end {table.name} -->"
        before, mark, rest = text.partition(begin)
        _, closing, after = rest.partition(end)
        if not mark or not closing:
            raise ValueError(f"{DOCUMENT} has no place for {table.name}: {begin} and {end} are wanted")
        text = f"{before}{begin}\n\n{table.markdown()}\n\n{end}{after}"
    return text


def _lines(table: Table) -> str:
    """Return a table as JSON with a row a line."""
    kept = table.as_json()
    rows = ",\n".join(json.dumps(row) for row in kept.pop("rows"))
    return f'{json.dumps(kept)[:-1]}, "rows": [\n{rows}\n]}}'
