"""A worker is frozen for longer than the heartbeat timeout at a step of a render, and continues afterwards.

The process that runs the operator and its supervisor get SIGSTOP before the response to a request arrives,
and SIGCONT when a newer try of the same task has polled the render. The farm's time stands still until then.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from airflow_provider_renderbus.farm.calls import ROUTES
from dev.harness.postgres import postgres
from dev.harness.processes import ProgramError, Programs
from dev.reliability.crash_trial import CORRECT, RESTARTED
from dev.reliability.http_proxy import Forward, Request, Response
from dev.reliability.report import Row
from dev.reliability.testbed import (
    COST,
    FRAMES,
    LINES,
    NOT_RENDERED,
    PROJECT,
    QUICK_HEARTBEATS,
    RENDER_SECONDS,
    Render,
    Testbed,
    task_json,
)

COLUMNS = ("Airflow", "frozen at the response to")
POINTS = (
    ("create_task", 1),
    ("upload_task_json", 1),
    ("submit_task", 1),
    ("query_task_info", 3),
    ("get_output_files", 1),
)
"""Calls, and at which response of each the process is frozen: while the render is created, described,
submitted, waited for and downloaded."""
_DOWNLOAD = "get_output_files"
_HEARTBEAT_TIMEOUT = 20
_SETTINGS = {
    **QUICK_HEARTBEATS,
    "AIRFLOW__CORE__PARALLELISM": "16",
    # On Celery: a frozen process keeps its slot, and its newer try needs another one.
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": "8",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(_HEARTBEAT_TIMEOUT),
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
}
_SETTINGS_2 = {
    **_SETTINGS,
    "AIRFLOW__SCHEDULER__LOCAL_TASK_JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": str(_HEARTBEAT_TIMEOUT),
    # Airflow 2 fails a task once for each time that it is found dead, also a newer try that runs by then.
    "AIRFLOW__SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "30",
}
_DAG = "crash"
_POLL_INTERVAL = 2.0
_FREEZE_TIMEOUT, _AFTER_THAW, _RUN_TIMEOUT = 240.0, 30.0, 300.0
_POLLS_OF_NEWER_TRY = 2


def run(folder: Path, log: Callable[[str], None], *, lines: Iterable[str] = LINES) -> list[Row]:
    """Make the table, in a new folder, for these lines of Airflow."""
    rows = []
    for line in lines:
        place = folder / line
        place.mkdir()
        with ExitStack() as stack:
            settings = dict(_SETTINGS_2 if line.startswith("2.") else _SETTINGS)
            programs = stack.enter_context(Programs())
            url = stack.enter_context(postgres(programs, place / "postgres.log"))
            settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = url
            rows += _run_line(place, log, line, settings)
    return rows


@dataclass
class _Freeze:
    """A render whose process is frozen once at a step."""

    index: int
    call: str
    nth: int
    counts: Counter[str] = field(default_factory=Counter)
    frozen: list[psutil.Process] = field(default_factory=list)
    polls_at_freeze: int = 0
    is_thawed: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def rule(self, pid_of: Callable[[int], int | None]) -> Callable[[Request, Forward], Response]:
        """Return the rule of the proxy between the task and the farm."""

        def rule(request: Request, forward: Forward) -> Response:
            response = forward()
            name = ROUTES[request.path].__name__
            with self.lock:
                self.counts[name] += 1
                if not self.frozen and name == self.call and self.counts[name] == self.nth:
                    self.freeze(pid_of(self.index))
            return response

        return rule

    def freeze(self, pid: int | None) -> None:
        if pid is None:
            return
        process = psutil.Process(pid)
        parent = process.parent()
        self.frozen = [*process.children(recursive=True), process, *([parent] if parent else [])]
        self.polls_at_freeze = self.counts["query_task_info"]
        for each in reversed(self.frozen):
            each.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self.is_thawed:
            return
        self.is_thawed = True
        for each in self.frozen:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGCONT)


def _run_line(folder: Path, log: Callable[[str], None], line: str, settings: dict[str, str]) -> list[Row]:
    freezes = [_Freeze(index, call, nth) for index, (call, nth) in enumerate(POINTS)]
    dags = PROJECT / "dev" / "reliability" / "dags" / _DAG
    with Testbed(folder, dags, None, settings, None, line) as testbed:
        try:
            _freeze_all(testbed, log, freezes, folder / "frames")
        finally:
            for freeze in freezes:
                freeze.thaw()
        instances, renders = _instances(testbed), testbed.renders()
        results = [
            "; ".join(_describe(testbed, freeze, instances[index], renders.get(_name(index))))
            for index, freeze in enumerate(freezes)
        ]
    return [
        Row((line, freeze.call), _expected(line, result), result)
        for freeze, result in zip(freezes, results, strict=True)
    ]


def _expected(line: str, result: str) -> str:
    """Return what must happen.

    Airflow 2 puts the end of the woken process over the state of the newer try, and ends that try. It stops
    the render, and the next try restarts it.
    """
    return RESTARTED if line.startswith("2.") and result == RESTARTED else CORRECT


def _freeze_all(testbed: Testbed, log: Callable[[str], None], freezes: list[_Freeze], frames: Path) -> None:
    renders = []
    for freeze in freezes:
        name = _name(freeze.index)
        testbed.connect(name, freeze.rule(lambda index: _instances(testbed)[index]["pid"]))
        arguments = {"renderbus_conn_id": name, "task_json": task_json(name), "poll_interval": _POLL_INTERVAL}
        if freeze.call == _DOWNLOAD:
            arguments["download_folder"] = str(frames)
        renders.append(arguments)
    testbed.airflow.unpause(_DAG)
    testbed.airflow.trigger(_DAG, _DAG, {"renders": renders})
    waiting = [freeze for freeze in freezes if freeze.call != _DOWNLOAD]
    _until(testbed, log, "the freezes", lambda: all(freeze.frozen for freeze in waiting))
    log(f"{len(waiting)} processes are frozen")
    _until(testbed, log, "newer tries", lambda: all(_has_newer_try(freeze) for freeze in waiting))
    for freeze in waiting:
        freeze.thaw()
    log("the processes continue")
    # They get their signal, or send what they must not.
    time.sleep(_AFTER_THAW)
    for freeze in freezes:
        if freeze.call == _DOWNLOAD:
            testbed.farm.advance(RENDER_SECONDS)
            _until(testbed, log, "the download", partial(_is_frozen, freeze))
            _until(testbed, log, "its newer try", partial(_has_newer_try, freeze))
            time.sleep(_POLL_INTERVAL)
            freeze.thaw()
    testbed.airflow.wait_for_run(_DAG, _DAG, _RUN_TIMEOUT)


def _until(testbed: Testbed, log: Callable[[str], None], event: str, condition: Callable[[], bool]) -> None:
    """Wait for an event; if it does not happen, the table shows it in the end."""
    try:
        testbed.programs.wait_until(event, condition, _FREEZE_TIMEOUT, interval=0.5)
    except ProgramError as error:
        testbed.programs.raise_if_ended()
        log(str(error).partition(";")[0])


def _is_frozen(freeze: _Freeze) -> bool:
    return bool(freeze.frozen)


def _has_newer_try(freeze: _Freeze) -> bool:
    """Return whether the render was polled while the first process was frozen."""
    return freeze.counts["query_task_info"] >= freeze.polls_at_freeze + _POLLS_OF_NEWER_TRY


def _instances(testbed: Testbed) -> dict[int, dict[str, Any]]:
    path = f"/dags/{_DAG}/dagRuns/{_DAG}/taskInstances"
    listed = testbed.airflow.get_all(path, "task_instances")
    return {each["map_index"]: each for each in listed if each["task_id"] == "render"}


def _name(index: int) -> str:
    return f"frozen-{index}"


def _describe(
    testbed: Testbed, freeze: _Freeze, instance: dict[str, Any], render: Render | None
) -> Iterator[str]:
    """Yield the parts of a render's result."""
    render = render or NOT_RENDERED
    if not freeze.frozen:
        yield "the step was not reached"
    submits = render.operations["submit"]
    parts = [f"{submits} submit{'s' * (submits != 1)}"]
    parts.append("1 charge" if render.cost == COST else f"{render.cost} charged instead of {COST}")
    result = testbed.airflow.return_value(instance) if instance["state"] == "success" else None
    frames = {"total": FRAMES, "done": FRAMES, "failed": 0, "running": 0, "aborted": 0}
    is_correct = result is not None and (result["state"], result["frames"]) == ("FINISHED", frames)
    parts.append("correct result" if is_correct else f"result {result}, state {instance['state']}")
    yield ", ".join(parts)
    stops, starts = render.operations["stop"], render.operations["start"]
    if stops or starts:
        yield "stopped and restarted" if stops == starts else f"{stops} stops, {starts} starts"
