"""The resume database: what was sent before and has not changed is not sent again.

Its ini file has the sections and keys of the vendor's. Only SQLite is served.
"""

from __future__ import annotations

import errno
import sqlite3
from configparser import ConfigParser, Error
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import os

    Stamp = tuple[int, int]

BUSY_TIMEOUT = 30.0
CREATE_TABLE = (
    "CREATE TABLE IF NOT EXISTS sent (name TEXT PRIMARY KEY, size INTEGER, modified INTEGER) WITHOUT ROWID"
)


class ResumeDatabase:
    """What was sent before, by storage and server path.

    :param path: of the database.
    :raises ValueError: it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        try:
            with ExitStack() as ends:
                # Each note is committed by itself: it must outlive a command that is killed, and a second
                # command with the same database must not wait for the end of the first.
                self._sql = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
                ends.callback(self._sql.close)
                self._sql.execute("PRAGMA journal_mode = WAL")
                self._sql.execute("PRAGMA synchronous = OFF")
                self._sql.execute(CREATE_TABLE)
                ends.pop_all()
        except sqlite3.Error as error:
            raise ValueError(f"the resume database {path} cannot be used: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sql.close()

    def is_sent(self, name: str, file: os.stat_result) -> bool:
        """Return whether a file as it is now was sent under a name.

        :raises OSError: the database does not answer.
        """
        row = self._execute("SELECT size, modified FROM sent WHERE name = ?", (name,))
        return bool(row == _stamp(file))

    def mark_sent(self, name: str, file: os.stat_result) -> None:
        """Note that a file as it is now was sent under a name.

        :raises OSError: the database does not take it.
        """
        self._execute("REPLACE INTO sent VALUES (?, ?, ?)", (name, *_stamp(file)))

    def _execute(self, statement: str, values: tuple[object, ...]) -> Any:
        try:
            return self._sql.execute(statement, values).fetchone()
        except sqlite3.Error as error:
            raise OSError(errno.EIO, f"the resume database fails: {error}") from None


def open_resume_database(ini: str) -> ResumeDatabase | None:
    """Open the database that the ini file of ``-C`` describes; ``None`` and one that is off are none.

    :raises ValueError: the file or the database cannot be used.
    """
    if ini == "None":
        return None
    settings = ConfigParser(interpolation=None)
    try:
        with Path(ini).open(encoding="utf-8-sig") as file:
            settings.read_file(file)
        database = _database_path(settings, Path(ini).parent)
        return ResumeDatabase(database) if database else None
    except (OSError, Error, ValueError) as error:
        raise ValueError(f"-C {ini} cannot be used: {error}") from None


def _database_path(settings: ConfigParser, folder: Path) -> Path | None:
    on = settings.getboolean("database", "on", fallback=True)
    if not on or settings.getboolean("sqlite", "temporary", fallback=False):
        return None
    kind = settings.get("database", "type", fallback="sqlite")
    if kind != "sqlite":
        raise ValueError(f"type is {kind[:80]!r}; expected sqlite")
    path = folder / settings.get("sqlite", "db_path")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _stamp(file: os.stat_result) -> Stamp:
    return file.st_size, file.st_mtime_ns
