"""The tasks that wait for a render, and the types of kill that they can meet."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import psutil

from dev.reliability.process_killer import ProcessTrace
from dev.reliability.testbed import Testbed

STOPPED, CONTINUES, REATTACHED = "stopped", "continues", "continues, 1 submit, correct result"
"""What can happen to a render. The last means that its Airflow task returned it too."""
WAITING, DEFERRED = "waiting", "deferred"


@dataclass(frozen=True)
class Slot:
    """A task of the DAG that is killed, or a mapped instance of it.

    :param stops: whether its render must be stopped when it is killed.
    """

    waiter: str
    mode: str
    index: int = -1
    stops: bool = True

    @property
    def task_id(self) -> str:
        """The id of its task."""
        return f"{self.waiter}.{self.mode}" + (".mapped" if self.index >= 0 else "")

    @property
    def is_second(self) -> bool:
        """Whether it is the second of two mapped instances, which a kill of single tasks leaves alone."""
        return self.index > 0

    def __str__(self) -> str:
        if self.index < 0:
            return self.mode
        return f"{self.mode}, mapped, {'its neighbour' if self.is_second else 'one of two'}"


SLOTS = tuple(
    slot
    for mode in (WAITING, DEFERRED)
    for slot in (
        Slot("render", mode),
        Slot("render", mode, 0),
        Slot("render", mode, 1),
        Slot("submit", mode),
        Slot("sensor", mode),
        Slot("sensor_default", mode, stops=False),
    )
)
WAITERS = {
    "render": "RenderbusRenderOperator",
    "submit": "RenderbusSubmitTaskOperator",
    "sensor": "RenderbusTaskSensor, cancel_on_kill=True",
    "sensor_default": "RenderbusTaskSensor",
}


@dataclass(frozen=True)
class KillRun:
    """A run of the DAG whose tasks wait, with the traces of their processes and requests."""

    testbed: Testbed
    dag_id: str
    run_id: str
    traces: dict[Slot, ProcessTrace]

    @property
    def path(self) -> str:
        """Its path in the REST API."""
        return f"/dags/{self.dag_id}/dagRuns/{self.run_id}"

    def instances(self) -> dict[Slot, dict[str, Any]]:
        """Return the task instances; those of mapped tasks do not exist from the first moment."""
        listed = self.testbed.airflow.get_all(f"{self.path}/taskInstances", "task_instances")
        by_key = {(instance["task_id"], instance["map_index"]): instance for instance in listed}
        return {slot: by_key[key] for slot in SLOTS if (key := (slot.task_id, slot.index)) in by_key}

    def scene(self, slot: Slot) -> str:
        """Return the name by which a slot's render is found on the farm."""
        return f"{self.run_id}-{slot.task_id}-{max(slot.index, 0)}"

    def single(self) -> Iterator[Slot]:
        """Yield the slots that a kill of single tasks is aimed at."""
        return (slot for slot in SLOTS if not slot.is_second)


Act: TypeAlias = Callable[[KillRun], None]


AIRFLOW_LIMITATIONS: dict[tuple[str, str, str], dict[str, Any]] = {
    # Airflow 3.0 leaves a task that was cleared while it ran in the state "restarting", and runs no next try.
    # Its API clears all of a mapped task.
    ("3.0", "cleared", WAITING): {"outcome": STOPPED, "spares_second": False},
    # Airflow 3.0 does not pass the signal on to the task's own process, which continues.
    ("3.0", "worker: SIGTERM", WAITING): {"outcome": REATTACHED},
    # Airflow 2 ends every task at SIGTERM.
    ("2.11", "worker: SIGTERM", WAITING): {"without_cancel_on_kill": CONTINUES},
}
"""What a line of Airflow does differently, by line, kill and mode."""


@dataclass(frozen=True)
class KillType:
    """A type of kill.

    :param outcome: what must happen to a render whose task is killed and stops it.
    :param spares_second: whether the second one of two mapped tasks is left alone.
    :param without_cancel_on_kill: what must happen to a render whose task does not stop it.
    """

    name: str
    act: Act
    outcome: str = STOPPED
    modes: tuple[str, ...] = (WAITING, DEFERRED)
    dag_id: str = "kills"
    spares_second: bool = False
    without_cancel_on_kill: str = CONTINUES

    def expected(self, slot: Slot, line: str) -> str:
        """Return what must happen to a slot's render on a line of Airflow."""
        rule = replace(self, **AIRFLOW_LIMITATIONS.get((line, self.name, slot.mode), {}))
        if slot.mode not in self.modes or (rule.spares_second and slot.is_second):
            return REATTACHED
        return rule.outcome if rule.outcome != STOPPED or slot.stops else rule.without_cancel_on_kill


