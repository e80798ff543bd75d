"""The figure that a benchmark measures, beside its goal, and timing in pairs."""

from __future__ import annotations

import operator
import statistics
from collections.abc import Callable
from dataclasses import dataclass

_BOUNDS = {"below": operator.lt, "above": operator.gt, "at most": operator.le, "at least": operator.ge}


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure and its goal; ``bound`` says which side of the goal is good."""

    name: str
    value: float
    goal: float | None = None
    bound: str = "at most"
    detail: str = ""

    @property
    def is_met(self) -> bool:
        return self.goal is None or _BOUNDS[self.bound](self.value, self.goal)

    def __str__(self) -> str:
        goal = "" if self.goal is None else f"{self.bound} {self.goal:g}"
        result = "" if self.is_met else "MISSED"
        return f"{self.name:76} {self.value:10.2f}  {goal:14} {result:6}  {self.detail}".rstrip()


@dataclass(frozen=True, slots=True)
class Pairs:
    """Seconds of our side and of the baseline, pair by pair. The median of the ratios counts."""

    ours: tuple[float, ...]
    baseline: tuple[float, ...]

    def speedup(self) -> float:
        """Return how many times as fast as the baseline our side is."""
        return statistics.median(base / ours for ours, base in zip(self.ours, self.baseline, strict=True))

    def time_ratio(self) -> float:
        """Return how many times the time of the baseline our side takes."""
        return statistics.median(ours / base for ours, base in zip(self.ours, self.baseline, strict=True))

    def __str__(self) -> str:
        ours, baseline = (f"{statistics.median(side) * 1000:.3g} ms" for side in (self.ours, self.baseline))
        return f"{ours}, baseline {baseline}"


def measure_pairs(ours: Callable[[], float], baseline: Callable[[], float], rounds: int) -> Pairs:
    """Run both sides in turns, so that what slows the machine down slows both; each returns its seconds.

    One more pair comes before, to warm up. The order within a pair alternates.
    """
    seconds: list[tuple[float, float]] = []
    for pair in range(rounds + 1):
        if pair % 2:
            first = baseline()
            seconds.append((ours(), first))
        else:
            first = ours()
            seconds.append((first, baseline()))
    return Pairs(*zip(*seconds[1:], strict=True))
