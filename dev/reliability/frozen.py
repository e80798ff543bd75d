"""A worker is frozen for longer than the heartbeat timeout at a step of a render, and continues afterwards.

The process that runs the operator and its supervisor get SIGSTOP at a request or in a transfer, and SIGCONT
when a newer try of the same task has polled the render. The farm's time stands still until then.
"""

from __future__ import annotations

import contextlib
import filecmp
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from airflow_provider_renderbus.farm.calls import ROUTES
from airflow_provider_renderbus.transfer.folder import STAGING_PREFIX
from dev.harness.postgres import postgres
from dev.harness.processes import ProgramError, Programs
from dev.reliability.crash_trial import CORRECT, RESTARTED
from dev.reliability.frozen_transfer import HaltingTransfer
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

COLUMNS = ("Airflow", "frozen")
_UPLOAD, _DOWNLOAD = "upload", "download"


@dataclass(frozen=True)
class Point:
    """Where a process is frozen.

    :param text: describes it.
    :param call: at which request to the farm; empty for a transfer.
    :param nth: at which of the requests of this name.
    :param is_sent: whether the request has not arrived yet. It arrives when the process continues.
    :param is_late: whether it arrives only when the farm does not accept its signature any more.
    :param transfer: direction of a transfer that the render has.
    :param with_command: whether the transfer command is frozen too.
    :param deferrable: whether the operator would defer next.
    """

    text: str
    call: str = ""
    nth: int = 1
    is_sent: bool = False
    is_late: bool = False
    transfer: str = ""
    with_command: bool = True
    deferrable: bool = False

    @property
    def is_after_render(self) -> bool:
        """Whether it is reached only when the render has ended."""
        return self.transfer == _DOWNLOAD


