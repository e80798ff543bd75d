"""What the demos have in common: a farm, a real Airflow, a run of a DAG that is followed, and the checks.

Exit status 0 means that all of it is as it must be; 1 that something is not; 130 and the like that it was
ended by Ctrl-C or another signal.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from airflow_provider_renderbus.api.errors import RenderbusError
from dev.demo.checks import Finding, check_connection_form
from dev.demo.run_monitor import HEAD
from dev.harness.airflow_instance import NO_PROXY, AirflowInstance, reading_connections_of
from dev.harness.embedded_farm import EmbeddedFarm
from dev.harness.event_log import Journal
from dev.harness.processes import ProgramError, Programs, Stopped, stop_on_signals
from dev.harness.runs import new_folder
from dev.harness.secret_scan import check_files, check_processes, check_triggers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_provider_renderbus.clients.client import Client
    from dev.demo.run_monitor import Follower, Result

    Begin = Callable[[AirflowInstance, Client], Follower]
    Check = Callable[[Result, EmbeddedFarm, AirflowInstance], Iterator[Finding]]

PROJECT = Path(__file__).parents[2]


def main(
    demo: Callable[[Path, float, bool], list[Finding]], program: str, description: str | None, seconds: int
) -> int:
    """Run a demo and return its exit status.

    :param demo: runs it in a new folder, at a speed of the farm, stays until Ctrl-C where that is wanted, and
        returns what is not as it must be.
    :param program: its name in messages.
    :param description: what it does.
    :param seconds: its time limit, where the command line sets none.
    """
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--runs", type=Path, default=PROJECT / ".demo", help="folder of all runs")
    parser.add_argument("--speed", type=float, default=120.0, help="farm seconds a second (%(default)s)")
    parser.add_argument("--time-limit", type=int, default=seconds, help="seconds for all of it (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave Airflow and the farm running until Ctrl-C")
    options = parser.parse_args()

    os.environ.update(NO_PROXY)
    folder = new_folder(options.runs.absolute())
    stop_on_signals()
    signal.alarm(options.time_limit)
    try:
        problems = [str(finding) for finding in demo(folder, options.speed, options.keep)]
    except Stopped as stopped:
        if stopped.number != signal.SIGALRM:
            print("Stopped. Everything that was started has ended.", file=sys.stderr)
            return 128 + stopped.number
        problems = [f"It was not done within {options.time_limit} s; the logs tell how far it came."]
    except ProgramError as error:
        problems = [str(error)]
    except (RenderbusError, httpx.HTTPError, OSError) as error:
        problems = [f"{type(error).__name__}: {error}"]
    if problems:
        print("", "The demo has failed.", *problems, f"All logs are in {folder}", sep="\n", file=sys.stderr)
    return 1 if problems else 0


def play(
    folder: Path,
    speed: float,
    keep: bool,
    dag_id: str,
    own: Mapping[str, str],
    begin: Begin,
    check: Check,
    summary: Callable[[Result], str],
) -> list[Finding]:
    """Run an example DAG, print what happens, and return what is not as it must be.

    :param folder: a new folder for all of it.
    :param speed: farm seconds that pass in a second.
    :param keep: whether to wait for Ctrl-C when the run has ended, before the farm and Airflow end and the
        checks are made.
    :param dag_id: the DAG. It is unpaused.
    :param own: environment variables that it needs beside those of :func:`settings`.
    :param begin: begins the run, where that takes more, and returns who follows it.
    :param check: yields what is wrong with the run.
    :param summary: tells what the run has come to, where nothing is wrong.
    """
    journal = Journal()
    journal.event("run folder", str(folder))
    farm = EmbeddedFarm(folder / "farm", folder / "farm.log")
    findings: dict[Finding, None] = {}
    triggers: set[str] = set()

    with Programs(seconds_to_end=3.0) as programs:
        farm.start(programs, speed)
        journal.event("farm", f"http://{farm.settings.domain}")
        dags = PROJECT / "example_dags"
        airflow = AirflowInstance(folder / "airflow", dags, programs, {**settings(folder, farm), **own})
        with airflow, farm.client() as client:
            secrets = farm.secrets(client)
            airflow.unpause(dag_id)
            follower = begin(airflow, client)
            journal.event("Airflow", f"{airflow.url}, {dag_id} has begun")
            form = airflow.connection_form("renderbus")
            findings |= dict.fromkeys(check_connection_form(form, airflow.log("api-server")))
            journal.say(HEAD)
            for changed in follower.follow():
                for shot in changed:
                    journal.say(str(shot))
                findings |= dict.fromkeys(check_processes(programs.members(), secrets, folder))
                triggers |= airflow.triggers()
            result = follower.result()
            journal.event("the run", result.state)
            if keep:
                journal.event(
                    "kept", f"{airflow.url} and http://{farm.settings.domain} until Ctrl-C; then the checks"
                )
                _wait_for_ctrl_c()

    journal.event("processes", "ended")
    findings |= dict.fromkeys(check(result, farm, airflow))
    findings |= dict.fromkeys(check_triggers(triggers, secrets, airflow.home))
    findings |= dict.fromkeys(check_files(folder, secrets, farm.private_files))
    if not findings:
        journal.event("checks", "passed")
        print("", summary(result), sep="\n")
    return list(findings)


def settings(folder: Path, farm: EmbeddedFarm) -> dict[str, str]:
    """Return what Airflow is told: where connections and frames lie, and where pictures go."""
    return {
        **reading_connections_of(farm.connections_file),
        "AIRFLOW__RENDERBUS__POLL_INTERVAL": "1",
        "RENDERBUS_FRAMES_FOLDER": str(farm.frames_folder),
        "RENDERBUS_PICTURES_FOLDER": str(folder / "pictures"),
    }


def _wait_for_ctrl_c() -> None:
    """Wait without a time limit. Any other signal ends the demo."""
    signal.alarm(0)
    try:
        signal.pause()
    except Stopped as stopped:
        if stopped.number != signal.SIGINT:
            raise
