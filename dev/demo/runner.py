"""Runs an example DAG in a real Airflow on the embedded farm, follows it, and checks what it leaves.

Exit status 0 means that everything is as it must be; 1 that something is not; 130 and the like that it was
stopped by Ctrl-C or another signal.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.clients.client import Client
from dev.demo.run_monitor import HEAD, RunMonitor, RunResult
from dev.harness.airflow_instance import NO_PROXY, AirflowInstance, connections_file_settings
from dev.harness.embedded_farm import EmbeddedFarm, put_scene
from dev.harness.event_log import CheckFailure, EventLog, new_run_folder
from dev.harness.processes import ProgramError, Programs, StopSignal, raise_on_signals
from dev.harness.secret_scan import check_files, check_processes, check_triggers

PROJECT = Path(__file__).parents[2]
_FARM_SPEED = 120.0


@dataclass(frozen=True)
class Demo:
    """An example DAG to run and to check.

    :param monitor: returns the monitor of the run, which it may have to trigger.
    :param check: yields what is wrong with the run, whose folder is the last argument.
    :param extra_env: prepares the run's folder and returns environment variables for Airflow.
    :param scenes: scenes that the DAG does not upload. They are put into the input storage before it runs.
    :param scenario: how the farm behaves.
    """

    program: str
    description: str | None
    dag_id: str
    time_limit: int
    monitor: Callable[[AirflowInstance, Client], RunMonitor]
    check: Callable[[RunResult, EmbeddedFarm, AirflowInstance, Path], Iterator[CheckFailure]]
    summary: Callable[[RunResult], str]
    extra_env: Callable[[Path], Mapping[str, str]] = lambda _: {}
    scenes: Sequence[str] = ()
    scenario: Mapping[str, Any] = field(default_factory=dict)


def main(demo: Demo) -> int:
    """Run a demo and return its exit status."""
    parser = argparse.ArgumentParser(prog=demo.program, description=demo.description)
    parser.add_argument("--keep", action="store_true", help="leave Airflow and the farm running until Ctrl-C")
    options = parser.parse_args()
    os.environ.update(NO_PROXY)
    folder = new_run_folder(PROJECT / ".demo")
    raise_on_signals()
    signal.alarm(demo.time_limit)
    try:
        problems = [str(failure) for failure in _run(demo, folder, keep=options.keep)]
    except StopSignal as stop:
        if stop.number != signal.SIGALRM:
            print("Stopped. Everything that was started has ended.", file=sys.stderr)
            return 128 + stop.number
        problems = [f"It was not done within {demo.time_limit} s."]
    except ProgramError as error:
        problems = [str(error)]
    except (RenderbusError, httpx.HTTPError, OSError) as error:
        problems = [f"{type(error).__name__}: {error}"]
    if problems:
        print("", "The demo has failed.", *problems, f"All logs are in {folder}", sep="\n", file=sys.stderr)
    return 1 if problems else 0


def _run(demo: Demo, folder: Path, *, keep: bool) -> list[CheckFailure]:
    """Run a demo in a new folder, print what happens, and return what is not as it must be."""
    log = EventLog()
    log.event("run folder", str(folder))
    farm = EmbeddedFarm(folder / "farm", folder / "farm.log", scenario=demo.scenario)
    failures: dict[CheckFailure, None] = {}
    triggers: set[str] = set()
    with Programs(terminate_timeout=3.0) as programs:
        farm.start(programs, _FARM_SPEED)
        for scene in demo.scenes:
            put_scene(farm.storage, scene)
        farm_url = f"http://{farm.settings.domain}"
        log.event("farm", farm_url)
        settings = {
            **connections_file_settings(farm.connections_file),
            "AIRFLOW__RENDERBUS__POLL_INTERVAL": "1",
            "RENDERBUS_FRAMES_FOLDER": str(farm.frames_folder),
            "RENDERBUS_PICTURES_FOLDER": str(folder / "pictures"),
            **demo.extra_env(folder),
        }
        airflow = AirflowInstance(folder / "airflow", PROJECT / "example_dags", programs, settings)
        with airflow, farm.client() as client:
            secrets = farm.secrets(client)
            airflow.unpause(demo.dag_id)
            monitor = demo.monitor(airflow, client)
            log.event("Airflow", f"{airflow.url}, {demo.dag_id} has started")
            log.line(HEAD)
            for changes in monitor.changes():
                for shot in changes:
                    log.line(str(shot))
                failures |= dict.fromkeys(check_processes(programs.members(), secrets, folder))
                triggers |= airflow.triggers()
            result = monitor.result()
            log.event("the run", result.state)
            if keep:
                log.event("kept", f"{airflow.url} and {farm_url} until Ctrl-C; then the checks")
                _wait_for_ctrl_c()
    log.event("processes", "terminated")
    failures |= dict.fromkeys(demo.check(result, farm, airflow, folder))
    failures |= dict.fromkeys(check_triggers(triggers, secrets, airflow.home))
    failures |= dict.fromkeys(check_files(folder, secrets, farm.private_files))
    if not failures:
        log.event("checks", "passed")
        print("", demo.summary(result), sep="\n")
    return list(failures)


def _wait_for_ctrl_c(pause: Callable[[], None] = signal.pause) -> None:
    """Wait without a time limit. Any other signal stops the demo."""
    signal.alarm(0)
    try:
        pause()
    except StopSignal as stop:
        if stop.number != signal.SIGINT:
            raise
