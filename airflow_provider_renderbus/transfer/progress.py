"""Parses the output of the transfer command: a line when a file begins, progresses, is done or fails.

The vendor's command writes ``upload file done (/a.blend)``, or ``download`` instead of ``upload``; the
embedded farm's adds count and size before the parenthesis. The format of the vendor's progress lines is not
documented, so a line shows progress if it differs from the previous one about the same file.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FILE_LINE = re.compile(
    r"\s*(?:upload|download) file (?P<event>[a-z]+)\b(?P<before>[^(]*)\((?P<path>.*)\)(?P<after>.*)"
)
_MAX_LAST_LINES = 8
_MAX_LINE_CHARS = 500


def is_file_line(line: str) -> bool:
    """Return whether a line is about a file."""
    return _FILE_LINE.match(line) is not None


@dataclass(slots=True)
class TransferProgress:
    """What a run of the command has done so far.

    :param sizes: bytes of each file to transfer, by the path in its lines.
    :param on_file_done: called with the path of each file that is done.
    :param failed: reasons by path, of the files that failed and were not done later.
    :param bytes: bytes of the files that are done.
    :param last_lines: last lines that are not about a file.
    """

    sizes: Mapping[str, int]
    on_file_done: Callable[[str], object] | None = None
    done: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    bytes: int = 0
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=_MAX_LAST_LINES))
    _progress_lines: dict[str, str] = field(default_factory=dict)

    @property
    def current_line(self) -> str:
        """The last line about a file that is in progress."""
        return next(reversed(self._progress_lines.values()), "")

    def feed(self, line: str) -> bool:
        """Process a line, and return whether it shows progress."""
        match = _FILE_LINE.match(line)
        if match is None:
            self.last_lines.append(line[:_MAX_LINE_CHARS])
            return False
        path = match["path"]
        match match["event"]:
            case "done":
                if path not in self.done:
                    self.done.add(path)
                    self.bytes += self.sizes.get(path, 0)
                self.failed.pop(path, None)
                self._progress_lines.pop(path, None)
                if self.on_file_done is not None:
                    self.on_file_done(path)
            case "fail":
                reason = f"{match['before']} {match['after']}".strip(" ,")
                # A count such as 3/12 is not part of the reason.
                self.failed[path] = re.sub(r"^\d+/\d+\s*", "", reason)
                self._progress_lines.pop(path, None)
            case "progress":
                has_changed = line != self._progress_lines.pop(path, None)
                self._progress_lines[path] = line
                return has_changed
            case _:
                return False
        return True
