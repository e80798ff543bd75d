"""Copying file after file, with a line for each, and the exit code at the end."""

from __future__ import annotations

import errno
import os
import signal
from enum import IntEnum
from itertools import count
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.storage.confined_folder import (
    CONTROL_CHARACTERS,
    PathNotAllowed,
    split_path,
)
from airflow_provider_renderbus.farm.transmitter.worker_pool import run_in_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_renderbus.farm.storage.confined_folder import ConfinedFolder
    from airflow_provider_renderbus.farm.transmitter.faults import Fault
    from airflow_provider_renderbus.farm.transmitter.file_list import TransferItem
    from airflow_provider_renderbus.farm.transmitter.resume import ResumeDatabase


class ExitCode(IntEnum):
    """The exit codes, as the vendor's Python client reads them, and 255 from the command's own help."""

    DONE = 0
    BAD_STORAGE = 9
    INCOMPLETE = 10
    UNTRANSFERABLE = 11
    FATAL = 255


PARALLEL_FROM = 64
"""Files from which on several are copied at once."""
MAX_PROCESSES = min(4, os.cpu_count() or 1)

PERMANENT_ERRNOS = {
    errno.ENOENT,
    errno.EACCES,
    errno.EPERM,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENXIO,
}
"""Errors that the next try meets too."""


def transfer(
    direction: str,
    items: Sequence[TransferItem],
    target: ConfinedFolder,
    resume: ResumeDatabase | None,
    prefix: str,
    fault: Fault | None,
    emit: Callable[[str], None],
) -> int:
    """Copy files, and return the exit code.

    :param direction: ``upload`` or ``download``, for the lines.
    :param items: the files.
    :param target: the folder into which they are copied.
    :param resume: what was sent before.
    :param prefix: before a file's path, its name in the resume database.
    :param fault: what is to go wrong.
    :param emit: is given each line.
    """
    copying = Copier(direction, len(items), target, resume, prefix, emit)
    whole = items[: fault.after] if fault else items
    # Files with one place are copied in their order: the last of them counts. A database has one process.
    if resume is None and len(whole) >= PARALLEL_FROM and len({item.target for item in whole}) == len(whole):
        copying.copy_in_parallel(whole)
    else:
        for item in whole:
            copying.emit([copying.copy(item)])
    if fault and fault.half and len(items) > len(whole):
        _copy(items[len(whole)], target, resume, prefix, half=True)
    while fault and fault.hang:
        signal.pause()
    return fault.exit if fault else min(copying.exit_codes, default=ExitCode.DONE)


class Copier:
    """Copies files and tells of each.

    :param direction: ``upload`` or ``download``, for the lines.
    :param total: how many files there are.
    :param target: the folder into which they are copied.
    :param resume: what was sent before.
    :param prefix: before a file's path, its name in the resume database.
    :param emit: is given each line.
    """

    def __init__(
        self,
        direction: str,
        total: int,
        target: ConfinedFolder,
        resume: ResumeDatabase | None,
        prefix: str,
        emit: Callable[[str], None],
    ) -> None:
        self.exit_codes: set[ExitCode] = set()
        self._direction, self._total = direction, total
        self._target, self._resume, self._prefix = target, resume, prefix
        self._emit = emit
        self._counts = count(1)

    def copy(self, item: TransferItem) -> str:
        """Copy a file, and return the line about it, without its count."""
        try:
            what = _copy(item, self._target, self._resume, self._prefix)
            return f"done {{}} {what} ({escape_control_characters(item.name)})"
        except (PathNotAllowed, OSError) as error:
            never = isinstance(error, PathNotAllowed) or error.errno in PERMANENT_ERRNOS
            self.exit_codes.add(ExitCode.UNTRANSFERABLE if never else ExitCode.INCOMPLETE)
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            return f"fail {{}} {reason} ({escape_control_characters(item.name)})"

    def emit(self, lines: Sequence[str]) -> None:
        """Give out lines, with their counts."""
        self._emit("\n".join(self._with_count(line) for line in lines))

    def copy_in_parallel(self, items: Sequence[TransferItem]) -> None:
        """Copy files, several at once.

        :raises OSError: a process that copied was killed.
        """

        def work(number: int, tell: Callable[[str], object]) -> int:
            for item in items[number::MAX_PROCESSES]:
                tell(self.copy(item))
            return min(self.exit_codes, default=ExitCode.DONE)

        codes = run_in_processes(MAX_PROCESSES, work, self.emit)
        if not set(codes) <= set(ExitCode):
            raise OSError(f"a process that copied files has ended with {codes}")
        self.exit_codes |= {ExitCode(code) for code in codes if code != ExitCode.DONE}

    def _with_count(self, line: str) -> str:
        outcome, _, rest = line.partition(" {} ")
        return f"{self._direction} file {outcome} {next(self._counts)}/{self._total} {rest}"


def escape_control_characters(path: str) -> str:
    """Return a path in one line, control characters escaped."""
    return CONTROL_CHARACTERS.sub(lambda match: match[0].encode("unicode_escape").decode(), path)


def _copy(
    item: TransferItem,
    target: ConfinedFolder,
    resume: ResumeDatabase | None,
    prefix: str,
    *,
    half: bool = False,
) -> str:
    """Copy a file that is not there yet, and return what was done."""
    parts = split_path(item.target)
    name = f"{prefix}/{'/'.join(parts)}"
    source = item.open()
    try:
        file = os.fstat(source)
        noted = None if half else resume
        if noted and noted.is_sent(name, file) and target.size(parts) == file.st_size:
            return "was there"
        size = target.copy_in(source, parts, first_half=half)
        if noted:
            noted.mark_sent(name, file)
    finally:
        os.close(source)
    return f"{size} bytes"
