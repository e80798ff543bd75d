"""The triggerer and the scheduler are killed while renders are at each of their steps, and started again.

The requests of several renders are held at steps of their own. When all are held, the component is killed
once: that is a kill at each of these steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Condition

from dev.reliability.crash_trial import CORRECT, RESTARTED, CrashTrial
from dev.reliability.process_killer import POLL, ProcessTrace, is_alive
from dev.reliability.report import Row
from dev.reliability.testbed import LINES, QUICK_HEARTBEATS

COLUMNS = ("killed", "mode", "step", "moment")
_SETTINGS = {
    **QUICK_HEARTBEATS,
    "AIRFLOW__CORE__PARALLELISM": "24",
    # A worker whose request to Airflow is held waits that long.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
}
_MAX_SECONDS_TO_HOLD = 60


@dataclass(frozen=True)
class Kill:
    """A kill of a component, at every n-th of the points.

    :param alone: whether the tasks that it runs live on.
    :param is_one_of_many: whether others like it live on, with their tasks.
    """

    name: str
    component: str
    alone: bool
    every: int
    is_one_of_many: bool = False


KILLS = (
    Kill("triggerer", "triggerer", alone=False, every=1),
    Kill("scheduler and its tasks", "scheduler", alone=False, every=4),
    Kill("scheduler alone", "scheduler", alone=True, every=5),
)


def run(
    folder: Path,
    log: Callable[[str], None],
    *,
    every: int = 1,
    kills: Iterable[Kill] = KILLS,
    line: str = LINES[0],
    settings: Mapping[str, str] = _SETTINGS,
) -> list[Row]:
    """Make the table, in a new folder, with every n-th of the points."""
    barrier = RequestBarrier()
    with CrashTrial(folder, settings, barrier.hold, line=line) as trial:
        rows, all_points = trial.record("none")
        for kill in kills if all_points else ():
            points = [
                (mode, point)
                for mode, point in all_points
                if not kill.component.startswith("triggerer") or point.step.name == POLL
            ][:: kill.every * every]
            barrier.reset(len(points))
            restart = partial(_restart, trial, barrier, kill, log)
            results = trial.render(kill.name.replace(" ", "-"), points, restart)
            for (mode, point), result in zip(points, results, strict=True):
                # Of two tries at once the old one may stop the render, and the new one restarts it.
                expected = RESTARTED if kill.alone and result == RESTARTED else CORRECT
                rows.append(Row((kill.name, mode, str(point.step), point.moment), expected, result))
        return rows


def _restart(trial: CrashTrial, barrier: RequestBarrier, kill: Kill, log: Callable[[str], None]) -> None:
    """Kill a component when all expected requests are held, and start it again."""
    airflow, programs = trial.testbed.airflow, trial.testbed.programs
    barrier.wait(programs.raise_if_ended)
    log(f"{barrier.held} renders are held: {kill.name}")
    programs.kill(airflow.components[kill.component], alone=kill.alone)
    barrier.release(dead=None if kill.is_one_of_many else not kill.alone)
    airflow.start_component(kill.component)


class RequestBarrier:
    """Holds requests until all that are expected have come."""

    def __init__(self) -> None:
        self._changed = Condition()
        self.reset(0)

    def reset(self, expected: int) -> None:
        """Start again, with a number of expected requests."""
        self.held, self._expected = 0, expected
        self._released = False
        self._dead: bool | None = None

    def hold(self, trace: ProcessTrace | None = None) -> bool:
        """Hold a request until all are released, and return whether its client is dead then."""
        with self._changed:
            self.held += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._released)
            if self._dead is None:
                return trace is not None and not is_alive(trace)
            return self._dead

    def wait(self, check: Callable[[], None]) -> None:
        """Return when all are held, or after a minute of checks: a step that was not reached shows later."""
        with self._changed:
            for _ in range(_MAX_SECONDS_TO_HOLD):
                check()
                if self._changed.wait_for(lambda: self.held >= self._expected, timeout=1.0):
                    break

    def release(self, *, dead: bool | None) -> None:
        """Release all; ``dead`` says whether their clients are, or None if some of them are."""
        with self._changed:
            self._released, self._dead = True, dead
            self._changed.notify_all()
