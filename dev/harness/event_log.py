"""The output of a run: its folder, a line with the time per event, and check failures."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CheckFailure:
    """Something that is not as it should be."""

    subject: str
    expected: str
    actual: str
    path: Path

    def __str__(self) -> str:
        return (
            f"{self.subject}\n  expected  {self.expected}\n  actual    {self.actual}\n  see       {self.path}"
        )


class EventLog:
    """Prints lines that begin with the seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def line(self, text: str) -> None:
        """Print a line."""
        print(f"{time.monotonic() - self._start:6.1f} s  {text}", flush=True)

    def event(self, subject: str, text: str) -> None:
        """Print a line about a subject."""
        self.line(f"{subject:<16}{text}")


def new_run_folder(runs: Path) -> Path:
    """Make a folder for a run, and point the link `latest` beside it to it."""
    runs.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=runs))
    link = folder / "latest"
    link.symlink_to(folder.name)
    link.rename(runs / link.name)
    return folder
