"""Renders in a real Airflow, each of which may be killed at a step of its own, and their results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from dev.reliability.process_killer import KillPoint, ProcessKiller, ProcessTrace, kill_points, kill_process
from dev.reliability.report import Row
from dev.reliability.testbed import (
    COST,
    FRAMES,
    LINES,
    NOT_RENDERED,
    PROJECT,
    Render,
    Testbed,
    task_json,
)

MODES = {"waiting": False, "deferrable": True}
"""How a render's operator waits, and whether it is deferrable then."""
CORRECT = "1 submit, 1 charge, correct result"
"""The result of a render of which nothing was lost or doubled."""
RESTARTED = f"{CORRECT}; stopped and restarted"
"""The result of such a render that one try has stopped and another has restarted."""
POLL_INTERVAL = 2.0
"""Seconds between two polls of a render."""
_DAG, _TASK = "crash", "render"
# A render lasts for 60 + 90 to 150 farm seconds: several polls.
_SPEED = 20.0
_MAX_RUN_SECONDS = 600.0


class CrashTrial:
    """An Airflow and a farm for renders that are killed. They run while its ``with`` block lasts.

    :param kill: what to do at a render's point; it returns whether the client is dead then.
    :param speed: farm seconds that pass in a second; None for a farm whose time passes only by ``advance``.
    :param line: the line of Airflow, or CELERY.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        kill: Callable[[ProcessTrace], bool] = kill_process,
        speed: float | None = _SPEED,
        line: str = LINES[0],
    ) -> None:
        self._killer = ProcessKiller(self._trace_of, kill)
        dags = PROJECT / "dev" / "reliability" / "dags" / _DAG
        self.testbed = Testbed(folder, dags, speed, settings, self._killer.worker_rule, line)
        self._run_id = ""
        self._indexes: dict[str, int] = {}
        self.traces: list[ProcessTrace] = []
        """The traces of the renders of the last run, in the order of their points."""

    def __enter__(self) -> Self:
        self.testbed.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.testbed.__exit__(*error)

    def record(self, *case: str) -> tuple[list[Row], list[tuple[str, KillPoint]]]:
        """Render in each mode without a kill; return the rows of this case, and all points for kills."""
        results = self.render("clean", [(mode, None) for mode in MODES])
        rows = [
            Row((*case, mode, "all", "never"), CORRECT, it) for mode, it in zip(MODES, results, strict=True)
        ]
        if not all(row.passed for row in rows):
            return rows, []
        traces = zip(MODES, self.traces, strict=True)
        return rows, [(mode, point) for mode, trace in traces for point in kill_points(trace.steps)]

    def render(
        self,
        run_id: str,
        points: Sequence[tuple[str, KillPoint] | tuple[str, None]],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> list[str]:
        """Render once for each point, and return the results.

        :param points: modes, and where to kill, or None to kill never.
        :param meanwhile: called when the run has started.
        """
        self._run_id = run_id
        self.traces = [ProcessTrace(point) for _, point in points]
        renders = []
        for index, (trace, (mode, _)) in enumerate(zip(self.traces, points, strict=True)):
            name = self._name(index)
            self.testbed.connect(name, self._killer.farm_rule(trace))
            renders.append(
                {
                    "renderbus_conn_id": name,
                    "task_json": task_json(name),
                    "deferrable": MODES[mode],
                    "poll_interval": POLL_INTERVAL,
                    # Its queries spend nothing, and are steps of the first render of an hour only.
                    "preflight": False,
                }
            )
        airflow = self.testbed.airflow
        airflow.unpause(_DAG)
        airflow.trigger(_DAG, run_id, {"renders": renders})
        meanwhile()
        airflow.wait_for_run(_DAG, run_id, _MAX_RUN_SECONDS)
        instances = {instance["map_index"]: instance for instance in self._instances()}
        rendered = self.testbed.renders()
        return [
            "; ".join(self._describe(trace, instances[index], rendered.get(self._name(index), NOT_RENDERED)))
            for index, trace in enumerate(self.traces)
        ]

    def _describe(self, trace: ProcessTrace, instance: Mapping[str, Any], render: Render) -> Iterator[str]:
        """Yield the parts of a render's result."""
        if not trace.steps or (trace.point and not trace.kills):
            yield "the step was not reached"
        submits = render.operations["submit"]
        parts = [f"{submits} submit{'s' * (submits != 1)}"]
        parts.append("1 charge" if render.cost == COST else f"{render.cost} charged instead of {COST}")
        result = self.testbed.airflow.return_value(instance) if instance["state"] == "success" else None
        correct = {
            "render_task_id": render.task_ids[-1] if render.task_ids else None,
            "state": "FINISHED",
            "frames": {"total": FRAMES, "done": FRAMES, "failed": 0, "running": 0, "aborted": 0},
            "cost": str(COST),
        }
        if result is not None and {name: result.get(name) for name in correct} == correct:
            parts.append("correct result")
        else:
            parts.append(f"result {result}, the Airflow task's state {instance['state']}")
        yield ", ".join(parts)
        others = {
            name: count for name, count in render.operations.items() if name not in {"create", "submit"}
        }
        if others and others == {"stop": others.get("start"), "start": others.get("stop")}:
            yield "stopped and restarted"
        elif others:
            yield f"operations: {others}"

    def _name(self, index: int) -> str:
        return f"{self._run_id}-{index:03}"

    def _instances(self) -> list[dict[str, Any]]:
        """Return the task instances of the last run's renders."""
        path = f"/dags/{_DAG}/dagRuns/{self._run_id}/taskInstances"
        instances = self.testbed.airflow.get_all(path, "task_instances")
        return [instance for instance in instances if instance["task_id"] == _TASK]

    def _trace_of(self, instance_id: str) -> ProcessTrace | None:
        """Return the trace of a task instance; each try has an id of its own."""
        if instance_id not in self._indexes:
            # One that is not expanded yet keeps its id when it gets its index.
            self._indexes |= {it["id"]: it["map_index"] for it in self._instances() if it["map_index"] >= 0}
        index = self._indexes.get(instance_id)
        return None if index is None else self.traces[index]