def _mark(state: str) -> Act:
    def act(run: KillRun) -> None:
        instances = run.instances()
        for slot in run.single():
            run.testbed.airflow.set_task_state(instances[slot], state)

    return act


def _clear(run: KillRun) -> None:
    run.testbed.airflow.clear(run.dag_id, run.run_id, [(slot.task_id, slot.index) for slot in run.single()])


def _mark_run_failed(run: KillRun) -> None:
    run.testbed.airflow.patch(run.path, state="failed")


def _wait_for_timeout(_: KillRun) -> None:
    """Do nothing: the tasks' own timeout comes."""


def _let_run_time_out(run: KillRun) -> None:
    """Have the DAG run started an hour ago."""
    run.testbed.airflow.change_database(
        "UPDATE dag_run SET start_date = :date WHERE run_id = :run",
        {"date": _database_date(-timedelta(hours=1)), "run": run.run_id},
    )


def _let_deferral_time_out(run: KillRun) -> None:
    """Have the timeout of the deferral come, which is ten minutes after the trigger's own deadline."""
    # The triggerer uses the timeout that it read when it started the trigger.
    _terminate_triggerer(run)
    run.testbed.airflow.change_database(
        "UPDATE task_instance SET trigger_timeout = :date WHERE run_id = :run AND state = 'deferred'",
        {"date": _database_date(timedelta(seconds=20)), "run": run.run_id},
    )
    run.testbed.airflow.start_component("triggerer")


def _terminate_workers(run: KillRun) -> None:
    for slot in run.single():
        trace = run.traces[slot]
        if slot.mode == WAITING and trace.pid is not None:
            os.kill(psutil.Process(trace.pid).ppid(), signal.SIGTERM)


def _terminate_triggerer(run: KillRun) -> None:
    run.testbed.programs.terminate(run.testbed.airflow.components["triggerer"], timeout=60.0)


def _restart_triggerer(run: KillRun) -> None:
    _terminate_triggerer(run)
    run.testbed.airflow.start_component("triggerer")


def _kill_triggerer(run: KillRun) -> None:
    run.testbed.programs.kill(run.testbed.airflow.components["triggerer"])
    run.testbed.airflow.start_component("triggerer")


KILL_TYPES = (
    KillType("marked failed", _mark("failed"), spares_second=True),
    KillType("marked success", _mark("success"), spares_second=True),
    KillType("cleared", _clear, REATTACHED, spares_second=True),
    KillType("DAG run marked failed", _mark_run_failed),
    KillType("execution_timeout", _wait_for_timeout, dag_id="kills_execution_timeout"),
    KillType("dagrun_timeout", _let_run_time_out, dag_id="kills_dagrun_timeout"),
    KillType("timeout of the deferral", _let_deferral_time_out, modes=(DEFERRED,)),
    # Airflow 3 lets a task continue after SIGTERM if its `on_kill` does nothing.
    KillType(
        "worker: SIGTERM",
        _terminate_workers,
        modes=(WAITING,),
        spares_second=True,
        without_cancel_on_kill=REATTACHED,
    ),
    KillType(
        "worker: SIGTERM, a retry follows",
        _terminate_workers,
        REATTACHED,
        modes=(WAITING,),
        dag_id="kills_retry",
        spares_second=True,
        without_cancel_on_kill=REATTACHED,
    ),
    KillType("triggerer: SIGTERM, restart", _restart_triggerer, REATTACHED, modes=(DEFERRED,)),
    KillType("triggerer: SIGKILL, restart", _kill_triggerer, REATTACHED, modes=(DEFERRED,)),
)


def _database_date(offset: timedelta) -> str:
    """Return the time, with an offset, in the form in which both databases keep it."""
    return f"{datetime.now(UTC) + offset:%Y-%m-%d %H:%M:%S.%f+00:00}"
