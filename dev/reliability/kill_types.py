"""What waits for a render, and the kinds of kill that it can meet."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.harness.airflow_instance import AirflowInstance
    from dev.reliability.process_killer import Life
    from dev.reliability.testbed import Stage

STOPPED, GOES_ON, TAKEN_UP = "stopped", "goes on", "goes on, 1 submit, right result"
"""What can become of a render. The last means that its Airflow task returned it too."""
WAITING, DEFERRED = "waiting", "deferred"


@dataclass(frozen=True)
class Slot:
    """A task of the DAG that is killed, or a mapped one of it.

    :param waiter: what waits.
    :param mode: "waiting" on a worker, or "deferred".
    :param index: its map index, or -1.
    :param stops: whether its render must be stopped where it is killed.
    """

    waiter: str
    mode: str
    index: int = -1
    stops: bool = True

    @property
    def task_id(self) -> str:
        """Its task's id."""
        return f"{self.waiter}.{self.mode}" + (".mapped" if self.index >= 0 else "")

    @property
    def spared(self) -> bool:
        """Whether a kill of single tasks leaves it alone: of two mapped ones, the first is killed."""
        return self.index > 0

    def __str__(self) -> str:
        if self.index < 0:
            return self.mode
        return f"{self.mode}, mapped, {'its neighbour' if self.spared else 'one of two'}"


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
class Run:
    """A run of the DAG whose tasks wait, and what is needed to kill them.

    :param lives: what is known of each slot's process and requests.
    """

    stage: Stage
    dag_id: str
    run_id: str
    lives: dict[Slot, Life]

    @property
    def airflow(self) -> AirflowInstance:
        """Where it runs."""
        return self.stage.airflow

    @property
    def path(self) -> str:
        """Its path in the REST API."""
        return f"/dags/{self.dag_id}/dagRuns/{self.run_id}"

    def instances(self) -> dict[Slot, dict[str, Any]]:
        """Return the task instances; those of mapped tasks are not there from the first moment."""
        listed = self.airflow.get_all(f"{self.path}/taskInstances", "task_instances")
        found = {(each["task_id"], each["map_index"]): each for each in listed}
        return {
            slot: found[slot.task_id, slot.index] for slot in SLOTS if (slot.task_id, slot.index) in found
        }

    def scene(self, slot: Slot) -> str:
        """Return the name by which a slot's render is found on the farm."""
        return f"{self.run_id}-{slot.task_id}-{max(slot.index, 0)}"

    def single(self) -> Iterator[Slot]:
        """Yield the slots that a kill of single tasks is aimed at."""
        return (slot for slot in SLOTS if not slot.spared)


@dataclass(frozen=True)
class Known:
    """What a line of Airflow cannot do.

    :param outcome: what becomes of a render whose task stops it.
    :param careless: what becomes of one whose task does not.
    :param spares: whether the second one of two mapped tasks is left alone.
    """

    outcome: str
    careless: str
    spares: bool


# By line, kill and mode.
KNOWN = {
    # Airflow 3.0 leaves a task that was cleared while it ran in the state "restarting", and runs no next try.
    # Its API clears all of a mapped task.
    ("3.0", "cleared", WAITING): Known(STOPPED, GOES_ON, spares=False),
    # Airflow 3.0 does not hand the signal on to the task's own process, which goes on.
    ("3.0", "worker: SIGTERM", WAITING): Known(TAKEN_UP, TAKEN_UP, spares=True),
    # Airflow 2 lets no task run on after SIGTERM.
    ("2.11", "worker: SIGTERM", WAITING): Known(STOPPED, GOES_ON, spares=True),
}


Act: TypeAlias = Callable[[Run], None]


@dataclass(frozen=True)
class Kill:
    """A kind of kill.

    :param name: what it is called in the table.
    :param act: does it.
    :param outcome: what must become of a render whose task is killed and stops it.
    :param modes: of the tasks that it can happen to.
    :param dag_id: the DAG that it happens in.
    :param spares: whether the second one of two mapped tasks is left alone.
    :param careless: what must become of a render whose task does not stop it.
    """

    name: str
    act: Act
    outcome: str = STOPPED
    modes: tuple[str, ...] = (WAITING, DEFERRED)
    dag_id: str = "kills"
    spares: bool = False
    careless: str = GOES_ON

    def expected(self, slot: Slot, line: str) -> str:
        """Return what must become of a slot's render on a line of Airflow."""
        rule = KNOWN.get((line, self.name, slot.mode), self)
        if slot.mode not in self.modes or (rule.spares and slot.spared):
            return TAKEN_UP
        return rule.outcome if rule.outcome != STOPPED or slot.stops else rule.careless


