"""The same on Celery, with Redis, PostgreSQL, two workers and two triggerers as machines of their own.

Processes and machines are killed, frozen and restarted, and triggerers are of an older version than workers.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import cast

from dev.harness.celery_airflow import TRIGGERERS, CeleryAirflow
from dev.harness.postgres import postgres
from dev.harness.processes import Programs
from dev.reliability import celery_servers, crash, frozen, restarts
from dev.reliability.crash_trial import CORRECT, CrashTrial
from dev.reliability.process_killer import AFTER, KillPoint, Step
from dev.reliability.report import Row
from dev.reliability.testbed import CELERY, PROJECT, QUICK_HEARTBEATS

COLUMNS = ("what happens", "renders", "at")
# One machine more or less changes little of what a process does, so not every step is a point here.
_EVERY = 4
_SLOTS = {"AIRFLOW__CELERY__WORKER_CONCURRENCY": "8", "AIRFLOW__CORE__PARALLELISM": "16"}
_SETTINGS = {
    **QUICK_HEARTBEATS,
    **_SLOTS,
    # A worker whose request to Airflow is held waits that long.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
}
_PROCESS, _WORKER = "the process of a task is killed", "the machine of one of two workers is killed"
_TRIGGERER, _FROZEN = "the machine of one of two triggerers is killed", "the process of a task is frozen"
_UPGRADE = "triggerers are of an older version than workers"
_KILLS = (
    restarts.Kill(_WORKER, "worker-1", alone=False, every=10, is_one_of_many=True),
    restarts.Kill(_TRIGGERER, "triggerer-1", alone=False, every=1),
)
# A trigger of an older version, which has fewer arguments.
_OLDER_TRIGGER = """

class RenderbusTaskTrigger(RenderbusTaskTrigger):
    def __init__(self, **arguments):
        if "ignore_api_stop" in arguments:
            raise TypeError("RenderbusTaskTrigger.__init__() got an unexpected keyword argument")
        super().__init__(**arguments)
"""


def run(
    folder: Path,
    log: Callable[[str], None],
    *,
    renders: int = 60,
    speed: float = 3.0,
    every: int = 1,
    cases: Iterable[str] | None = None,
) -> list[Row]:
    """Make the table, in a new folder.

    :param renders: how many renders there are while all servers are restarted.
    :param speed: farm seconds that pass in a second meanwhile.
    :param every: kill at every n-th of the points, which are some of those of the other tables.
    :param cases: of CASES; all if omitted.
    """
    experiments: Mapping[str, Callable[..., list[Row]]] = {
        "servers": partial(celery_servers.run, renders=renders, speed=speed),
        "processes": partial(_kill_processes, every=_EVERY * every),
        "machines": partial(_kill_machines, every=every),
        "frozen": _freeze,
        "versions": _mix_versions,
    }
    rows = []
    for name in experiments if cases is None else cases:
        place = folder / name
        place.mkdir()
        log(f"{name}: {place}")
        rows += experiments[name](place, log)
    return rows


@contextmanager
def _settings(folder: Path) -> Iterator[dict[str, str]]:
    with Programs() as programs, postgres(programs, folder / "postgres.log") as url:
        yield {**_SETTINGS, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}


def _kill_processes(folder: Path, log: Callable[[str], None], *, every: int) -> list[Row]:
    with _settings(folder) as settings:
        rows = crash.run(folder, log, every=every, line=CELERY, settings=settings)
    return [
        Row((_PROCESS, mode, f"{step}, {moment}"), row.expected, row.result)
        for row in rows
        for mode, step, moment in [row.case]
    ]


def _kill_machines(folder: Path, log: Callable[[str], None], *, every: int) -> list[Row]:
    with _settings(folder) as settings:
        rows = restarts.run(folder, log, every=every, kills=_KILLS, line=CELERY, settings=settings)
    return [
        Row((what, mode, f"{step}, {moment}"), row.expected, row.result)
        for row in rows
        for what, mode, step, moment in [row.case]
        if what != "none"
    ]


def _freeze(folder: Path, log: Callable[[str], None]) -> list[Row]:
    rows = frozen.run(folder, log, lines=(CELERY,))
    return [Row((_FROZEN, "waiting", row.case[-1]), row.expected, row.result) for row in rows]


def _mix_versions(folder: Path, log: Callable[[str], None]) -> list[Row]:
    """Kill processes so that the next try defers with an argument that the triggerers do not know."""
    older = folder / "older" / "airflow_provider_renderbus"
    shutil.copytree(PROJECT / older.name, older)
    trigger = older / "triggers" / "tasks.py"
    trigger.write_text(trigger.read_text("utf-8") + _OLDER_TRIGGER, "utf-8")
    points: list[tuple[str, KillPoint] | tuple[str, None]] = [
        ("deferrable", None),
        ("deferrable", KillPoint(Step("submit_task", 1), AFTER)),
    ]
    with ExitStack() as stack:
        settings = stack.enter_context(_settings(folder))
        trial = stack.enter_context(CrashTrial(folder, settings, line=CELERY))
        airflow = cast(CeleryAirflow, trial.testbed.airflow)
        for name in TRIGGERERS:
            airflow.machine_settings[name] = {"PYTHONPATH": str(older.parent)}
            trial.testbed.programs.terminate(airflow.components[name], timeout=60.0)
            airflow.start_component(name)
        results = trial.render("older", points)
        waits = sum(
            "this worker waits" in path.read_text("utf-8") for path in airflow.home.rglob("attempt=*.log")
        )
        log(f"{waits} waits could not be read by a triggerer")
    places = ("a wait that uses nothing new", "a wait that an older triggerer cannot read")
    expected = (CORRECT, CORRECT if waits else f"{CORRECT}; a wait that cannot be read")
    return [
        Row((_UPGRADE, "deferrable", place), *each)
        for place, each in zip(places, zip(expected, results, strict=True), strict=True)
    ]
