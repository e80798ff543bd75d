"""Copies files one by one or in parallel, prints a line per file and returns the exit code."""

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
    """Exit codes as the vendor's Python client interprets them; 255 is from the help of the command."""

    DONE = 0
    BAD_STORAGE = 9
    INCOMPLETE = 10
    UNTRANSFERABLE = 11
    FATAL = 255


PARALLEL_FROM = 64
"""Number of files from which on they are copied in parallel."""
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
"""Errors that a retry would meet again."""


def transfer(
    direction: str,
    items: Sequence[TransferItem],
    target: ConfinedFolder,
    resume: ResumeDatabase | None,
    prefix: str,
    fault: Fault | None,
    emit: Callable[[str], None],
) -> int:
    """Copy files and return the exit code.

    :param direction: ``upload`` or ``download``, for the lines.
    :param items: the files.
    :param target: the folder of the copies.
    :param resume: the database of files sent before, None for none.
    :param prefix: prefix of a file's path in the resume database.
    :param fault: the fault to simulate.
    :param emit: called with the lines.
    """
    copier = _Copier(direction, len(items), target, resume, prefix, emit)
    before_fault = items[: fault.after] if fault else items
    # Files with the same target are copied in order: the last one wins. A database has one process.
    targets = {item.target for item in before_fault}
    if resume is None and len(before_fault) >= PARALLEL_FROM and len(targets) == len(before_fault):
        copier.copy_in_parallel(before_fault)
    else:
        for item in before_fault:
            copier.emit([copier.copy(item)])
    if fault and fault.half and len(items) > len(before_fault):
        copier.copy_half(items[len(before_fault)])
    while fault and fault.hang:
        signal.pause()
    return fault.exit if fault else min(copier.exit_codes, default=ExitCode.DONE)


def escape_control_characters(path: str) -> str:
    """Return a path as one line, with control characters escaped."""
    return CONTROL_CHARACTERS.sub(lambda match: match[0].encode("unicode_escape").decode(), path)


class _Copier:
    """Copies files and emits one line per file."""

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
        """Copy a file and return its line without the count."""
        name = escape_control_characters(item.name)
        try:
            return f"done {{}} {self._copy(item)} ({name})"
        except (PathNotAllowed, OSError) as error:
            is_permanent = isinstance(error, PathNotAllowed) or error.errno in PERMANENT_ERRNOS
            self.exit_codes.add(ExitCode.UNTRANSFERABLE if is_permanent else ExitCode.INCOMPLETE)
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            return f"fail {{}} {reason} ({name})"

    def copy_half(self, item: TransferItem) -> None:
        """Copy the first half of a file, without a line."""
        source = item.open()
        try:
            self._target.copy_in(source, split_path(item.target), first_half=True)
        finally:
            os.close(source)

    def copy_in_parallel(self, items: Sequence[TransferItem]) -> None:
        """Copy files in several processes.

        :raises OSError: one of the processes was killed.
        """

        def work(index: int, emit_line: Callable[[str], object]) -> int:
            for item in items[index::MAX_PROCESSES]:
                emit_line(self.copy(item))
            return min(self.exit_codes, default=ExitCode.DONE)

        codes = run_in_processes(MAX_PROCESSES, work, self.emit)
        if not set(codes) <= set(ExitCode):
            raise OSError(f"a copy process was killed; exit codes {codes}")
        self.exit_codes |= {ExitCode(code) for code in codes if code != ExitCode.DONE}

    def emit(self, lines: Sequence[str]) -> None:
        """Emit lines with their counts."""
        self._emit("\n".join(self._with_count(line) for line in lines))

    def _with_count(self, line: str) -> str:
        result, _, rest = line.partition(" {} ")
        return f"{self._direction} file {result} {next(self._counts)}/{self._total} {rest}"

    def _copy(self, item: TransferItem) -> str:
        """Copy a file that is not in the target yet, and return what was done."""
        parts = split_path(item.target)
        name = f"{self._prefix}/{'/'.join(parts)}"
        source = item.open()
        try:
            file = os.fstat(source)
            if self._resume and self._resume.is_sent(name, file) and self._target.size(parts) == file.st_size:
                return "was there"
            size = self._target.copy_in(source, parts)
            if self._resume:
                self._resume.mark_sent(name, file)
        finally:
            os.close(source)
        return f"{size} bytes"
