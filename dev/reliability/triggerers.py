"""Two triggerers on PostgreSQL share renders that wait; one of them dies, ends, or is paused for a minute.

The farm's time stands still meanwhile, so that nothing ends before it is seen who waits for it.
"""

from __future__ import annotations

import math
import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from dev.harness.processes import ProgramError, Programs
from dev.reliability.crash_trial import POLL_INTERVAL, RIGHT, Trial
from dev.reliability.postgres import postgres
from dev.reliability.process_killer import POLL
from dev.reliability.result import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

COLUMNS = ("one of two triggerers is", "who waited for the render")
_ONE, _OTHER = "triggerer", "triggerer-2"
_EACH = 6
_QUICK = {
    "AIRFLOW__CORE__PARALLELISM": "12",
    # With no more the one in which something happens has half of the renders; the other could have all.
    "AIRFLOW__TRIGGERER__CAPACITY": str(_EACH),
    # A triggerer is taken for dead 15 s after its last heartbeat instead of 30 s.
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
}
_MUCH = ("--capacity", "1000")
_SECONDS_TO_WAIT = 120.0
_SECONDS_PAUSED = 60.0
_LOOKS = 5
# As long as a render takes.
_FARM_SECONDS = 600.0
_RIGHT = f"{RIGHT}, resumed once, asked for once an interval"


def killed(trial: Trial) -> None:
    """Kill one of them."""
    trial.stage.programs.kill(trial.stage.airflow.components[_ONE])


def stopped(trial: Trial) -> None:
    """Ask one of them to end."""
    trial.stage.programs.terminate(trial.stage.airflow.components[_ONE], timeout=60.0)


def paused(trial: Trial) -> None:
    """Pause one of them for a minute, in which the other one takes its renders over."""
    program = trial.stage.airflow.components[_ONE]
    program.signal(signal.SIGSTOP)
    before = _looks(trial)
    begun = time.monotonic()
    trial.stage.programs.wait_until("taking over", lambda: _all_since(trial, before), _SECONDS_TO_WAIT)
    time.sleep(max(0.0, begun + _SECONDS_PAUSED - time.monotonic()))
    program.signal(signal.SIGCONT)


CASES = {"killed (SIGKILL)": killed, "ended (SIGTERM)": stopped, "paused for a minute": paused}


def run(folder: Path, say: Callable[[str], None], *, cases: Iterable[str] = tuple(CASES)) -> list[Row]:
    """Make the table.

    :param folder: a new folder for all that is made.
    :param say: told what happens.
    :param cases: which of the cases.
    """
    rows = []
    with ExitStack() as ends:
        programs = ends.enter_context(Programs())
        url = ends.enter_context(postgres(programs, folder / "postgres.log"))
        settings = _QUICK | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}
        trial = ends.enter_context(Trial(folder, settings, speed=None))
        for number, name in enumerate(cases):
            rows += _case(trial, number, name, say)
            _stand_alone(trial)
    return rows


def _case(trial: Trial, number: int, name: str, say: Callable[[str], None]) -> list[Row]:
    first: list[int] = []
    often: list[int] = []

    def meanwhile() -> None:
        airflow, programs = trial.stage.airflow, trial.stage.programs
        programs.wait_until("half of the waits", lambda: len(_waiting(trial)) >= _EACH, _SECONDS_TO_WAIT)
        first.extend(_waiting(trial))
        airflow.start_component("triggerer", *_MUCH, name=_OTHER)
        programs.wait_until("all waits", lambda: len(_waiting(trial)) == 2 * _EACH, _SECONDS_TO_WAIT)
        say(f"two triggerers wait for {len(first)} and {2 * _EACH - len(first)} renders; one is {name}")
        CASES[name](trial)
        before = _looks(trial)
        programs.wait_until("the other's waits", lambda: _all_since(trial, before), _SECONDS_TO_WAIT)
        often.extend(_looks_an_interval(trial))
        trial.stage.farm.advance(_FARM_SECONDS)

    told = trial.render(f"case{number}", [("deferrable", None)] * (2 * _EACH), meanwhile)
    rows = []
    for who, indexes in (("this one", first), ("the other one", sorted({*range(2 * _EACH)} - {*first}))):
        found: dict[str, int] = {}
        for index in indexes:
            resumed, looks = trial.lives[index].runs - 1, often[index]
            came = told[index]
            came += ", resumed once" if resumed == 1 else f", resumed {resumed} times"
            came += ", asked for once an interval" if looks <= 1 else f", asked for {looks} times an interval"
            found[came] = found.get(came, 0) + 1
        listed = "; ".join(f"{count} times: {came}" for came, count in found.items())
        rows.append(Row((name, who), f"{_EACH} times: {_RIGHT}", listed))
    return rows


def _stand_alone(trial: Trial) -> None:
    """Let the first triggerer be alone again."""
    airflow, programs = trial.stage.airflow, trial.stage.programs
    programs.terminate(airflow.components[_OTHER], timeout=60.0)
    if airflow.components[_ONE].process.poll() is not None:
        airflow.start_component("triggerer")


def _looks(trial: Trial) -> list[int]:
    """Return how often the farm was asked for each render by a trigger."""
    return [life.seen[POLL] for life in trial.lives]


def _waiting(trial: Trial) -> list[int]:
    return [index for index, looks in enumerate(_looks(trial)) if looks]


def _all_since(trial: Trial, before: Iterable[int]) -> bool:
    """Tell whether the farm was asked for each render again and again since then."""
    return all(now > then + 1 for then, now in zip(before, _looks(trial), strict=True))


def _looks_an_interval(trial: Trial) -> list[int]:
    """Return how often the farm is asked for each render, when that has settled or a minute is over."""
    found: list[int] = []

    def settled() -> bool:
        before = _looks(trial)
        time.sleep(_LOOKS * POLL_INTERVAL)
        looks = zip(before, _looks(trial), strict=True)
        # One more than intervals may fall into the time.
        found[:] = [math.ceil((now - then - 1) / _LOOKS) for then, now in looks]
        return max(found) <= 1

    try:
        trial.stage.programs.wait_until("one look an interval", settled, _SECONDS_PAUSED)
    except ProgramError:
        trial.stage.programs.raise_if_ended()
    return found
