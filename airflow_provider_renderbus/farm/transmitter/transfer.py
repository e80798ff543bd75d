"""Copying file after file, with a line for each, and the exit code at the end."""

from __future__ import annotations

import errno
import os
import signal
from enum import IntEnum
from itertools import count
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.storage.confined_folder import CONTROL, NotAllowed, parts_of
from airflow_provider_renderbus.farm.transmitter.worker_pool import share

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_renderbus.farm.storage.confined_folder import Enclosure
    from airflow_provider_renderbus.farm.transmitter.faults import Fault
    from airflow_provider_renderbus.farm.transmitter.file_list import Item
    from airflow_provider_renderbus.farm.transmitter.resume import Resume


class Exit(IntEnum):
    """The exit codes, as the vendor's Python client reads them, and 255 from the command's own help."""

    DONE = 0
    WRONG = 9
    SOME_LEFT = 10
    SOME_NEVER = 11
    FATAL = 255


MANY = 64
"""Files from which on several are copied at once."""
AT_ONCE = min(4, os.cpu_count() or 1)

FOR_EVER = {
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
    way: str,
    items: Sequence[Item],
    target: Enclosure,
    resume: Resume | None,
    prefix: str,
    fault: Fault | None,
    tell: Callable[[str], None],
) -> int:
    """Copy files, and return the exit code.

    :param way: ``upload`` or ``download``, for the lines.
    :param items: the files.
    :param target: the folder into which they are copied.
    :param resume: what was sent before.
    :param prefix: before a file's path, its name in the resume database.
    :param fault: what is to go wrong.
    :param tell: is given each line.
    """
    copying = Copying(way, len(items), target, resume, prefix, tell)
    whole = items[: fault.after] if fault else items
    # Files with one place are copied in their order: the last of them counts. A database has one process.
    if resume is None and len(whole) >= MANY and len({item.target for item in whole}) == len(whole):
        copying.at_once(whole)
    else:
        for item in whole:
            copying.tell([copying.line(item)])
    if fault and fault.half and len(items) > len(whole):
        _copy(items[len(whole)], target, resume, prefix, half=True)
    while fault and fault.silence:
        signal.pause()
    return fault.exit if fault else min(copying.left, default=Exit.DONE)


class Copying:
    """Copies files and tells of each.

    :param way: ``upload`` or ``download``, for the lines.
    :param total: how many files there are.
    :param target: the folder into which they are copied.
    :param resume: what was sent before.
    :param prefix: before a file's path, its name in the resume database.
    :param tell: is given each line.
    """

    def __init__(
        self,
        way: str,
        total: int,
        target: Enclosure,
        resume: Resume | None,
        prefix: str,
        tell: Callable[[str], None],
    ) -> None:
        self.left: set[Exit] = set()
        self._way, self._total = way, total
        self._target, self._resume, self._prefix = target, resume, prefix
        self._tell = tell
        self._counts = count(1)

    def line(self, item: Item) -> str:
        """Copy a file, and return the line about it, without its count."""
        try:
            what = _copy(item, self._target, self._resume, self._prefix)
            return f"done {{}} {what} ({shown(item.name)})"
        except (NotAllowed, OSError) as error:
            never = isinstance(error, NotAllowed) or error.errno in FOR_EVER
            self.left.add(Exit.SOME_NEVER if never else Exit.SOME_LEFT)
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            return f"fail {{}} {reason} ({shown(item.name)})"

    def tell(self, lines: Sequence[str]) -> None:
        """Give out lines, with their counts."""
        self._tell("\n".join(self._counted(line) for line in lines))

    def at_once(self, items: Sequence[Item]) -> None:
        """Copy files, several at once.

        :raises OSError: a process that copied was killed.
        """

        def work(number: int, tell: Callable[[str], object]) -> int:
            for item in items[number::AT_ONCE]:
                tell(self.line(item))
            return min(self.left, default=Exit.DONE)

        codes = share(AT_ONCE, work, self.tell)
        if not set(codes) <= set(Exit):
            raise OSError(f"a process that copied files has ended with {codes}")
        self.left |= {Exit(code) for code in codes if code != Exit.DONE}

    def _counted(self, line: str) -> str:
        outcome, _, rest = line.partition(" {} ")
        return f"{self._way} file {outcome} {next(self._counts)}/{self._total} {rest}"


def shown(path: str) -> str:
    """Return a path in one line, control characters escaped."""
    return CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), path)


def _copy(
    item: Item,
    target: Enclosure,
    resume: Resume | None,
    prefix: str,
    *,
    half: bool = False,
) -> str:
    """Copy a file that is not there yet, and return what was done."""
    parts = parts_of(item.target)
    name = f"{prefix}/{'/'.join(parts)}"
    source = item.open()
    try:
        file = os.fstat(source)
        noted = None if half else resume
        if noted and noted.knows(name, file) and target.size(parts) == file.st_size:
            return "was there"
        size = target.take(source, parts, half=half)
        if noted:
            noted.note(name, file)
    finally:
        os.close(source)
    return f"{size} bytes"
