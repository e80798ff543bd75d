"""The resume database: an unchanged file is not sent again.

The ini file has the sections and keys of the vendor's. Only SQLite is supported.
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
    """The files sent before, by name (storage and server path).

    :param path: path of the database.
    :raises ValueError: the database cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            with ExitStack() as on_error:
                # Autocommit: an entry must survive a killed command, and a second command with the same
                # database must not wait until the first ends.
                self._sql = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
                on_error.callback(self._sql.close)
                self._sql.execute("PRAGMA journal_mode = WAL")
                self._sql.execute("PRAGMA synchronous = OFF")
                self._sql.execute(CREATE_TABLE)
                on_error.pop_all()
        except sqlite3.Error as error:
            raise ValueError(f"the resume database {path} cannot be used: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sql.close()

    def is_sent(self, name: str, file: os.stat_result) -> bool:
        """Return whether the file was sent under a name and is unchanged.

        :raises OSError: the database fails.
        """
        row = self._execute("SELECT size, modified FROM sent WHERE name = ?", (name,))
        return bool(row == _stamp(file))

    def mark_sent(self, name: str, file: os.stat_result) -> None:
        """Store that the file, as it is now, was sent under a name.

        :raises OSError: the database fails.
        """
        self._execute("REPLACE INTO sent VALUES (?, ?, ?)", (name, *_stamp(file)))

    def _execute(self, statement: str, values: tuple[object, ...]) -> Any:
        try:
            return self._sql.execute(statement, values).fetchone()
        except sqlite3.Error as error:
            raise OSError(errno.EIO, f"the resume database fails: {error}") from None


def open_resume_database(ini: str) -> ResumeDatabase | None:
    """Open the database of the ini file of ``-C``; return None for ``None`` or a disabled database.

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
    enabled = settings.getboolean("database", "on", fallback=True)
    if not enabled or settings.getboolean("sqlite", "temporary", fallback=False):
        return None
    database_type = settings.get("database", "type", fallback="sqlite")
    if database_type != "sqlite":
        raise ValueError(f"type: must be sqlite, got {database_type[:80]!r}")
    path = folder / settings.get("sqlite", "db_path")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _stamp(file: os.stat_result) -> Stamp:
    return file.st_size, file.st_mtime_ns
