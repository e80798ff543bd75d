"""The farm's database, read without any of the product's calls."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from airflow_provider_renderbus.api.states import FrameStatus, Phase, TaskStatus, aggregate_status

_FAILED = {FrameStatus.ERROR, FrameStatus.TIMEOUT}


@dataclass(frozen=True)
class Frame:
    """A frame that has started; ``recommits`` and ``failures`` count how often."""

    id: int
    status: FrameStatus
    recommits: int
    failures: int
    cost: Decimal

    @property
    def has_failed(self) -> bool:
        """Whether it has failed and was not recommitted."""
        return self.status in _FAILED


@dataclass(frozen=True)
class Render:
    """A task that was submitted, with all its leaves.

    :param completed_at: when the last leaf ended, or None.
    """

    id: int
    status: TaskStatus
    submitted_at: float
    completed_at: float | None
    cost: Decimal
    counts: Counter[int]
    frames: tuple[Frame, ...]

    @property
    def is_active(self) -> bool:
        """Whether it runs, or will."""
        return self.status.phase is Phase.ACTIVE

    def summary(self) -> dict[str, Any]:
        """Return what the operator's result must say."""
        return {
            "render_task_id": self.id,
            "state": self.status.name,
            "cost": str(self.cost),
            "frames": {
                "total": self.counts.total(),
                "done": self.counts[FrameStatus.DONE],
                "failed": sum(self.counts[status] for status in _FAILED),
                "running": self.counts[FrameStatus.STARTED],
                "aborted": self.counts[FrameStatus.ABORTED],
            },
        }


class FarmDatabase:
    """The database of a farm, which may be stopped and started meanwhile."""

    def __init__(self, path: Path) -> None:
        self._sql = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self._sql.row_factory = sqlite3.Row

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    def artist_of(self, task_id: int) -> str | None:
        """Return the artist that a task was created with."""
        rows = self._rows("SELECT artist FROM tasks WHERE id = ?", task_id)
        return rows[0]["artist"] if rows else None

    def newest_id(self, artist: str) -> int:
        """Return the last task that was created with an artist, be it submitted or not; 0 if none."""
        query = "SELECT max(id) AS newest FROM tasks WHERE artist = ? AND parent_id = 0"
        return self._rows(query, artist)[0]["newest"] or 0

    def scene(self, task_id: int) -> str:
        """Return the scene that a task renders."""
        rows = self._rows("SELECT content FROM files WHERE task_id = ? AND name = 'task.json'", task_id)
        return str(json.loads(rows[0]["content"])["task_info"]["input_cg_file"])

    def leaf_of(self, frame_id: int) -> int:
        """Return the id of the leaf that a frame belongs to."""
        query = (
            "SELECT id FROM tasks WHERE first_frame_id BETWEEN 1 AND ? ORDER BY first_frame_id DESC LIMIT 1"
        )
        return int(self._rows(query, frame_id)[0]["id"])

    def render(self, task_id: int) -> Render | None:
        """Return what became of a task, or None if it was not submitted."""
        return next(iter(self._renders("id = ?", task_id)), None)

    def renders(self, artist: str) -> list[Render]:
        """Return what was submitted of an artist, in the order of the ids."""
        return self._renders("artist = ?", artist)

    def _rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        return self._sql.execute(query, values).fetchall()

    def _renders(self, condition: str, value: Any) -> list[Render]:
        query = "SELECT * FROM tasks WHERE parent_id = 0 AND submitted_at IS NOT NULL AND "
        return [self._render(row) for row in self._rows(f"{query} {condition} ORDER BY id", value)]

    def _render(self, row: sqlite3.Row) -> Render:
        leaves = self._rows("SELECT * FROM tasks WHERE parent_id = ?", row["id"]) or [row]
        counts: Counter[int] = Counter()
        frames: list[Frame] = []
        for leaf in leaves:
            leaf_counts = {int(status): count for status, count in json.loads(leaf["frame_counts"]).items()}
            counts.update(leaf_counts)
            first = leaf["first_frame_id"]
            query = "SELECT * FROM frames WHERE id >= ? AND id < ?"
            frames += [
                Frame(
                    each["id"], FrameStatus(each["state"]), each["recommits"], each["failures"], _cost(each)
                )
                for each in self._rows(query, first, first + sum(leaf_counts.values()))
            ]
        ends = [leaf["completed_at"] for leaf in leaves]
        return Render(
            row["id"],
            aggregate_status(TaskStatus.WAITING, (TaskStatus(leaf["state"]) for leaf in leaves)),
            row["submitted_at"] / 1000,
            None if None in ends else max(ends) / 1000,
            sum(map(_cost, leaves), Decimal(0)),
            counts,
            tuple(frames),
        )


def _cost(row: sqlite3.Row) -> Decimal:
    return Decimal(row["paid_by_coupon"]) + Decimal(row["paid_by_balance"])
