"""What the transfer command says: a line when a file begins, moves, is done or fails.

The vendor's command writes ``upload file done (/a.blend)``, the embedded farm's adds count and size before
the bracket; both say ``download`` the other way. The exact form of the vendor's progress lines is not
documented, so of those only counts that a file's differs from its one before.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FILE = re.compile(
    r"\s*(?:upload|download) file (?P<what>[a-z]+)\b(?P<before>[^(]*)\((?P<path>.*)\)(?P<after>.*)"
)
_LAST_LINES = 8
_LONGEST = 500


def is_file_line(line: str) -> bool:
    """Tell whether a line is about a file, of which there are many."""
    return _FILE.match(line) is not None


@dataclass(slots=True)
class TransferProgress:
    """What a run of the command has done so far.

    :param sizes: bytes of each file that is transferred, by the path that its line shows.
    :param arrived: is given the path of each file that is done.
    :param done: the paths of files that are done.
    :param failed: the paths of files that failed and were not done afterwards, with the reasons.
    :param bytes: of the files that are done.
    :param last_lines: those that tell of no file.
    """

    sizes: Mapping[str, int]
    on_file_done: Callable[[str], object] | None = None
    done: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    bytes: int = 0
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_LINES))
    _progress: dict[str, str] = field(default_factory=dict)

    @property
    def current_line(self) -> str:
        """The last line about a file that is under way."""
        return next(reversed(self._progress.values()), "")

    def feed(self, line: str) -> bool:
        """Take in a line, and tell whether it shows that something has moved."""
        match = _FILE.match(line)
        if match is None:
            self.last_lines.append(line[:_LONGEST])
            return False
        path = match["path"]
        match match["what"]:
            case "done":
                if path not in self.done:
                    self.done.add(path)
                    self.bytes += self.sizes.get(path, 0)
                self.failed.pop(path, None)
                self._progress.pop(path, None)
                if self.on_file_done is not None:
                    self.on_file_done(path)
            case "fail":
                reason = f"{match['before']} {match['after']}".strip(" ,")
                # Counts such as 3/12 are no reason.
                self.failed[path] = re.sub(r"^\d+/\d+\s*", "", reason)
                self._progress.pop(path, None)
            case "progress":
                moved = line != self._progress.pop(path, None)
                self._progress[path] = line
                return moved
            case _:
                return False
        return True
