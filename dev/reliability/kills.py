"""The kill table: what waits for a render is killed by a user, a timeout or a signal.

The farm's time stands still until all kills are over, so a render that is not stopped continues to its end
only then, and a stop that comes late shows as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from airflow_provider_renderbus.api import calls
from dev.harness.postgres import postgres
from dev.harness.processes import ProgramError, Programs
from dev.reliability.kill_types import (
    CONTINUES,
    DEFERRED,
    KILL_TYPES,
    REATTACHED,
    SLOTS,
    STOPPED,
    WAITERS,
    WAITING,
    KillRun,
    KillType,
    Slot,
)
from dev.reliability.process_killer import POLL, ProcessKiller, ProcessTrace, is_alive
from dev.reliability.report import Row
from dev.reliability.testbed import (
    COST,
    LINES,
    NOT_RENDERED,
    PROJECT,
    QUICK_TRIGGERER,
    RENDER_SECONDS,
    Render,
    Testbed,
    task_json,
)

COLUMNS = ("Airflow", "kill", "operator or sensor", "mode")
_WAIT_TIMEOUT, _STOP_TIMEOUT, _END_TIMEOUT = 120.0, 90.0, 180.0
_QUERY = "query_task_info"
# The state of an Airflow task that waits in a mode.
_STATES = {WAITING: "running", DEFERRED: "deferred"}
_TERMINAL = {"success", "failed", "skipped", "upstream_failed", "removed"}
_SETTINGS = {
    **QUICK_TRIGGERER,
    "AIRFLOW__CORE__PARALLELISM": "16",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "2",
}


def run(
    folder: Path,
    log: Callable[[str], None],
    *,
    lines: Iterable[str] = LINES,
    kills: Iterable[str] | None = None,
) -> list[Row]:
    """Make the table, in a new folder, for these lines of Airflow and types of kill."""
    types = [kill for kill in KILL_TYPES if kills is None or kill.name in kills]
    rows = []
    for line in lines:
        place = folder / line
        place.mkdir()
        with ExitStack() as stack:
            settings = dict(_SETTINGS)
            if _is_2(line):  # which runs several tasks at once on a real database only
                programs = stack.enter_context(Programs())
                url = stack.enter_context(postgres(programs, place / "postgres.log"))
                settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = url
            rows += _KillExperiment(place, log, line, settings).run(types)
    return rows


def _is_2(line: str) -> bool:
    return line.startswith("2.")


class _KillExperiment:
    def __init__(
        self, folder: Path, log: Callable[[str], None], line: str, settings: Mapping[str, str]
    ) -> None:
        self._log, self._line = log, line
        self._killer = ProcessKiller(self._trace_of)
        dags = PROJECT / "dev" / "reliability" / "dags" / "kills"
        self._testbed = Testbed(folder, dags, None, settings, self._killer.worker_rule, line)
        self._run: KillRun | None = None
        self._traces: dict[str, ProcessTrace] = {}
        self._states: dict[tuple[str, Slot], tuple[str, int, int | None]] = {}

    def run(self, kills: Sequence[KillType]) -> list[Row]:
        """Kill in all ways, and return what happened to the renders in the end."""
        with self._testbed as testbed:
            for dag_id in {kill.dag_id: None for kill in kills}:
                testbed.airflow.unpause(dag_id)
            results = [self._kill(kill, f"{place:02}") for place, kill in enumerate(kills)]
            # A stop that comes only now shows too.
            renders = testbed.renders()
        return [
            Row(
                (self._line, kill.name, WAITERS[slot.waiter], str(slot)),
                kill.expected(slot, self._line),
                _outcome(renders.get(run.scene(slot), NOT_RENDERED), result[slot]),
            )
            for kill, (run, result) in zip(kills, results, strict=True)
            for slot in SLOTS
            if slot.mode in kill.modes
        ]

    def _kill(self, kill: KillType, run_id: str) -> tuple[KillRun, dict[Slot, Any]]:
        """Have all slots wait, kill them, and return what they returned in the end."""
        run = self._start(kill, run_id)
        self._until(run, "waiting", lambda: self._are_waiting(run, SLOTS), _WAIT_TIMEOUT)
        self._log(f"all wait: {kill.name}")
        for trace in run.traces.values():
            trace.mark = len(trace.steps)
        kill.act(run)
        expected = {slot: kill.expected(slot, self._line) for slot in SLOTS}
        stopped = [run.scene(slot) for slot in SLOTS if expected[slot] == STOPPED]
        reattached = [slot for slot in SLOTS if expected[slot] == REATTACHED]
        killed = [run.traces[slot] for slot in SLOTS if expected[slot] != REATTACHED]
        self._until(run, "a stop", lambda: self._are_stopped(stopped), _STOP_TIMEOUT)
        self._until(run, "waiting again", lambda: self._are_waiting(run, reattached), _WAIT_TIMEOUT)
        self._until(run, "the processes' end", lambda: not any(map(is_alive, killed)), _STOP_TIMEOUT)
        self._until(run, "an end", lambda: self._have_ended(run, reattached), _END_TIMEOUT)
        self._log(f"ended: {kill.name}")
        return run, {
            slot: run.testbed.airflow.return_value(instance) if instance["state"] == "success" else None
            for slot, instance in run.instances().items()
        }

    def _until(self, run: KillRun, event: str, condition: Callable[[], bool], timeout: float) -> None:
        """Wait for an event; if it does not happen, the table shows it in the end."""
        try:
            run.testbed.programs.wait_until(event, condition, timeout, interval=0.5)
        except ProgramError as error:
            run.testbed.programs.raise_if_ended()
            self._log(f"{run.run_id}: {str(error).partition(';')[0]}")

    def _are_waiting(self, run: KillRun, slots: Iterable[Slot]) -> bool:
        if _is_2(self._line):
            # Airflow 2 has no API between workers and server for a proxy to forward.
            instances = run.instances()
            for slot, instance in instances.items():
                self._update_trace(run, slot, instance)
            if any(instances[slot]["state"] != _STATES[slot.mode] for slot in slots):
                return False
        return all(_is_waiting(slot, run.traces[slot]) for slot in slots)

    def _update_trace(self, run: KillRun, slot: Slot, instance: Mapping[str, Any]) -> None:
        """Update the trace of a task whose process no proxy sees by what Airflow reports."""
        trace, pid = run.traces[slot], instance["pid"] if instance["state"] == "running" else None
        state = (instance["state"], instance["try_number"], pid)
        if self._states.get((run.run_id, slot)) != state:
            self._states[run.run_id, slot] = state
            trace.mark, trace.pid = len(trace.steps), pid

    def _are_stopped(self, scenes: Iterable[str]) -> bool:
        renders = self._testbed.renders()
        return all(renders.get(scene, NOT_RENDERED).state == "STOP" for scene in scenes)

    def _have_ended(self, run: KillRun, slots: Iterable[Slot]) -> bool:
        """Let renders that were not stopped continue, and return whether some Airflow tasks have ended."""
        run.testbed.farm.advance(RENDER_SECONDS)
        instances = run.instances()
        return all(instances[slot]["state"] in _TERMINAL for slot in slots)

    def _start(self, kill: KillType, run_id: str) -> KillRun:
        run = KillRun(self._testbed, kill.dag_id, run_id, {slot: ProcessTrace() for slot in SLOTS})
        conf: dict[str, list[dict[str, Any]]] = {}
        for slot in SLOTS:
            scene = run.scene(slot)
            self._testbed.connect(scene, self._killer.farm_rule(run.traces[slot]))
            arguments = {"connection": scene, "task_json": json.dumps(task_json(scene))}
            if slot.waiter != "render":
                arguments["render_task_id"] = str(self._create(scene, submitted=slot.waiter != "submit"))
            conf.setdefault(slot.task_id, []).append(arguments)
        self._run = run
        run.testbed.airflow.trigger(run.dag_id, run.run_id, conf)
        return run

    def _create(self, scene: str, *, submitted: bool) -> int:
        """Create a task on the farm with its task.json, and submit it if ``submitted``."""
        (task_id,) = self._testbed.client.send(calls.create_task()).ids
        self._testbed.client.send(calls.upload_task_json(task_id, json.dumps(task_json(scene))))
        if submitted:
            self._testbed.client.send(calls.submit_task(task_id))
        return task_id

    def _trace_of(self, instance_id: str) -> ProcessTrace | None:
        if instance_id not in self._traces and self._run:
            for slot, instance in self._run.instances().items():
                self._traces[instance["id"]] = self._run.traces[slot]
        return self._traces.get(instance_id)


def _is_waiting(slot: Slot, trace: ProcessTrace) -> bool:
    """Return whether a slot's process, or its trigger, has polled the farm again and again."""
    steps = [step.name for step in trace.steps[trace.mark :]]
    if slot.mode == DEFERRED:
        return trace.pid is None and steps.count(POLL) > 1
    return trace.pid is not None and steps[-2:] == [_QUERY, _QUERY]


def _outcome(render: Render, result: Any) -> str:
    """Return what happened to a render, and what its Airflow task returned."""
    submits, starts, stops = (render.operations[name] for name in ("submit", "start", "stop"))
    text = {"STOP": STOPPED, "FINISHED": CONTINUES}.get(render.state, render.state)
    if submits != 1:
        text += f", {submits} submits"
    if render.state == "FINISHED" and result is not None:
        is_own = result["render_task_id"] == render.task_ids[-1]
        correct = is_own and result["cost"] == str(COST) == str(render.cost)
        text += f", {submits} submit, correct result" if correct else f", result {result}"
    if render.state == "FINISHED" and stops != starts:
        text += f", {stops} stops and {starts} starts"
    return text
