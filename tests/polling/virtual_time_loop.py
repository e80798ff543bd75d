"""An event loop whose time is moved by hand: it stands still during work and jumps to timers."""

from __future__ import annotations

import asyncio
import selectors

_A_DAY = 86_400
_TURNS_AT_ONE_MOMENT = 100_000


class StuckError(AssertionError):
    """Everybody waits and nothing will ever wake them, or somebody never waits."""


class _Jumps(selectors.SelectSelector):
    def __init__(self):
        super().__init__()
        self.now = 0.0
        self._turns = 0

    def select(self, timeout=None):
        self._turns += 1
        if timeout is None or timeout >= _A_DAY or self._turns > _TURNS_AT_ONE_MOMENT:
            raise StuckError
        if timeout > 0:
            self._turns = 0
            # A little more than asked for, or rounding would wake the loop just before its timer.
            self.now += timeout + 1e-9
        return super().select(0)


class HandLoop(asyncio.SelectorEventLoop):
    """See above; for code that waits for timers and other tasks only, not for sockets or threads."""

    def __init__(self):
        self._jumps = _Jumps()
        super().__init__(self._jumps)

    def time(self):
        return self._jumps.now


def run(main):
    """Run a coroutine to its end in a loop of its own and return its result."""
    with asyncio.Runner(loop_factory=HandLoop) as runner:
        return runner.run(main)
