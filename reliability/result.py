"""What an experiment finds: rows, each with what was expected beside what came."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One case of an experiment.

    :param case: what was done, a word a column.
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
        return told if self.holds else f"{told}; EXPECTED {self.expected}"

    def as_json(self) -> dict[str, Any]:
        """Return it for a file."""
        return asdict(self)
