"""What a benchmark has measured, as a table for people and as JSON for later."""

from __future__ import annotations

import argparse
import json
import operator
import os
import platform
import statistics
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dev.benchmarks.paired_timing import Pairs


RESULTS = Path(__file__).parents[2] / ".benchmarks"
MISSED = "MISSED"
_SIDES = {"below": operator.lt, "above": operator.gt, "at most": operator.le, "at least": operator.ge}


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The goal to be so many times as fast as the other side."""

    times: float

    def ratio(self, pairs: Pairs) -> float:
        """Return what the goal is held against."""
        return pairs.times_as_fast()

    def met(self, ratio: float) -> bool:
        """Return whether a ratio reaches the goal."""
        return ratio >= self.times

    def __str__(self) -> str:
        return f">= {self.times:g} x as fast"


@dataclass(frozen=True, slots=True)
class AtMost:
    """The goal to take no more than so many times the time of the other side."""

    times: float

    def ratio(self, pairs: Pairs) -> float:
        """Return what the goal is held against."""
        return pairs.times_the_time()

    def met(self, ratio: float) -> bool:
        """Return whether a ratio reaches the goal."""
        return ratio <= self.times

    def __str__(self) -> str:
        return f"<= {self.times:g} x the time"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured promise."""

    name: str
    beside: str
    goal: AtLeast | AtMost
    pairs: Pairs

    @property
    def ratio(self) -> float:
        return self.goal.ratio(self.pairs)

    @property
    def met(self) -> bool:
        return self.goal.met(self.ratio)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser that knows the options of all benchmarks with goals.

    :param description: what is measured.
    """
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--results", type=Path, default=RESULTS, help="folder of what is kept (%(default)s)")
    options.add_argument("--check", action="store_true", help="fail where a goal is not met")
    return options


def goals_met(rows: Iterable[tuple[str, float, float | None, str]]) -> bool:
    """Print figures beside their goals and return whether all are met.

    :param rows: what was measured, the figure, its goal where it has one, and the side of it that is meant.
    """
    all_met = True
    for what, measured, goal, side in rows:
        met = goal is None or _SIDES[side](measured, goal)
        all_met &= met
        told = "" if goal is None else f"{side} {goal:g}"
        print(f"{what:68} {measured:10.2f}  {told:14} {'' if met else MISSED}".rstrip())
    return all_met


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as lines of text."""
    rows = [("figure", "ours", "beside", "", "ratio", "goal", "met")]
    rows += [
        (
            figure.name,
            _duration(statistics.median(figure.pairs.ours)),
            _duration(statistics.median(figure.pairs.beside)),
            figure.beside,
            f"{figure.ratio:.2f}",
            str(figure.goal),
            "yes" if figure.met else "NO",
        )
        for figure in figures
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def write(folder: Path, benchmark: str, figures: Sequence[Figure], versions: Mapping[str, str]) -> Path:
    """Write the figures with all samples to a new file and return its path.

    :param folder: where to; made if it is not there.
    :param benchmark: the benchmark's name, which begins the file's.
    :param versions: what took part, and its version.
    """
    return keep(
        folder,
        benchmark,
        {"versions": dict(versions), "figures": [_as_json(figure) for figure in figures]},
    )


def keep(folder: Path, benchmark: str, measured: Mapping[str, Any]) -> Path:
    """Write what was measured to a new file, with the time and the machine, and return its path.

    :param folder: where to; made if it is not there.
    :param benchmark: the benchmark's name, which begins the file's.
    :param measured: of which JSON can be made.
    """
    now = datetime.now(UTC)
    content = {
        "benchmark": benchmark,
        "measured_at": now.isoformat(timespec="seconds"),
        "machine": _machine(),
        **measured,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{benchmark}-{now:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    return path


def _as_json(figure: Figure) -> dict[str, Any]:
    return {
        "figure": figure.name,
        "beside": figure.beside,
        "ratio": figure.ratio,
        "goal": str(figure.goal),
        "met": figure.met,
        "seconds_ours": figure.pairs.ours,
        "seconds_beside": figure.pairs.beside,
    }


def _machine() -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _processor() -> str:
    """Return the processor's model, which on Linux stands in a file only."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text("utf-8").splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _duration(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"
