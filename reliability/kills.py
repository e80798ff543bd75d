"""The kill table: what waits for a render is killed by a person, a time-out or a signal.

The farm's time stands still until all kills are over, so a render that is not stopped goes on to its end only
then, and a stop that comes late shows as well.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

import psutil

from airflow_provider_renderbus.api import calls
from demo.processes import ProgramError
from reliability.reaper import POLL, Life, Reaper
from reliability.result import Row
from reliability.stage import COST, NOT_RENDERED, PROJECT, Stage, task_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from demo.airflow_instance import AirflowInstance
    from reliability.stage import Render

TITLE = "Kill table"
COLUMNS = ("kill", "what waits", "how")
STOPPED, GOES_ON, TAKEN_UP = "stopped", "goes on", "goes on, 1 submit, right result"
_WAITING, _DEFERRED = "waiting", "deferred"
_SECONDS_TO_WAIT, _SECONDS_TO_STOP, _SECONDS_TO_END = 120.0, 90.0, 180.0
_LOOK = "query_task_info"
# As long as a render takes.
_FARM_SECONDS = 600.0
_FINAL = {"success", "failed", "skipped", "upstream_failed", "removed"}
_QUICK = {
    "AIRFLOW__CORE__PARALLELISM": "16",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "2",
    # A triggerer is taken for dead 15 s after its last heartbeat instead of 30 s.
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
}


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
    for mode in (_WAITING, _DEFERRED)
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
        """Return the task instances."""
        listed = self.airflow.pages(f"{self.path}/taskInstances", "task_instances")
        found = {(each["task_id"], each["map_index"]): each for each in listed}
        return {slot: found[slot.task_id, slot.index] for slot in SLOTS}

    def scene(self, slot: Slot) -> str:
        """Return the name by which a slot's render is found on the farm."""
        return f"{self.run_id}-{slot.task_id}-{max(slot.index, 0)}"

    def single(self) -> Iterator[Slot]:
        """Yield the slots that a kill of single tasks is aimed at."""
        return (slot for slot in SLOTS if not slot.spared)


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
    modes: tuple[str, ...] = (_WAITING, _DEFERRED)
    dag_id: str = "kills"
    spares: bool = False
    careless: str = GOES_ON

    def expected(self, slot: Slot) -> str:
        """Return what must become of a slot's render."""
        if slot.mode not in self.modes or (self.spares and slot.spared):
            return TAKEN_UP
        return self.outcome if self.outcome != STOPPED or slot.stops else self.careless


def _set_state(run: Run, state: str) -> None:
    for slot in run.single():
        path = f"{run.path}/taskInstances/{slot.task_id}"
        run.airflow.patch(path if slot.index < 0 else f"{path}/{slot.index}", new_state=state)


def mark_failed(run: Run) -> None:
    """Mark the tasks failed."""
    _set_state(run, "failed")


def mark_success(run: Run) -> None:
    """Mark the tasks successful."""
    _set_state(run, "success")


def clear(run: Run) -> None:
    """Clear the tasks."""
    tasks = [slot.task_id if slot.index < 0 else [slot.task_id, slot.index] for slot in run.single()]
    fields = {"dag_run_id": run.run_id, "task_ids": tasks, "only_failed": False, "dry_run": False}
    run.airflow.post(f"/dags/{run.dag_id}/clearTaskInstances", **fields)


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
        if slot.mode == _WAITING and life.pid is not None:
            os.kill(psutil.Process(life.pid).ppid(), signal.SIGTERM)


def _stop_triggerer(run: Run) -> None:
    run.stage.programs.stop(run.airflow.components["triggerer"], seconds=60.0)


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
    Kill("time-out of the deferral", let_deferral_time_out, modes=(_DEFERRED,)),
    # Airflow 3 lets a task run on after SIGTERM whose `on_kill` has nothing to do.
    Kill("worker: SIGTERM", terminate_workers, modes=(_WAITING,), spares=True, careless=TAKEN_UP),
    Kill("triggerer: SIGTERM, restart", restart_triggerer, TAKEN_UP, modes=(_DEFERRED,)),
    Kill("triggerer: SIGKILL, restart", kill_triggerer, TAKEN_UP, modes=(_DEFERRED,)),
)


def run(folder: Path, say: Callable[[str], None], *, kills: Iterable[str] | None = None) -> list[Row]:
    """Make the table.

    :param folder: a new folder for all that is made.
    :param say: told what happens.
    :param kills: names of the kinds of kill; all where it is left out.
    """
    chosen = [kill for kill in KILLS if kills is None or kill.name in kills]
    return _Experiment(folder, say).table(chosen)


