"""Render the DAG nightly_render in a real Airflow on the embedded farm, and check everything it leaves.

Exit status 0 means that all of it is there; 1 that something is not; 130 and the like that it was ended by
Ctrl-C or another signal.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from airflow_provider_renderbus.api.errors import RenderbusError
from demo.airflow_instance import NO_PROXY, AirflowInstance
from demo.checks import Finding, check_connection_form, check_returned, check_run
from demo.embedded_farm import EmbeddedFarm
from demo.follow import Follower, Result
from demo.nightly import CONTACT_SHEET, DAG_ID, PREVIEW, SHOTS, WAIT
from demo.pictures import check_contact_sheet, check_frames, check_preview
from demo.processes import ProgramError, Programs, Stopped, stop_on_signals
from demo.report import Journal, table
from demo.runs import new_folder
from demo.secrecy import check_files, check_processes, check_triggers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROJECT = Path(__file__).parent.parent


def main(
    demo: Callable[[Path, float], list[Finding]], program: str, description: str | None, seconds: int = 300
) -> int:
    """Run a demo and return its exit status.

    :param demo: runs it in a new folder, at a speed of the farm, and returns what is not as it must be.
    :param program: its name in messages.
    :param description: what it does.
    :param seconds: its time limit, where the command line sets none.
    """
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--runs", type=Path, default=PROJECT / ".demo", help="folder of all runs")
    parser.add_argument("--speed", type=float, default=120.0, help="farm seconds a second (%(default)s)")
    parser.add_argument("--time-limit", type=int, default=seconds, help="seconds for all of it (%(default)s)")
    options = parser.parse_args()

    os.environ.update(NO_PROXY)
    folder = new_folder(options.runs.absolute())
    stop_on_signals()
    signal.alarm(options.time_limit)
    try:
        problems = [str(finding) for finding in demo(folder, options.speed)]
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


def run(folder: Path, speed: float) -> list[Finding]:
    """Run the demo in a new folder, print what happens, and return what is not as it must be."""
    journal = Journal()
    journal.event("run folder", str(folder))
    farm = EmbeddedFarm(folder / "farm", folder / "farm.log")
    findings: dict[Finding, None] = {}
    triggers: set[str] = set()

    with Programs(seconds_to_end=3.0) as programs:
        farm.start(programs, speed)
        journal.event("farm", f"http://{farm.address}")
        dags = PROJECT / "example_dags"
        airflow = AirflowInstance(folder / "airflow", dags, programs, settings(folder, farm))
        with airflow, farm.client() as client:
            secrets = farm.secrets(client)
            airflow.unpause(DAG_ID)
            journal.event("Airflow", f"{airflow.url}, {DAG_ID} is unpaused")
            form = airflow.connection_form("renderbus")
            findings |= dict.fromkeys(check_connection_form(form, airflow.log("api-server")))
            follower = Follower(airflow, client)
            for changed in follower.follow():
                for shot in changed:
                    journal.say(str(shot))
                findings |= dict.fromkeys(check_processes(programs.members(), secrets, folder))
                triggers |= airflow.triggers()
            result = follower.result()
        journal.event(DAG_ID, result.state)

    journal.event("processes", "ended")
    findings |= dict.fromkeys(check(result, farm, airflow))
    findings |= dict.fromkeys(check_triggers(triggers, secrets, airflow.home))
    findings |= dict.fromkeys(check_files(folder, secrets, farm.private_files))
    if not findings:
        journal.event("checks", "passed")
        print(summary(result))
    return list(findings)


def settings(folder: Path, farm: EmbeddedFarm) -> dict[str, str]:
    """Return what Airflow is told: where connections and frames lie, and where pictures go."""
    return {
        "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"connections_file_path": str(farm.connections_file)}),
        "AIRFLOW__RENDERBUS__POLL_INTERVAL": "1",
        "RENDERBUS_FRAMES_FOLDER": str(farm.frames_folder),
        "RENDERBUS_PICTURES_FOLDER": str(folder / "pictures"),
    }


def check(result: Result, farm: EmbeddedFarm, airflow: AirflowInstance) -> Iterator[Finding]:
    """Yield what is wrong with the run, then with what it returned, then with what it made."""
    for findings in (check_run(result, airflow), check_returned(result, airflow.log("scheduler"))):
        if first := next(findings, None):
            yield from (first, *findings)
            return
    for index, shot in enumerate(SHOTS):
        yield from check_frames(shot, farm.frames_folder / result.returned[WAIT, index]["outputs"][0])
    yield from check_contact_sheet(Path(result.returned[CONTACT_SHEET, -1]))
    yield from check_preview(Path(result.returned[PREVIEW, -1]))


def summary(result: Result) -> str:
    """Return the closing table and the pictures' paths."""
    rows = [("shot", "frames", "seconds", "cost")]
    for index, shot in enumerate(SHOTS):
        end = result.returned[WAIT, index]
        frames = f"{end['frames']['done']}/{end['frames']['total']}"
        rows.append((shot, frames, f"{end['seconds']:.0f}", f"{Decimal(end['cost']):.2f}"))
    pictures = [f"{name:<16}{result.returned[name, -1]}" for name in (CONTACT_SHEET, PREVIEW)]
    return "\n".join(("", table(rows), "", *pictures))


if __name__ == "__main__":
    sys.exit(main(run, "python -m demo", __doc__))