def _set_state(run: Run, state: str) -> None:
    instances = run.instances()
    for slot in run.single():
        run.airflow.set_task_state(instances[slot], state)


def mark_failed(run: Run) -> None:
    """Mark the tasks failed."""
    _set_state(run, "failed")


def mark_success(run: Run) -> None:
    """Mark the tasks successful."""
    _set_state(run, "success")


def clear(run: Run) -> None:
    """Clear the tasks."""
    run.airflow.clear(run.dag_id, run.run_id, [(slot.task_id, slot.index) for slot in run.single()])


def end_run(run: Run) -> None:
    """Mark the DAG run failed."""
    run.airflow.patch(run.path, state="failed")


def wait_for_time_out(_: Run) -> None:
    """Do nothing: the tasks' own time-out comes."""


def let_run_time_out(run: Run) -> None:
    """Let the DAG run have begun an hour ago."""
    run.airflow.change_database(
        "UPDATE dag_run SET start_date = :date WHERE run_id = :run",
        {"date": _database_date(-timedelta(hours=1)), "run": run.run_id},
    )


def let_deferral_time_out(run: Run) -> None:
    """Let the time-out of the deferral come, which stands ten minutes behind the trigger's own deadline."""
    # The triggerer goes by the time-out that it read when it took the trigger up.
    _stop_triggerer(run)
    run.airflow.change_database(
        "UPDATE task_instance SET trigger_timeout = :date WHERE run_id = :run AND state = 'deferred'",
        {"date": _database_date(timedelta(seconds=20)), "run": run.run_id},
    )
    run.airflow.start_component("triggerer")


def terminate_workers(run: Run) -> None:
    """Send SIGTERM to the workers of the tasks."""
    for slot in run.single():
        life = run.lives[slot]
        if slot.mode == WAITING and life.pid is not None:
            os.kill(psutil.Process(life.pid).ppid(), signal.SIGTERM)


def _stop_triggerer(run: Run) -> None:
    run.stage.programs.terminate(run.airflow.components["triggerer"], timeout=60.0)


def restart_triggerer(run: Run) -> None:
    """Send SIGTERM to the triggerer and start it again."""
    _stop_triggerer(run)
    run.airflow.start_component("triggerer")


def kill_triggerer(run: Run) -> None:
    """Kill the triggerer and start it again."""
    run.stage.programs.kill(run.airflow.components["triggerer"])
    run.airflow.start_component("triggerer")


KILLS = (
    Kill("marked failed", mark_failed, spares=True),
    Kill("marked success", mark_success, spares=True),
    Kill("cleared", clear, TAKEN_UP, spares=True),
    Kill("DAG run marked failed", end_run),
    Kill("execution_timeout", wait_for_time_out, dag_id="kills_execution_timeout"),
    Kill("dagrun_timeout", let_run_time_out, dag_id="kills_dagrun_timeout"),
    Kill("time-out of the deferral", let_deferral_time_out, modes=(DEFERRED,)),
    # Airflow 3 lets a task run on after SIGTERM whose `on_kill` has nothing to do.
    Kill("worker: SIGTERM", terminate_workers, modes=(WAITING,), spares=True, careless=TAKEN_UP),
    Kill(
        "worker: SIGTERM, a retry follows",
        terminate_workers,
        TAKEN_UP,
        modes=(WAITING,),
        dag_id="kills_retry",
        spares=True,
        careless=TAKEN_UP,
    ),
    Kill("triggerer: SIGTERM, restart", restart_triggerer, TAKEN_UP, modes=(DEFERRED,)),
    Kill("triggerer: SIGKILL, restart", kill_triggerer, TAKEN_UP, modes=(DEFERRED,)),
)


def _database_date(away: timedelta) -> str:
    """Return a moment in the form in which both databases keep it."""
    return f"{datetime.now(UTC) + away:%Y-%m-%d %H:%M:%S.%f+00:00}"
