"""Run the experiments that show that no render is paid twice or runs on unseen.

Exit status 0 means that everything came as expected; 1 that something did not.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from airflow_provider_renderbus.api.errors import RenderbusError
from dev.harness.airflow_instance import NO_PROXY
from dev.harness.embedded_farm import CONNECTION_ID
from dev.harness.event_log import EventLog, new_run_folder
from dev.harness.processes import ProgramError, StopSignal, raise_on_signals
from dev.harness.secret_scan import check_files
from dev.reliability import crash, kills, restarts, triggerers
from dev.reliability import random_faults as storm
from dev.reliability import report as document
from dev.reliability.chaos import table as chaos_table
from dev.reliability.result import Table
from dev.reliability.testbed import LINES, PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dev.harness.event_log import CheckFailure
    from dev.reliability.result import Row

    Experiment = Callable[..., list[Row]]

EXPERIMENTS = {
    "crash": crash,
    "restarts": restarts,
    "kills": kills,
    "triggerers": triggerers,
    "chaos": chaos_table,
    "storm": storm,
}
# What is run where there are only minutes.
_SMALL: dict[str, Experiment] = {
    "crash": partial(crash.run, every=4),
    "restarts": partial(restarts.run, every=2),
    "kills": partial(kills.run, lines=LINES[:1], kills=("marked failed", "cleared", "execution_timeout")),
    "triggerers": partial(triggerers.run, cases=("killed (SIGKILL)",)),
    "chaos": partial(chaos_table.run, renders=200, seeds=(1,)),
    "storm": partial(storm.run, renders=10),
}


def main() -> int:
    """Run what is asked for and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dev.reliability", description=__doc__)
    parser.add_argument(
        "experiments",
        nargs="*",
        metavar="experiment",
        help=f"of {', '.join(EXPERIMENTS)}; all where none is named",
    )
    parser.add_argument("--small", action="store_true", help="only a part of each, for CI")
    parser.add_argument("--write", action="store_true", help="write what was found into docs/reliability.md")
    parser.add_argument(
        "--lines", nargs="+", metavar="line", choices=LINES, help="of Airflow, on which kills are tried"
    )
    parser.add_argument("--runs", type=Path, default=PROJECT / ".reliability", help="folder of all runs")
    parser.add_argument("--time-limit", type=int, default=3600, help="seconds for all of it (%(default)s)")
    options = parser.parse_args()
    unknown = sorted(set(options.experiments) - set(EXPERIMENTS))
    if unknown or (options.small and options.write):
        parser.error(
            f"there is no {', '.join(unknown)}" if unknown else "the document tells of whole experiments"
        )

    os.environ.update(NO_PROXY)
    raise_on_signals()
    signal.alarm(options.time_limit)
    folder = new_run_folder(options.runs.absolute())
    journal = EventLog()
    tables: list[Table] = []
    try:
        for name in options.experiments or EXPERIMENTS:
            journal.event(name, str(folder / name))
            (folder / name).mkdir()
            experiment: Experiment = _SMALL[name] if options.small else EXPERIMENTS[name].run
            if options.lines and name == "kills":
                experiment = partial(experiment, lines=options.lines)
            rows = experiment(folder / name, partial(journal.event, name))
            tables.append(Table(name, EXPERIMENTS[name].COLUMNS, tuple(rows)))
            for row in rows:
                journal.event(name, str(row))
    except StopSignal as stopped:
        print(_end_of(stopped, options.time_limit), file=sys.stderr)
        return 128 + stopped.number
    except (ProgramError, RenderbusError, httpx.HTTPError, OSError):
        traceback.print_exc()
        return 1
    finally:
        kept = json.dumps([table.as_json() for table in tables], indent=1)
        (folder / "results.json").write_text(kept, "utf-8")
    if options.write:
        document.write(tables)
    return _conclusion(tables, list(_leaks(folder)), folder)


def _leaks(folder: Path) -> Iterator[CheckFailure]:
    """Yield where the access key of a farm of an experiment stands that should not."""
    for farm in folder.rglob("farm/connections.json"):
        place = farm.parent.parent
        key = json.loads(farm.read_text("utf-8"))[CONNECTION_ID]["password"]
        private = {farm, farm.with_name("account.json"), place / farm.name}
        yield from check_files(place, {key: "the access key"}, private)


def _end_of(stopped: StopSignal, time_limit: int) -> str:
    if stopped.number == signal.SIGALRM:
        return f"It was not done within {time_limit} s. Everything that was started has ended."
    return "StopSignal. Everything that was started has ended."


def _conclusion(tables: list[Table], leaks: list[CheckFailure], folder: Path) -> int:
    """Print what differs and return the exit status."""
    for leak in leaks:
        print(leak, file=sys.stderr)
    different = [(table.name, row) for table in tables for row in table.rows if not row.holds]
    print()
    for name, row in different:
        print(f"{name}: {row}", file=sys.stderr)
    count = sum(len(table.rows) for table in tables)
    print(f"{count - len(different)} of {count} cases came as expected. Logs and results are in {folder}")
    return 1 if leaks or different or not count else 0


if __name__ == "__main__":
    sys.exit(main())