class _Experiment:
    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._say = say
        self._reaper = Reaper(self._life_of)
        dags = PROJECT / "reliability" / "dags" / "kills"
        self._stage = Stage(folder, dags, None, _QUICK, self._reaper.workers)
        self._run: Run | None = None
        self._known: dict[str, Life] = {}
        self._lock = Lock()

    def table(self, kills: Sequence[Kill]) -> list[Row]:
        """Kill in all ways, and return what became of the renders in the end."""
        with self._stage as stage:
            for dag_id in {kill.dag_id: None for kill in kills}:
                stage.airflow.unpause(dag_id)
            ended = [self._kill(kill, number) for number, kill in enumerate(kills)]
            # A stop that comes only now is told too.
            books = stage.renders()
        return [
            Row(
                (kill.name, WAITERS[slot.waiter], str(slot)),
                kill.expected(slot),
                _fate(books.get(run.scene(slot), NOT_RENDERED), result[slot]),
            )
            for kill, (run, result) in zip(kills, ended, strict=True)
            for slot in SLOTS
            if slot.mode in kill.modes
        ]

    def _kill(self, kill: Kill, number: int) -> tuple[Run, dict[Slot, Any]]:
        """Have all slots wait, kill them, and return what they returned in the end."""
        run = self._started(kill, number)
        self._until(
            run, "waiting", lambda: all(_waits(slot, run.lives[slot]) for slot in SLOTS), _SECONDS_TO_WAIT
        )
        self._say(f"all wait: {kill.name}")
        for life in run.lives.values():
            life.begun = len(life.steps)
        kill.act(run)
        stopped = [run.scene(slot) for slot in SLOTS if kill.expected(slot) == STOPPED]
        again = [slot for slot in SLOTS if kill.expected(slot) == TAKEN_UP]
        self._until(run, "a stop", lambda: self._are_stopped(stopped), _SECONDS_TO_STOP)
        self._until(
            run,
            "waiting again",
            lambda: all(_waits(slot, run.lives[slot]) for slot in again),
            _SECONDS_TO_WAIT,
        )
        ended = [run.lives[slot] for slot in SLOTS if kill.expected(slot) != TAKEN_UP]
        self._until(run, "the processes' end", lambda: not any(map(_is_alive, ended)), _SECONDS_TO_STOP)
        self._until(run, "an end", lambda: self._has_ended(run), _SECONDS_TO_END)
        instances = run.instances()
        self._say(f"ended: {kill.name}")
        return run, {
            slot: run.airflow.returned(instance) if instance["state"] == "success" else None
            for slot, instance in instances.items()
        }

    def _until(self, run: Run, what: str, condition: Callable[[], bool], seconds: float) -> None:
        """Wait for something; where it does not happen, the table tells of it in the end."""
        try:
            run.stage.programs.wait_until(what, condition, seconds, pause=0.5)
        except ProgramError as late:
            run.stage.programs.watch()
            self._say(f"{run.run_id}: {str(late).partition(';')[0]}")

    def _are_stopped(self, scenes: Iterable[str]) -> bool:
        books = self._stage.renders()
        return all(books.get(scene, NOT_RENDERED).state == "STOP" for scene in scenes)

    def _has_ended(self, run: Run) -> bool:
        """Let the renders that were not stopped go on to their end, and tell whether Airflow's tasks have."""
        run.stage.farm.advance(_FARM_SECONDS)
        return all(instance["state"] in _FINAL for instance in run.instances().values())

    def _started(self, kill: Kill, number: int) -> Run:
        run = Run(self._stage, kill.dag_id, f"{number:02}", {slot: Life() for slot in SLOTS})
        conf: dict[str, list[dict[str, Any]]] = {}
        for slot in SLOTS:
            scene = run.scene(slot)
            self._stage.connect(scene, self._reaper.rule_of(run.lives[slot]))
            given = {"connection": scene, "task_json": json.dumps(task_json(scene))}
            if slot.waiter != "render":
                given["number"] = str(self._prepared(scene, submitted=slot.waiter != "submit"))
            conf.setdefault(slot.task_id, []).append(given)
        self._run = run
        run.airflow.trigger(run.dag_id, run.run_id, conf)
        return run

    def _prepared(self, scene: str, *, submitted: bool) -> int:
        """Create a task on the farm and describe it, and submit it too where that is wanted."""
        (number,) = self._stage.client.send(calls.create_task()).ids
        self._stage.client.send(calls.upload_task_json(number, json.dumps(task_json(scene))))
        if submitted:
            self._stage.client.send(calls.submit_task(number))
        return number

    def _life_of(self, instance_id: str) -> Life | None:
        if instance_id not in self._known and self._run:
            for slot, instance in self._run.instances().items():
                self._known[instance["id"]] = self._run.lives[slot]
        return self._known.get(instance_id)


def _waits(slot: Slot, life: Life) -> bool:
    """Tell whether a slot's process, or its trigger, has looked at the farm again and again."""
    looks = [step.name for step in life.steps[life.begun :]]
    if slot.mode == _DEFERRED:
        return life.pid is None and looks.count(POLL) > 1
    return life.pid is not None and looks[-2:] == [_LOOK, _LOOK]


def _is_alive(life: Life) -> bool:
    """Tell whether a process runs the operator: one that was killed has not told Airflow of its end."""
    try:
        return life.pid is not None and psutil.Process(life.pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _fate(render: Render, result: Any) -> str:
    """Return what became of a render, and what its Airflow task returned."""
    submits, starts, stops = (render.orders[order] for order in ("submit", "start", "stop"))
    told = {"STOP": STOPPED, "FINISHED": GOES_ON}.get(render.state, render.state)
    if submits != 1:
        told += f", {submits} submits"
    if render.state == "FINISHED" and result is not None:
        right = result["number"] == render.numbers[-1] and result["cost"] == str(COST) == str(render.cost)
        told += f", {submits} submit, right result" if right else f", result {result}"
    if render.state == "FINISHED" and stops != starts:
        told += f", {stops} stops and {starts} starts"
    return told


def _database_date(away: timedelta) -> str:
    return f"{datetime.now(UTC) + away:%Y-%m-%d %H:%M:%S.%f}"
