"""An event loop in virtual time: time stands still while code runs and jumps to the next timer."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_DAY = 86_400.0
_MAX_TURNS_AT_ONE_MOMENT = 100_000


class StuckError(AssertionError):
    """Every task waits and no timer is set, or some task never waits."""


class _JumpSelector(selectors.SelectSelector):
    """Advances the time by the time-out instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._turns += 1
        if timeout is None or timeout >= _DAY or self._turns > _MAX_TURNS_AT_ONE_MOMENT:
            raise StuckError
        if timeout > 0:
            self._turns = 0
            # A little more than asked for: rounding would wake the loop just before its timer.
            self.now += timeout + 1e-9
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """For code that waits for timers and other tasks only: sockets are not polled, threads not used."""

    def __init__(self) -> None:
        self._jump_selector = _JumpSelector()
        super().__init__(self._jump_selector)

    def time(self) -> float:
        """Return the seconds since the loop was made."""
        return self._jump_selector.now

    def run_in_executor(
        self, _executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Call at once what would be called in a thread."""
        result: asyncio.Future[T] = self.create_future()
        try:
            result.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets it
            result.set_exception(error)
        return result


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a loop of its own and return its result."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
