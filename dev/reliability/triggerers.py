"""Two triggerers on PostgreSQL share renders that wait; one of them is killed, terminated, or paused.

The farm's time stands still meanwhile, so that nothing ends before it is known which triggerer polls it.
"""

from __future__ import annotations

import math
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from dev.harness.postgres import postgres
from dev.harness.processes import ProgramError, Programs
from dev.reliability.crash_trial import CORRECT, POLL_INTERVAL, CrashTrial
from dev.reliability.process_killer import POLL
from dev.reliability.report import Row
from dev.reliability.testbed import QUICK_TRIGGERER, RENDER_SECONDS

COLUMNS = ("one of two triggerers is", "render polled by")
_FIRST, _SECOND = "triggerer", "triggerer-2"
_EACH = 6
_SETTINGS = {
    **QUICK_TRIGGERER,
    "AIRFLOW__CORE__PARALLELISM": "12",
    # With no more, the first one has half of the renders; the second one could have all.
    "AIRFLOW__TRIGGERER__CAPACITY": str(_EACH),
}
_LARGE_CAPACITY = ("--capacity", "1000")
_TIMEOUT = 120.0
_PAUSE_SECONDS = 60.0
_INTERVALS = 5
_EXPECTED = f"{CORRECT}, resumed once, polled once per interval"


def _kill(trial: CrashTrial) -> None:
    trial.testbed.programs.kill(trial.testbed.airflow.components[_FIRST])


def _terminate(trial: CrashTrial) -> None:
    trial.testbed.programs.terminate(trial.testbed.airflow.components[_FIRST], timeout=60.0)


def _pause(trial: CrashTrial) -> None:
    """Pause the first triggerer for a minute, in which the second one takes its renders over."""
    program = trial.testbed.airflow.components[_FIRST]
    program.signal(signal.SIGSTOP)
    start = time.monotonic()
    _wait_until_all_polled(trial)
    time.sleep(max(0.0, start + _PAUSE_SECONDS - time.monotonic()))
    program.signal(signal.SIGCONT)


CASES = {"killed (SIGKILL)": _kill, "terminated (SIGTERM)": _terminate, "paused for a minute": _pause}


def run(folder: Path, log: Callable[[str], None], *, cases: Iterable[str] = tuple(CASES)) -> list[Row]:
    """Make the table of these cases, in a new folder."""
    rows = []
    with ExitStack() as stack:
        programs = stack.enter_context(Programs())
        url = stack.enter_context(postgres(programs, folder / "postgres.log"))
        settings = _SETTINGS | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}
        trial = stack.enter_context(CrashTrial(folder, settings, speed=None))
        for place, name in enumerate(cases):
            rows += _run_case(trial, f"case{place}", name, log)
            _leave_first_alone(trial)
    return rows


def _run_case(trial: CrashTrial, run_id: str, name: str, log: Callable[[str], None]) -> list[Row]:
    firsts: list[int] = []
    rates: list[int] = []

    def meanwhile() -> None:
        airflow, programs = trial.testbed.airflow, trial.testbed.programs
        programs.wait_until("half of the waits", lambda: len(_polled(trial)) >= _EACH, _TIMEOUT)
        firsts.extend(_polled(trial))
        airflow.start_component("triggerer", *_LARGE_CAPACITY, name=_SECOND)
        programs.wait_until("all waits", lambda: len(_polled(trial)) == 2 * _EACH, _TIMEOUT)
        log(f"two triggerers wait for {len(firsts)} and {2 * _EACH - len(firsts)} renders; one is {name}")
        CASES[name](trial)
        _wait_until_all_polled(trial)
        rates.extend(_polls_per_interval(trial))
        trial.testbed.farm.advance(RENDER_SECONDS)

    results = trial.render(run_id, [("deferrable", None)] * (2 * _EACH), meanwhile)
    rows = []
    for who, indexes in (("this one", firsts), ("the other one", sorted({*range(2 * _EACH)} - {*firsts}))):
        counts: Counter[str] = Counter()
        for index in indexes:
            resumed, rate = trial.traces[index].runs - 1, rates[index]
            result = results[index]
            result += ", resumed once" if resumed == 1 else f", resumed {resumed} times"
            result += ", polled once per interval" if rate <= 1 else f", polled {rate} times per interval"
            counts[result] += 1
        text = "; ".join(f"{count} times: {result}" for result, count in counts.items())
        rows.append(Row((name, who), f"{_EACH} times: {_EXPECTED}", text))
    return rows


def _leave_first_alone(trial: CrashTrial) -> None:
    """Terminate the second triggerer, and start the first one again if it has ended."""
    airflow, programs = trial.testbed.airflow, trial.testbed.programs
    programs.terminate(airflow.components[_SECOND], timeout=60.0)
    if airflow.components[_FIRST].process.poll() is not None:
        airflow.start_component("triggerer")


def _polls(trial: CrashTrial) -> list[int]:
    """Return how often a trigger has polled each render."""
    return [trace.counts[POLL] for trace in trial.traces]


def _polled(trial: CrashTrial) -> list[int]:
    return [index for index, polls in enumerate(_polls(trial)) if polls]


def _wait_until_all_polled(trial: CrashTrial) -> None:
    """Wait until each render was polled again and again."""
    before = _polls(trial)

    def all_polled() -> bool:
        return all(now > then + 1 for then, now in zip(before, _polls(trial), strict=True))

    trial.testbed.programs.wait_until("polls of all renders", all_polled, _TIMEOUT)


def _polls_per_interval(trial: CrashTrial) -> list[int]:
    """Return how often each render is polled per interval, when that has settled or a minute has passed."""
    rates: list[int] = []

    def has_settled() -> bool:
        before = _polls(trial)
        time.sleep(_INTERVALS * POLL_INTERVAL)
        # One more than intervals may fall into the time.
        polls = zip(before, _polls(trial), strict=True)
        rates[:] = [math.ceil((now - then - 1) / _INTERVALS) for then, now in polls]
        return max(rates) <= 1

    try:
        trial.testbed.programs.wait_until("one poll per interval", has_settled, _PAUSE_SECONDS)
    except ProgramError:
        trial.testbed.programs.raise_if_ended()
    return rates
