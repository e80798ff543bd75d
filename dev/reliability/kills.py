"""The kill table: what waits for a render is killed by a person, a time-out or a signal.

The farm's time stands still until all kills are over, so a render that is not stopped goes on to its end only
then, and a stop that comes late shows as well.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import psutil

from airflow_provider_renderbus.api import calls
from dev.harness.airflow_instance import AirflowInstance
from dev.harness.processes import ProgramError, Programs
from dev.reliability.airflow_2 import Airflow2
from dev.reliability.kill_types import (
    DEFERRED,
    GOES_ON,
    KILLS,
    SLOTS,
    STOPPED,
    TAKEN_UP,
    WAITERS,
    WAITING,
    Run,
)
from dev.reliability.postgres import postgres
from dev.reliability.process_killer import POLL, Life, Reaper
from dev.reliability.result import Row
from dev.reliability.testbed import COST, LINES, NOT_RENDERED, PROJECT, Stage, python_of, task_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from dev.reliability.kill_types import Kill, Slot
    from dev.reliability.testbed import Render

COLUMNS = ("Airflow", "kill", "what waits", "how")
_SECONDS_TO_WAIT, _SECONDS_TO_STOP, _SECONDS_TO_END = 120.0, 90.0, 180.0
_LOOK = "query_task_info"
# As long as a render takes.
_FARM_SECONDS = 600.0
# The state of an Airflow task that waits in a mode.
_WAITS_IN = {WAITING: "running", DEFERRED: "deferred"}
_FINAL = {"success", "failed", "skipped", "upstream_failed", "removed"}
_QUICK = {
    "AIRFLOW__CORE__PARALLELISM": "16",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "2",
    # A triggerer is taken for dead 15 s after its last heartbeat instead of 30 s.
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
}


def run(
    folder: Path,
    say: Callable[[str], None],
    *,
    lines: Iterable[str] = LINES,
    kills: Iterable[str] | None = None,
) -> list[Row]:
    """Make the table.

    :param folder: a new folder for all that is made.
    :param say: told what happens.
    :param lines: of Airflow.
    :param kills: names of the kinds of kill; all where it is left out.
    """
    chosen = [kill for kill in KILLS if kills is None or kill.name in kills]
    rows = []
    for line in lines:
        place = folder / line
        place.mkdir()
        with ExitStack() as ends:
            settings = dict(_QUICK)
            if _is_2(line):  # which runs several tasks at once on a real database only
                programs = ends.enter_context(Programs())
                url = ends.enter_context(postgres(programs, place / "postgres.log"))
                settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = url
            rows += _Experiment(place, say, line, settings).table(chosen)
    return rows


def _is_2(line: str) -> bool:
    return line.startswith("2.")


class _Experiment:
    def __init__(
        self, folder: Path, say: Callable[[str], None], line: str, settings: Mapping[str, str]
    ) -> None:
        self._say = say
        self._line = line
        self._reaper = Reaper(self._life_of)
        dags = PROJECT / "dev" / "reliability" / "dags" / "kills"
        # Airflow 2 has no API between workers and server that a relay could stand in.
        self._blind = _is_2(line)
        kind = Airflow2 if self._blind else AirflowInstance
        self._stage = Stage(folder, dags, None, settings, self._reaper.workers, python_of(line), kind)
        self._run: Run | None = None
        self._known: dict[str, Life] = {}
        self._states: dict[tuple[str, Slot], tuple[str, int, int | None]] = {}

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
                (self._line, kill.name, WAITERS[slot.waiter], str(slot)),
                kill.expected(slot, self._line),
                _fate(books.get(run.scene(slot), NOT_RENDERED), result[slot]),
            )
            for kill, (run, result) in zip(kills, ended, strict=True)
            for slot in SLOTS
            if slot.mode in kill.modes
        ]

    def _kill(self, kill: Kill, number: int) -> tuple[Run, dict[Slot, Any]]:
        """Have all slots wait, kill them, and return what they returned in the end."""
        run = self._started(kill, number)
        self._until(run, "waiting", lambda: self._wait(run, SLOTS), _SECONDS_TO_WAIT)
        self._say(f"all wait: {kill.name}")
        for life in run.lives.values():
            life.begun = len(life.steps)
        kill.act(run)
        stopped = [run.scene(slot) for slot in SLOTS if kill.expected(slot, self._line) == STOPPED]
        again = [slot for slot in SLOTS if kill.expected(slot, self._line) == TAKEN_UP]
        self._until(run, "a stop", lambda: self._are_stopped(stopped), _SECONDS_TO_STOP)
        self._until(run, "waiting again", lambda: self._wait(run, again), _SECONDS_TO_WAIT)
        ended = [run.lives[slot] for slot in SLOTS if kill.expected(slot, self._line) != TAKEN_UP]
        self._until(run, "the processes' end", lambda: not any(map(_is_alive, ended)), _SECONDS_TO_STOP)
        self._until(run, "an end", lambda: self._have_ended(run, again), _SECONDS_TO_END)
        instances = run.instances()
        self._say(f"ended: {kill.name}")
        return run, {
            slot: run.airflow.return_value(instance) if instance["state"] == "success" else None
            for slot, instance in instances.items()
        }

    def _until(self, run: Run, what: str, condition: Callable[[], bool], seconds: float) -> None:
        """Wait for something; where it does not happen, the table tells of it in the end."""
        try:
            run.stage.programs.wait_until(what, condition, seconds, interval=0.5)
        except ProgramError as late:
            run.stage.programs.raise_if_ended()
            self._say(f"{run.run_id}: {str(late).partition(';')[0]}")

    def _wait(self, run: Run, slots: Iterable[Slot]) -> bool:
        """Tell whether all of some tasks wait."""
        if self._blind:
            instances = run.instances()
            for slot, instance in instances.items():
                self._look(run, slot, instance)
            if any(instances[slot]["state"] != _WAITS_IN[slot.mode] for slot in slots):
                return False
        return all(_waits(slot, run.lives[slot]) for slot in slots)

    def _look(self, run: Run, slot: Slot, instance: Mapping[str, Any]) -> None:
        """Take in what Airflow tells of a task whose process no relay sees."""
        life, pid = run.lives[slot], instance["pid"] if instance["state"] == "running" else None
        state = (instance["state"], instance["try_number"], pid)
        if self._states.get((run.run_id, slot)) != state:
            self._states[run.run_id, slot] = state
            life.begun, life.pid = len(life.steps), pid

    def _are_stopped(self, scenes: Iterable[str]) -> bool:
        books = self._stage.renders()
        return all(books.get(scene, NOT_RENDERED).state == "STOP" for scene in scenes)

    def _have_ended(self, run: Run, slots: Iterable[Slot]) -> bool:
        """Let renders that were not stopped go on, and tell whether some Airflow tasks have ended."""
        run.stage.farm.advance(_FARM_SECONDS)
        instances = run.instances()
        return all(instances[slot]["state"] in _FINAL for slot in slots)

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
    if slot.mode == DEFERRED:
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
        right = result["render_task_id"] == render.numbers[-1] and result["cost"] == str(COST) == str(
            render.cost
        )
        told += f", {submits} submit, right result" if right else f", result {result}"
    if render.state == "FINISHED" and stops != starts:
        told += f", {stops} stops and {starts} starts"
    return told
