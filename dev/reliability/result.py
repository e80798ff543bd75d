"""What an experiment finds: rows, each with what was expected beside what came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True)
class Row:
    """One case of an experiment.

    :param case: what was done, a text a column.
    :param expected: what must come of it.
    :param found: what came of it.
    """

    case: tuple[str, ...]
    expected: str
    found: str

    @property
    def holds(self) -> bool:
        """Whether it came as expected."""
        return self.expected == self.found

    def __str__(self) -> str:
        told = f"{', '.join(self.case)}: {self.found}"
        return told if self.holds else f"{told}; EXPECTED: {self.expected}"


@dataclass(frozen=True)
class Table:
    """The rows of an experiment.

    :param name: the experiment's.
    :param columns: of the cases.
    :param rows: in order.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it for a file: where a row holds, what was expected is left out."""
        rows = [
            [*row.case, row.found] if row.holds else [*row.case, row.found, row.expected] for row in self.rows
        ]
        return {"experiment": self.name, "columns": list(self.columns), "rows": rows}

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Table:
        """Read what :meth:`as_json` returned."""
        columns = tuple(kept["columns"])
        width = len(columns)
        rows = tuple(Row(tuple(row[:width]), row[-1], row[width]) for row in kept["rows"])
        return cls(kept["experiment"], columns, rows)

    def sum(self) -> str:
        """Return in one line how many cases came as expected."""
        right = sum(row.holds for row in self.rows)
        return f"{right} of {len(self.rows)} cases came as expected"

    def markdown(self) -> str:
        """Return it as a table for a document. Rows that differ in the last column only become one."""
        head = (*self.columns, "what came of it")
        lines = [_line(head), _line(["---"] * len(head))]
        lines += [_line(cells) for cells in self._merged()]
        return "\n".join(lines)

    def _merged(self) -> Iterator[tuple[str, ...]]:
        merged: dict[tuple[tuple[str, ...], str], list[str]] = {}
        for row in self.rows:
            came = row.found if row.holds else f"**{row.found}**, expected: {row.expected}"
            merged.setdefault((row.case[:-1], came), []).append(row.case[-1])
        for (case, came), last in merged.items():
            yield *case, "; ".join(last), came


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
