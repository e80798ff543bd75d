"""CPU time of programs with all their processes, also of those that have ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from dev.harness.processes import Program

WORKERS = "workers"
"""The name under which the task processes are counted, whoever has started them."""
SCHEDULER = "scheduler"


def processes_of(program: Program) -> set[psutil.Process]:
    """Return the living processes of a program; those of PostgreSQL have sessions of their own."""
    return {*program.members(), *psutil.Process(program.process.pid).children(recursive=True)}


def cpu_seconds(program: Program, *, alone: bool = False) -> float:
    """Return the CPU seconds of a program: of its processes, and of those that they have waited for.

    :param alone: only of its main process.
    """
    total = 0.0
    for member in [psutil.Process(program.process.pid)] if alone else processes_of(program):
        try:
            times = member.cpu_times()
        except psutil.Error:  # it has just ended
            continue
        total += times.user + times.system
        if not alone:
            total += times.children_user + times.children_system
    return total


@dataclass(frozen=True)
class CpuTimes:
    """A reading of the CPU times of an Airflow's components.

    With LocalExecutor the tasks run in the scheduler's session, but not in its main process.
    """

    components: Mapping[str, Program]
    workers: Sequence[Program]

    def seconds(self) -> dict[str, float]:
        """Return the CPU seconds until now, by component."""
        times = {name: cpu_seconds(program) for name, program in self.components.items()}
        if self.workers:
            return {WORKERS: sum(map(cpu_seconds, self.workers)), **times}
        scheduler = cpu_seconds(self.components[SCHEDULER], alone=True)
        return {WORKERS: times[SCHEDULER] - scheduler, **times, SCHEDULER: scheduler}
