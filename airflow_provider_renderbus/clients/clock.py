"""The time as a value, so that a test hands in another one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A clock to read and to wait on; the machine's own by default.

    :param now: returns the seconds since 1970.
    :param monotonic: returns seconds that only ever grow, for deadlines within one process.
    :param sleep: blocks for a number of seconds.
    """

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
