"""Timing one thing against another on a machine that is never quiet.

The two run in turns, in pairs whose order changes, so that what slows the machine down slows both. Each pair
gives one ratio, and the median of the ratios counts.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Pairs:
    """Seconds that both sides took, pair by pair."""

    ours: tuple[float, ...]
    beside: tuple[float, ...]

    def times_as_fast(self) -> float:
        """Return how many times as fast as the other side ours is."""
        return statistics.median(beside / ours for ours, beside in zip(self.ours, self.beside, strict=True))

    def times_the_time(self) -> float:
        """Return how many times the time of the other side ours takes."""
        return statistics.median(ours / beside for ours, beside in zip(self.ours, self.beside, strict=True))


def in_pairs(ours: Callable[[], float], beside: Callable[[], float], rounds: int) -> Pairs:
    """Run both sides in turns.

    :param ours: runs our side once and returns the seconds that it took.
    :param beside: runs the other side once and returns the seconds that it took.
    :param rounds: how many pairs count; one more comes before them, to warm up.
    """
    seconds: list[tuple[float, float]] = []
    for pair in range(rounds + 1):
        if pair % 2:
            first = beside()
            seconds.append((ours(), first))
        else:
            first = ours()
            seconds.append((first, beside()))
    _, *counted = seconds
    return Pairs(*zip(*counted, strict=True))


def seconds_per_call(function: Callable[[], object], calls: int) -> float:
    """Call a function several times and return the seconds of one call, garbage collection included."""
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls
