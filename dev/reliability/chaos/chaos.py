"""Chaos: renders in one process, in virtual time, with random faults, kills and user actions.

A seed repeats a run exactly. ``python -m dev.reliability.chaos.chaos --renders 1000 --seed 1`` exits with 1
if a render was paid twice, ran on unnoticed or was reported wrong, and prints its history.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from dev.reliability.chaos.simulation import Simulation

_RENDERS_PER_SIMULATION = 40
VIOLATIONS = ("paid twice", "running unnoticed", "reported wrong")
# How a history shows what happened to a render.
_FAULT_MARKS = {
    "network faults": "NetworkFault(",
    "SIGKILLs": " SIGKILL,",
    "SIGTERMs": " SIGTERM",
    "triggerers restarted": "the triggerer is restarted",
    "clears": "-> cleared",
    "changed lists of shots": "the list of shots is changed",
    "cleaned state stores": "the state store is cleaned",
    "runs made again": "the run is made again",
    "stops on the farm": "a user stops",
}


@dataclass(frozen=True)
class Violation:
    """A render for which invariants do not hold, with the lines that say so and all that happened to it."""

    simulation: str
    name: str
    lines: tuple[str, ...]
    history: tuple[str, ...]


@dataclass
class ChaosReport:
    """The result of chaos.

    :param digest: of all histories: equal if two runs were.
    """

    seed: int
    renders: int = 0
    tries: int = 0
    fault_counts: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    digest: str = ""

    def summary(self) -> str:
        """Return for how many renders each kind of invariant does not hold."""
        counts = (
            sum(any(line.startswith(kind) for line in each.lines) for each in self.violations)
            for kind in VIOLATIONS
        )
        return ", ".join(f"{count} {kind}" for count, kind in zip(counts, VIOLATIONS, strict=True))


def run(renders: int, seed: int, only: int | None = None) -> ChaosReport:
    """Run this many renders, in simulations of which ``only`` chooses one, and check the invariants."""
    digest = hashlib.sha256()
    report = ChaosReport(seed)
    for place, first in enumerate(range(0, renders, _RENDERS_PER_SIMULATION)):
        if only not in {None, place}:
            continue
        name = f"{seed}/{place}"
        with tempfile.TemporaryDirectory() as folder:
            count = min(_RENDERS_PER_SIMULATION, renders - first)
            tasks = Simulation(Path(folder) / "farm", name, count).run()
        for task in tasks:
            digest.update("\n".join(task.history).encode())
            report.renders += 1
            report.tries += task.try_number
            for line in task.history:
                report.fault_counts.update(name for name, mark in _FAULT_MARKS.items() if mark in line)
            if task.violations:
                lines, history = tuple(task.violations), tuple(task.history)
                report.violations.append(Violation(name, task.scenario.name, lines, history))
    report.digest = digest.hexdigest()[:16]
    return report


def main() -> int:
    """Run chaos and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dev.reliability.chaos.chaos", description=__doc__)
    parser.add_argument("--renders", type=int, default=1000, help="number of renders (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="decides everything (%(default)s)")
    parser.add_argument("--only", type=int, help="run only this simulation of them")
    options = parser.parse_args()
    report = run(options.renders, options.seed, options.only)
    for each in report.violations:
        print(f"simulation {each.simulation}, render {each.name}:", *each.history, sep="\n", file=sys.stderr)
    for each in report.violations:
        print(f"simulation {each.simulation}, render {each.name}:", *each.lines, sep="\n  ", file=sys.stderr)
    print(", ".join(f"{count} {name}" for name, count in report.fault_counts.items()))
    print(
        f"seed {report.seed}: {report.renders} renders, {report.tries} tries, digest {report.digest}: "
        f"{report.summary()}"
    )
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
