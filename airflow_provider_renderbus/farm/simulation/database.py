"""The SQLite database in the storage folder: tasks, frames, money, nonces and uploaded files.

All changes of a request or of a time step are written in one transaction before the answer is sent: a farm
that is killed at any point continues from the last answer that a caller has received. The write-ahead log is
not flushed to disk at each commit: a committed change survives the death of the process, and after a power
cut the database is consistent but may lack the last changes.

Only frames that have started have a row: the others follow from the task's job.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections import Counter
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO

from airflow_provider_renderbus.farm.pictures.task_json import Job
from airflow_provider_renderbus.farm.simulation.tasks import (
    Frame,
    FrameState,
    StopType,
    Task,
    TaskState,
    TaskType,
)
from airflow_provider_renderbus.farm.storage.storage import PRIVATE_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

SCHEMA_VERSION = 4
"""Changed with the tables; a database of another version is not opened."""


def _identity(value: Any) -> Any:
    return value


def _parse_counts(text: str) -> Counter[int]:
    return Counter({int(state): count for state, count in json.loads(text).items()})


TASK_COLUMNS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        (
            "id", "platform", "artist", "clone_of", "parent_id", "user_level", "max_machines", "time_limit",
            "hardware_ids", "crashes", "producer", "submitted_at", "started_at", "completed_at",
            "next_event_at", "working_since", "first_frame_id", "seconds",
        ),
        _identity,
    ),
    **dict.fromkeys(("deleted", "on_hold", "full_speed"), bool),
    **dict.fromkeys(("paid_by_coupon", "paid_by_balance", "unpaid"), Decimal),
    "labels": json.loads,
    "type": TaskType,
    "state": TaskState,
    "stop_type": StopType,
    "job": lambda text: Job(**json.loads(text)),
    "frame_counts": _parse_counts,
}  # fmt: skip
"""The columns of a task, and for each the function that converts its stored value."""

FRAME_COLUMNS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("id", "seconds", "started_at", "ended_at", "finishes_at", "recommits", "failures", "error"),
        _identity,
    ),
    **dict.fromkeys(("paid_by_coupon", "paid_by_balance", "unpaid"), Decimal),
    "state": FrameState,
}
TABLES = f"""
    CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS tasks ({", ".join(TASK_COLUMNS)}, PRIMARY KEY (id));
    CREATE TABLE IF NOT EXISTS frames ({", ".join(FRAME_COLUMNS)}, PRIMARY KEY (id)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS files (task_id, name, content, PRIMARY KEY (task_id, name)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS nonces (second, nonce, PRIMARY KEY (second, nonce)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS operations (id INTEGER PRIMARY KEY, epoch_ms, operation, aliases);
"""


class Database:
    """The database of one farm.

    :param path: the SQLite file, created if missing.
    :param lock: the lock file, held while the farm runs.
    :raises ValueError: another farm is using it, or it is no database of this version.
    """

    def __init__(self, path: Path, lock: Path) -> None:
        self._lock = _acquire_lock(lock)
        path.touch(PRIVATE_FILE)
        self._sql = sqlite3.connect(path, check_same_thread=False)
        try:
            self._sql.execute("PRAGMA journal_mode = WAL")
            self._sql.execute("PRAGMA synchronous = OFF")
            self._sql.executescript(TABLES)
            version = self.get_value("format", SCHEMA_VERSION)
            self.set_value("format", version)
        except sqlite3.DatabaseError as error:
            self.close()
            raise ValueError(f"{path} cannot be used as the farm's database: {error}") from None
        if version != SCHEMA_VERSION:
            self.close()
            raise ValueError(
                f"{path}: must have format {SCHEMA_VERSION}, got {version}; use an empty storage folder"
            )

    def close(self) -> None:
        """Close the database. Uncommitted changes are lost, as if the farm were killed."""
        self._sql.close()
        self._lock.close()

    def commit(self) -> None:
        """Commit the changes since the last commit."""
        self._sql.commit()

    def get_value(self, name: str, default: Any) -> Any:
        """Return a stored value by its name."""
        row = self._sql.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else default

    def set_value(self, name: str, value: Any) -> None:
        """Store a value that JSON can represent."""
        self._sql.execute("REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    def tasks(self) -> Iterator[Task]:
        """Yield all tasks by id, without their frames."""
        names, converters = tuple(TASK_COLUMNS), tuple(TASK_COLUMNS.values())
        for row in self._sql.execute(f"SELECT {', '.join(names)} FROM tasks ORDER BY id"):  # noqa: S608 - no input
            yield Task(
                **{name: convert(value) for name, convert, value in zip(names, converters, row, strict=True)}
            )

    def frames(self, first_id: int, count: int) -> Iterator[dict[str, Any]]:
        """Yield the stored fields of the frames in a range of ids that have started."""
        names, converters = tuple(FRAME_COLUMNS), tuple(FRAME_COLUMNS.values())
        rows = self._sql.execute(
            f"SELECT {', '.join(names)} FROM frames WHERE id >= ? AND id < ?",  # noqa: S608 - no input
            (first_id, first_id + count),
        )
        for row in rows:
            yield {name: convert(value) for name, convert, value in zip(names, converters, row, strict=True)}

    def unpaid_frames(self) -> list[int]:
        """Return the ids of frames that are not fully paid, the oldest first."""
        rows = self._sql.execute("SELECT id FROM frames WHERE unpaid != '0' ORDER BY ended_at, id")
        return [row[0] for row in rows]

    def write(self, tasks: Iterable[Task], frames: Iterable[Frame]) -> None:
        """Write the current state of tasks and frames."""
        self._write("tasks", TASK_COLUMNS, tasks)
        self._write("frames", FRAME_COLUMNS, frames)

    def load_file(self, task_id: int, name: str) -> str | None:
        """Return an uploaded file, or None."""
        row = self._sql.execute(
            "SELECT content FROM files WHERE task_id = ? AND name = ?", (task_id, name)
        ).fetchone()
        return str(row[0]) if row else None

    def save_file(self, task_id: int, name: str, content: str) -> None:
        """Store an uploaded file, replacing one of the same name."""
        self._sql.execute("REPLACE INTO files VALUES (?, ?, ?)", (task_id, name, content))

    def copy_files(self, from_task_id: int, to_task_id: int) -> None:
        """Copy the uploaded files of a task to another task."""
        self._sql.execute(
            "REPLACE INTO files SELECT ?, name, content FROM files WHERE task_id = ?",
            (to_task_id, from_task_id),
        )

    def use_nonce(self, second: int, nonce: str) -> bool:
        """Store a nonce, and return whether it was new."""
        return self._sql.execute("INSERT OR IGNORE INTO nonces VALUES (?, ?)", (second, nonce)).rowcount == 1

    def delete_nonces(self, before: float) -> None:
        """Delete the nonces of timestamps that have expired."""
        self._sql.execute("DELETE FROM nonces WHERE second < ?", (before,))

    def log_operation(self, epoch_ms: int, operation: str, aliases: Iterable[str]) -> None:
        """Log an operation of the customer, for the task records."""
        self._sql.execute(
            "INSERT INTO operations (epoch_ms, operation, aliases) VALUES (?, ?, ?)",
            (epoch_ms, operation, json.dumps(list(aliases))),
        )

    def operations(self) -> list[tuple[int, int, str, str]]:
        """Return id, date, operation and JSON list of task aliases of all operations, the latest first."""
        return self._sql.execute(
            "SELECT id, epoch_ms, operation, aliases FROM operations ORDER BY id DESC"
        ).fetchall()

    def _write(self, table: str, columns: Iterable[str], objects: Iterable[Any]) -> None:
        names = tuple(columns)
        placeholders = ", ".join("?" * len(names))
        self._sql.executemany(
            f"REPLACE INTO {table} ({', '.join(names)}) VALUES ({placeholders})",  # noqa: S608 - no input
            ([_to_sql(getattr(each, name)) for name in names] for each in objects),
        )


def _to_sql(value: Any) -> Any:
    match value:
        case None | str() | int() | float():
            return value
        case Decimal():
            return str(value) if value else "0"  # not "0.0000": unpaid_frames compares with "0"
        case Job():
            return json.dumps(asdict(value))
    return json.dumps(value)


def _acquire_lock(path: Path) -> TextIO:
    """Return the locked file. The lock is released when it is closed or the process dies."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ValueError(f"{path.parent} is in use by another farm; choose another storage folder") from None
    return file
