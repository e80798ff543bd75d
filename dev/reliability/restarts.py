"""The triggerer and the scheduler are killed while renders are at each of their steps, and started again.

The requests of several renders are held at steps of their own. When all are held, the component is killed
once: that is a kill at each of these steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from threading import Condition
from typing import TYPE_CHECKING

from dev.reliability.crash import points_of
from dev.reliability.crash_trial import MODES, RIGHT, RIGHT_AGAIN, Trial
from dev.reliability.process_killer import POLL
from dev.reliability.result import Row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dev.reliability.process_killer import Life

COLUMNS = ("killed", "mode", "step", "moment")
# Airflow takes a component for dead 15 s after its last heartbeat instead of 30 s, and looks every 5 s. With
# fewer seconds a scheduler that is merely busy takes itself for dead.
_QUICK = {
    "AIRFLOW__CORE__PARALLELISM": "24",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
    # A worker that asks Airflow is held as well.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
}
_SECONDS_TO_ASSEMBLE = 60.0


@dataclass(frozen=True)
class Kill:
    """Who is killed.

    :param name: what it is called in the table.
    :param component: Airflow's name for it.
    :param alone: whether the tasks that it runs live on.
    :param every: every how many-th of the points it is killed at.
    """

    name: str
    component: str
    alone: bool
    every: int


_KILLS = (
    Kill("triggerer", "triggerer", alone=False, every=1),
    Kill("scheduler and its tasks", "scheduler", alone=False, every=4),
    Kill("scheduler alone", "scheduler", alone=True, every=5),
)


def run(folder: Path, say: Callable[[str], None], *, every: int = 1) -> list[Row]:
    """Make the table.

    :param folder: a new folder for all that is made.
    :param say: told what happens.
    :param every: of the points, take every so many-th.
    """
    gathering = Gathering()
    with Trial(folder, _QUICK, gathering.hold) as trial:
        clean = trial.render("clean", [(mode, None) for mode in MODES])
        rows = [
            Row(("none", mode, "all", "never"), RIGHT, told) for mode, told in zip(MODES, clean, strict=True)
        ]
        if not all(row.holds for row in rows):
            return rows
        points = [
            (mode, point)
            for mode, life in zip(MODES, trial.lives, strict=True)
            for point in points_of(life.steps)
        ]
        for kill in _KILLS:
            here = [
                (mode, point)
                for mode, point in points
                if kill.component != "triggerer" or point.step.name == POLL
            ][:: kill.every * every]
            gathering.expect(len(here))
            strike = partial(_strike, trial, gathering, kill, say)
            told = trial.render(kill.name.replace(" ", "-"), here, strike)
            for (mode, point), came in zip(here, told, strict=True):
                # Of two tries at once the old one may stop the render, and the new one starts it again.
                expected = RIGHT_AGAIN if kill.alone and came == RIGHT_AGAIN else RIGHT
                rows.append(Row((kill.name, mode, str(point.step), point.moment), expected, came))
        return rows


def _strike(trial: Trial, gathering: Gathering, kill: Kill, say: Callable[[str], None]) -> None:
    """Kill a component when all requests are held that are to be, and start it again."""
    airflow, programs = trial.stage.airflow, trial.stage.programs
    gathering.wait(programs.raise_if_ended)
    say(f"{gathering.held} renders are held: the {kill.name} is killed")
    programs.kill(airflow.components[kill.component], alone=kill.alone)
    gathering.release(dead=not kill.alone)
    airflow.start_component(kill.component)


class Gathering:
    """Holds requests until all that are expected have come."""

    def __init__(self) -> None:
        self.held = 0
        """How many are held."""
        self._expected = 0
        self._dead: bool | None = None
        self._changed = Condition()

    def expect(self, number: int) -> None:
        """Begin anew, with a number of requests that are expected."""
        with self._changed:
            self.held, self._expected, self._dead = 0, number, None

    def hold(self, _: Life) -> bool:
        """Hold a request until all are released, and return whether its client is dead then."""
        with self._changed:
            self.held += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._dead is not None)
            return bool(self._dead)

    def wait(self, watch: Callable[[], None]) -> None:
        """Return when all are held, or after a minute: a step that was not reached is told of later.

        :param watch: called every second.
        """
        with self._changed:
            for _ in range(int(_SECONDS_TO_ASSEMBLE)):
                watch()
                if self._changed.wait_for(lambda: self.held >= self._expected, timeout=1.0):
                    break

    def release(self, *, dead: bool) -> None:
        """Let all go on.

        :param dead: whether their clients are dead.
        """
        with self._changed:
            self._dead = dead
            self._changed.notify_all()
