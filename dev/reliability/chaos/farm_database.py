"""The farm's books, read where the farm writes them, without any of the product's calls."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.states import FrameStatus, Phase, TaskStatus, aggregate_status

if TYPE_CHECKING:
    from pathlib import Path

_TASK = (
    "id, parent_id, type, state, submitted_at, completed_at, deleted, paid_by_coupon, paid_by_balance, "
    "frame_counts, first_frame_id"
)
_FAILED = {FrameStatus.ERROR, FrameStatus.TIMEOUT}


@dataclass(frozen=True)
class Frame:
    """A frame that has begun.

    :param id: its number.
    :param state: its state.
    :param recommits: how often it was ordered again.
    :param failures: how often it has failed.
    :param cost: what it has cost.
    """

    id: int
    state: FrameStatus
    recommits: int
    failures: int
    cost: Decimal

    @property
    def has_failed(self) -> bool:
        """Whether it has failed and was not ordered again."""
        return self.state in _FAILED


@dataclass(frozen=True)
class Render:
    """A number that was submitted, with all its layers.

    :param number: its number.
    :param state: of the whole.
    :param submitted: when it was submitted, seconds since 1970.
    :param completed: when the last layer ended, or None.
    :param cost: what it has cost.
    :param counts: how many frames are in each state.
    :param frames: the frames that have begun.
    """

    number: int
    state: TaskStatus
    submitted: float
    completed: float | None
    cost: Decimal
    counts: Counter[int]
    frames: tuple[Frame, ...]

    @property
    def is_active(self) -> bool:
        """Whether it runs, or will."""
        return self.state.phase is Phase.ACTIVE

    def summary(self) -> dict[str, Any]:
        """Return what the operator's result must tell of it."""
        return {
            "render_task_id": self.number,
            "state": self.state.name,
            "cost": str(self.cost),
            "frames": {
                "total": self.counts.total(),
                "done": self.counts[FrameStatus.DONE],
                "failed": sum(self.counts[state] for state in _FAILED),
                "running": self.counts[FrameStatus.STARTED],
                "aborted": self.counts[FrameStatus.ABORTED],
            },
        }


class Books:
    """The books of a farm, which may be stopped and started meanwhile.

    :param path: of their file.
    """

    def __init__(self, path: Path) -> None:
        self._sql = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self._sql.row_factory = sqlite3.Row

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    def name_of(self, number: int) -> str | None:
        """Return the artist's name that a number was created with."""
        row = self._sql.execute("SELECT artist FROM tasks WHERE id = ?", (number,)).fetchone()
        return str(row["artist"]) if row else None

    def newest(self, name: str) -> int:
        """Return the last number that was created with a name, be it submitted or not; 0 for none."""
        query = "SELECT max(id) AS newest FROM tasks WHERE artist = ? AND parent_id = 0"
        return self._sql.execute(query, (name,)).fetchone()["newest"] or 0

    def owner_of_frame(self, frame: int) -> int:
        """Return the number of the leaf that a frame belongs to."""
        query = (
            "SELECT id FROM tasks WHERE first_frame_id <= ? AND first_frame_id > 0 "
            "ORDER BY first_frame_id DESC LIMIT 1"
        )
        return int(self._sql.execute(query, (frame,)).fetchone()["id"])

    def render(self, number: int) -> Render | None:
        """Return what became of a number, or None where it was not submitted."""
        return next(iter(self._renders("id = ?", number)), None)

    def renders(self, name: str) -> list[Render]:
        """Return what was submitted of a name, in the order of the numbers."""
        return self._renders("artist = ?", name)

    def _renders(self, condition: str, value: Any) -> list[Render]:
        rows = self._sql.execute(
            f"SELECT {_TASK} FROM tasks WHERE parent_id = 0 AND submitted_at IS NOT NULL AND {condition} "  # noqa: S608 - no input
            "ORDER BY id",
            (value,),
        ).fetchall()
        return [self._render(row) for row in rows]

    def _render(self, row: sqlite3.Row) -> Render:
        leaves = self._sql.execute(f"SELECT {_TASK} FROM tasks WHERE parent_id = ?", (row["id"],)).fetchall()  # noqa: S608 - no input
        leaves = leaves or [row]
        counts: Counter[int] = Counter()
        for leaf in leaves:
            counts.update({int(state): count for state, count in json.loads(leaf["frame_counts"]).items()})
        ends = [leaf["completed_at"] for leaf in leaves]
        return Render(
            row["id"],
            aggregate_status(TaskStatus(leaf["state"]) for leaf in leaves),
            row["submitted_at"] / 1000,
            None if None in ends else max(ends) / 1000,
            sum((_cost(leaf) for leaf in leaves), Decimal(0)),
            counts,
            tuple(frame for leaf in leaves for frame in self._frames(leaf)),
        )

    def _frames(self, leaf: sqlite3.Row) -> list[Frame]:
        total = sum(json.loads(leaf["frame_counts"]).values())
        rows = self._sql.execute(
            "SELECT id, state, recommits, failures, paid_by_coupon, paid_by_balance FROM frames "
            "WHERE id >= ? AND id < ?",
            (leaf["first_frame_id"], leaf["first_frame_id"] + total),
        )
        return [
            Frame(row["id"], FrameStatus(row["state"]), row["recommits"], row["failures"], _cost(row))
            for row in rows
        ]


def _cost(row: sqlite3.Row) -> Decimal:
    return Decimal(row["paid_by_coupon"]) + Decimal(row["paid_by_balance"])
