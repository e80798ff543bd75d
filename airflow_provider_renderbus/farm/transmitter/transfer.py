"""Copying file after file, with a line for each, and the exit code at the end."""

from __future__ import annotations

import errno
import os
import signal
from enum import IntEnum
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.enclosure import CONTROL, NotAllowed, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_renderbus.farm.enclosure import Enclosure
    from airflow_provider_renderbus.farm.transmitter.faults import Fault
    from airflow_provider_renderbus.farm.transmitter.plan import Item
    from airflow_provider_renderbus.farm.transmitter.resume import Resume


class Exit(IntEnum):
    """The exit codes, as the vendor's Python client reads them, and 255 from the command's own help."""

    DONE = 0
    WRONG = 9
    SOME_LEFT = 10
    SOME_NEVER = 11
    FATAL = 255


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
    resume: Resume,
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
    left: set[Exit] = set()
    for count, item in enumerate(items, 1):
        if fault and count > fault.after:
            if fault.half:
                _copy(item, target, resume, prefix, half=True)
            break
        place = f"{count}/{len(items)}"
        try:
            what = _copy(item, target, resume, prefix)
            tell(f"{way} file done {place} {what} ({shown(item.name)})")
        except (NotAllowed, OSError) as error:
            never = isinstance(error, NotAllowed) or error.errno in FOR_EVER
            left.add(Exit.SOME_NEVER if never else Exit.SOME_LEFT)
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            tell(f"{way} file fail {place} {reason} ({shown(item.name)})")
    while fault and fault.silence:
        signal.pause()
    return fault.exit if fault else min(left, default=Exit.DONE)


def shown(path: str) -> str:
    """Return a path in one line, control characters escaped."""
    return CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), path)


def _copy(item: Item, target: Enclosure, resume: Resume, prefix: str, *, half: bool = False) -> str:
    """Copy a file that is not there yet, and return what was done."""
    parts = parts_of(item.target)
    name = f"{prefix}/{'/'.join(parts)}"
    source = item.open()
    try:
        file = os.fstat(source)
        if not half and resume.knows(name, file) and target.size(parts) == file.st_size:
            return "was there"
        size = target.take(source, parts, half=half)
        if not half:
            resume.note(name, file)
    finally:
        os.close(source)
    return f"{size} bytes"
