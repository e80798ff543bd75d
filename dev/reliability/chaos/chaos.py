"""Chaos: renders in one process on a clock that is driven by hand, with random faults, kills and people.

A seed repeats a run exactly. ``python -m dev.reliability.chaos.chaos --renders 1000 --seed 1`` exits with 1
where a render was paid twice, ran on unseen or was reported wrong, and tells its history.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from dev.reliability.chaos.simulation import World

_RENDERS_A_WORLD = 40
# What a history shows of what happened to a render.
_BLOWS = {
    "troubles on the way": "Trouble(",
    "SIGKILLs": " SIGKILL,",
    "SIGTERMs": " SIGTERM",
    "triggerers restarted": "the triggerer is restarted",
    "clears": "-> cleared",
    "stops on the farm": "a person stops",
}


@dataclass(frozen=True)
class Wrong:
    """A render of which something does not hold.

    :param world: the seed of its world.
    :param name: its name.
    :param lines: what does not hold.
    :param history: all that happened to it.
    """

    world: str
    name: str
    lines: tuple[str, ...]
    history: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What chaos has found.

    :param seed: what decided everything.
    :param renders: how many renders there were.
    :param tries: how many tries their tasks took.
    :param blows: how often what happened to them.
    :param loud: of how many the operator said that it may still be running.
    :param wrong: the renders of which something does not hold.
    :param seconds: how much processor time it took.
    :param digest: of all histories: equal where two runs were.
    """

    seed: int
    renders: int
    tries: int
    blows: Counter[str]
    loud: int
    wrong: tuple[Wrong, ...]
    seconds: float
    digest: str

    def count(self, kind: str) -> int:
        """Return of how many renders something of a kind does not hold."""
        return sum(any(line.startswith(kind) for line in wrong.lines) for wrong in self.wrong)


def run(renders: int, seed: int, only: int | None = None) -> Found:
    """Let renders go through chaos.

    :param renders: how many.
    :param seed: decides everything.
    :param only: the one world to run of them.
    """
    began = time.process_time()
    digest = hashlib.sha256()
    wrong: list[Wrong] = []
    blows: Counter[str] = Counter()
    tries = loud = count = 0
    for place, first in enumerate(range(0, renders, _RENDERS_A_WORLD)):
        if only not in {None, place}:
            continue
        name = f"{seed}/{place}"
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder) / "farm", name, min(_RENDERS_A_WORLD, renders - first))
            tasks = world.run()
        for task in tasks:
            digest.update("\n".join(task.history).encode())
            tries += task.try_number
            loud += task.was_loud
            for line in task.history:
                blows.update(blow for blow, sign in _BLOWS.items() if sign in line)
            if task.violations:
                wrong.append(Wrong(name, task.plan.name, tuple(task.violations), tuple(task.history)))
        count += len(tasks)
    seconds = time.process_time() - began
    return Found(seed, count, tries, blows, loud, tuple(wrong), seconds, digest.hexdigest()[:16])


def main() -> int:
    """Run it and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dev.reliability.chaos.chaos", description=__doc__)
    parser.add_argument("--renders", type=int, default=1000, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="decides everything (%(default)s)")
    parser.add_argument("--only", type=int, help="run only this world of them")
    options = parser.parse_args()
    found = run(options.renders, options.seed, options.only)
    for wrong in found.wrong:
        print(f"world {wrong.world}, render {wrong.name}:", *wrong.history, sep="\n", file=sys.stderr)
    for wrong in found.wrong:
        print(f"world {wrong.world}, render {wrong.name}:", *wrong.lines, sep="\n  ", file=sys.stderr)
    print(", ".join(f"{count} {blow}" for blow, count in found.blows.items()))
    kinds = ("paid twice", "running unnoticed", "reported wrong")
    print(
        f"seed {found.seed}: {found.renders} renders, {found.tries} tries, {found.loud} said to be running, "
        f"{found.seconds:.1f} s of processor time, digest {found.digest}:",
        ", ".join(f"{found.count(kind)} {kind}" for kind in kinds),
    )
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