POINTS = (
    Point("before create_task", "query_user_profile"),
    Point("create_task sent, not arrived", "create_task", is_sent=True),
    Point("create_task answered", "create_task"),
    Point("within an upload, with the transfer command", transfer=_UPLOAD),
    Point("within an upload, the worker alone", transfer=_UPLOAD, with_command=False),
    Point("before submit_task", "upload_task_json"),
    Point("submit_task sent, not arrived", "submit_task", is_sent=True, is_late=True),
    Point("submit_task answered", "submit_task"),
    Point("before it defers", "query_task_info", deferrable=True),
    Point("while it waits", "query_task_info", 3),
    Point("before a download", "get_output_files", transfer=_DOWNLOAD),
    Point("within a download, with the transfer command", transfer=_DOWNLOAD),
    Point("within a download, the worker alone", transfer=_DOWNLOAD, with_command=False),
)
_HEARTBEAT_TIMEOUT = 20
_SETTINGS = {
    **QUICK_HEARTBEATS,
    "AIRFLOW__CORE__PARALLELISM": "32",
    # On Celery: a frozen process keeps its slot, and its newer try needs another one.
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": "16",
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
# Of a request that has not arrived; less than that of the proxy for a request.
_HOLD_TIMEOUT = 600.0
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
    """A render whose process is frozen once at a point."""

    index: int
    point: Point
    folder: Path
    counts: Counter[str] = field(default_factory=Counter)
    process: psutil.Process | None = None
    frozen: list[psutil.Process] = field(default_factory=list)
    polls_at_freeze: int = 0
    thawed: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    command: HaltingTransfer | None = None

    def __post_init__(self) -> None:
        if not self.point.call:
            self.command = HaltingTransfer(self.folder / "commands" / self.name, self.point.transfer)

    @property
    def name(self) -> str:
        """The name of its scene and connection."""
        return f"frozen-{self.index:02}"

    @property
    def scene(self) -> Path:
        """The file that it uploads, if any."""
        return self.folder / "project" / f"{self.name}.blend"

    @property
    def frames(self) -> Path:
        """The folder that it downloads to, if at all."""
        return self.folder / "frames" / self.name

    def rule(
        self, pid_of: Callable[[int], int | None], forward_late: Callable[[Forward], Response]
    ) -> Callable[[Request, Forward], Response]:
        """Return the rule of the proxy between the task and the farm."""

        def rule(request: Request, forward: Forward) -> Response:
            response = None if self.point.is_sent else forward()
            name = ROUTES[request.path].__name__
            with self.lock:
                self.counts[name] += 1
                is_due = not self.frozen and (name, self.counts[name]) == (self.point.call, self.point.nth)
                if is_due:
                    self.freeze(pid_of(self.index))
            if response is not None:
                return response
            if is_due:
                self.thawed.wait(_HOLD_TIMEOUT)
            return forward_late(forward) if is_due and self.point.is_late else forward()

        return rule

    def freeze(self, pid: int | None) -> None:
        if pid is None:
            return
        self.process = psutil.Process(pid)
        parent = self.process.parent()
        children = self.process.children(recursive=True) if self.point.with_command else []
        self.frozen = [*children, self.process, *([parent] if parent else [])]
        self.polls_at_freeze = self.counts["query_task_info"]
        for each in reversed(self.frozen):
            each.send_signal(signal.SIGSTOP)
        if self.command is not None and not self.point.with_command:
            self.command.resume()

    def thaw(self) -> None:
        if self.thawed.is_set():
            return
        if self.command is not None:
            self.command.resume()
        for each in self.frozen:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGCONT)
        self.thawed.set()

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of its operator; write its scene."""
        description = task_json(self.name)
        arguments: dict[str, Any] = {
            "renderbus_conn_id": self.name,
            "task_json": description,
            "poll_interval": _POLL_INTERVAL,
            "deferrable": self.point.deferrable,
        }
        if self.point.transfer == _UPLOAD:
            self.scene.parent.mkdir(parents=True, exist_ok=True)
            self.scene.write_text(self.name * 10_000)
            description["task_info"]["input_cg_file"] = str(self.scene)
            arguments["assets"] = [str(self.scene)]
        elif self.point.transfer == _DOWNLOAD:
            arguments["download_folder"] = str(self.frames)
        return arguments


def _run_line(folder: Path, log: Callable[[str], None], line: str, settings: dict[str, str]) -> list[Row]:
    freezes = [_Freeze(index, point, folder) for index, point in enumerate(POINTS)]
    dags = PROJECT / "dev" / "reliability" / "dags" / _DAG
    with Testbed(folder, dags, None, settings, None, line, pictures=True) as testbed:
        try:
            _freeze_all(testbed, log, freezes)
        finally:
            for freeze in freezes:
                freeze.thaw()
        instances, renders = _instances(testbed), testbed.renders()
        results = [
            "; ".join(_describe(testbed, freeze, instances[freeze.index], renders.get(freeze.name)))
            for freeze in freezes
        ]
    return [
        Row((line, freeze.point.text), _expected(line, result), result)
        for freeze, result in zip(freezes, results, strict=True)
    ]


def _expected(line: str, result: str) -> str:
    """Return what must happen.

    Airflow 2 puts the end of the woken process over the state of the newer try, and ends that try. It stops
    the render, and the next try restarts it.
    """
    return RESTARTED if line.startswith("2.") and result == RESTARTED else CORRECT


def _freeze_all(testbed: Testbed, log: Callable[[str], None], freezes: list[_Freeze]) -> None:
    def pid_of(index: int) -> int | None:
        pid: int | None = _instances(testbed)[index]["pid"]
        return pid

    def all_frozen(chosen: list[_Freeze]) -> bool:
        for each in chosen:
            if each.command is not None and each.command.has_started and not each.frozen:
                each.freeze(pid_of(each.index))
        return all(each.frozen for each in chosen)

    for freeze in freezes:
        extra = {} if freeze.command is None else {"transfer_command": str(freeze.command.path)}
        testbed.connect(freeze.name, freeze.rule(pid_of, testbed.forward_late), **extra)
    testbed.airflow.unpause(_DAG)
    testbed.airflow.trigger(_DAG, _DAG, {"renders": [each.arguments() for each in freezes]})
    first = [each for each in freezes if not each.point.is_after_render]
    second = [each for each in freezes if each.point.is_after_render]
    _until(testbed, log, "the freezes", lambda: all_frozen(first))
    log(f"{sum(bool(each.frozen) for each in first)} of {len(first)} processes are frozen")
    _until(testbed, log, "newer tries", lambda: all(map(_has_newer_try, first)))
    for freeze in first:
        if not freeze.point.is_late:
            freeze.thaw()
    log("the processes continue")
    # They get their signal, or send what they must not.
    time.sleep(_AFTER_THAW)
    testbed.farm.advance(RENDER_SECONDS)
    for freeze in first:
        freeze.thaw()
    _until(testbed, log, "the freezes of downloads", lambda: all_frozen(second))
    log(f"{sum(bool(each.frozen) for each in second)} of {len(second)} processes are frozen")
    _until(testbed, log, "newer tries", lambda: all(map(_has_newer_try, second)))
    time.sleep(_POLL_INTERVAL)
    for freeze in second:
        freeze.thaw()
    testbed.airflow.wait_for_run(_DAG, _DAG, _RUN_TIMEOUT)
    _until(testbed, log, "the end of the processes", lambda: not any(map(_is_alive, freezes)))


def _until(testbed: Testbed, log: Callable[[str], None], event: str, condition: Callable[[], bool]) -> None:
    """Wait for an event; if it does not happen, the table shows it in the end."""
    try:
        testbed.programs.wait_until(event, condition, _FREEZE_TIMEOUT, interval=0.5)
    except ProgramError as error:
        testbed.programs.raise_if_ended()
        log(str(error).partition(";")[0])


def _is_alive(freeze: _Freeze) -> bool:
    """Return whether the process that was frozen still runs."""
    try:
        return freeze.process is not None and freeze.process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _has_newer_try(freeze: _Freeze) -> bool:
    """Return whether the render was polled while the first process was frozen."""
    return freeze.counts["query_task_info"] >= freeze.polls_at_freeze + _POLLS_OF_NEWER_TRY


def _instances(testbed: Testbed) -> dict[int, dict[str, Any]]:
    path = f"/dags/{_DAG}/dagRuns/{_DAG}/taskInstances"
    listed = testbed.airflow.get_all(path, "task_instances")
    return {each["map_index"]: each for each in listed if each["task_id"] == "render"}


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
    if _is_alive(freeze):
        yield "the woken process has not ended"
    yield from _differences(testbed, freeze, render)


def _differences(testbed: Testbed, freeze: _Freeze, render: Render) -> Iterator[str]:
    """Yield what differs between the storages of farm and worker, byte for byte."""
    output = testbed.farm.output_root
    if freeze.point.transfer == _UPLOAD:
        sent = [path for path in output.parents[1].rglob(freeze.scene.name) if path.is_file()]
        if len(sent) != 1 or not filecmp.cmp(sent[0], freeze.scene, shallow=False):
            yield f"another scene was sent ({len(sent)})"
    elif freeze.point.transfer == _DOWNLOAD:
        whole = {
            file.relative_to(output)
            for task_id in render.task_ids
            for file in output.glob(f"{task_id}_*/**/*")
            if file.is_file()
        }
        there = {file.relative_to(freeze.frames) for file in freeze.frames.rglob("*") if file.is_file()}
        same = {
            path for path in whole & there if filecmp.cmp(output / path, freeze.frames / path, shallow=False)
        }
        if not whole or not whole == there == same:
            yield f"{len(same)} of {len(whole)} frames byte for byte, {len(there - whole)} other files"
    if staging := list(freeze.frames.rglob(f"{STAGING_PREFIX}*")):
        yield f"{len(staging)} staging folders are left"
