"""Run the experiments that show that no render is paid twice or runs unnoticed.

Exit status 0 means that every case came as expected; 1 that one did not.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx

from airflow_provider_renderbus.api.errors import RenderbusError
from dev.harness.airflow_instance import NO_PROXY
from dev.harness.embedded_farm import CONNECTION_ID
from dev.harness.event_log import CheckFailure, EventLog, new_run_folder
from dev.harness.processes import ProgramError, StopSignal, raise_on_signals
from dev.harness.secret_scan import check_files
from dev.reliability import (
    celery_stage,
    crash,
    ends,
    frozen,
    kills,
    random_faults,
    report,
    restarts,
    triggerers,
)
from dev.reliability.chaos import table as chaos
from dev.reliability.report import Row, Table
from dev.reliability.testbed import LINES, PROJECT

Experiment = Callable[..., list[Row]]

EXPERIMENTS = {
    "crash": crash,
    "restarts": restarts,
    "kills": kills,
    "frozen": frozen,
    "triggerers": triggerers,
    "ends": ends,
    "chaos": chaos,
    "random_faults": random_faults,
    "celery": celery_stage,
}
# It needs an environment of its own.
_NOT_BY_DEFAULT = {"celery"}
# What runs if there are only minutes.
_SMALL: dict[str, Experiment] = {
    "crash": partial(crash.run, every=4),
    "restarts": partial(restarts.run, every=2),
    "kills": partial(kills.run, lines=LINES[:1], kills=("marked failed", "cleared", "execution_timeout")),
    "frozen": partial(frozen.run, lines=LINES[:1]),
    "triggerers": partial(triggerers.run, cases=("killed (SIGKILL)",)),
    "ends": partial(ends.run, cases=((200, ends.MARKED),)),
    "chaos": partial(chaos.run, renders=200, seeds=(1,)),
    "random_faults": partial(random_faults.run, renders=10),
    "celery": partial(celery_stage.run, renders=8, speed=2.0, cases=("servers", "versions")),
}
_TIME_LIMIT = 7200


def main() -> int:
    """Run the chosen experiments and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dev.reliability", description=__doc__)
    parser.add_argument(
        "experiments", nargs="*", metavar="experiment", help=f"of {', '.join(EXPERIMENTS)} (all but celery)"
    )
    parser.add_argument("--small", action="store_true", help="only a part of each, for CI")
    parser.add_argument(
        "--write", action="store_true", help="write the tables into docs/reliability-tables.md"
    )
    options = parser.parse_args()
    if unknown := sorted(set(options.experiments) - set(EXPERIMENTS)):
        parser.error(f"experiment: must be one of {', '.join(EXPERIMENTS)}, got {', '.join(unknown)}")
    if options.small and options.write:
        parser.error("--write: the document holds whole experiments")

    os.environ.update(NO_PROXY)
    raise_on_signals()
    signal.alarm(_TIME_LIMIT)
    folder = new_run_folder(PROJECT / ".reliability")
    log = EventLog()
    tables: list[Table] = []
    try:
        for name in options.experiments or [each for each in EXPERIMENTS if each not in _NOT_BY_DEFAULT]:
            log.event(name, str(folder / name))
            (folder / name).mkdir()
            experiment: Experiment = _SMALL[name] if options.small else EXPERIMENTS[name].run
            rows = experiment(folder / name, partial(log.event, name))
            tables.append(Table(name, EXPERIMENTS[name].COLUMNS, tuple(rows)))
            (folder / f"{name}.md").write_text(tables[-1].markdown(), "utf-8")
            for row in rows:
                log.event(name, str(row))
    except StopSignal as stop:
        reason = f"Not done within {_TIME_LIMIT} s." if stop.number == signal.SIGALRM else "Stopped."
        print(f"{reason} Everything that was started has ended.", file=sys.stderr)
        return 128 + stop.number
    except (ProgramError, RenderbusError, httpx.HTTPError, OSError):
        traceback.print_exc()
        return 1
    if options.write:
        report.write(tables)
    return _conclude(tables, list(_leaks(folder)), folder)


def _leaks(folder: Path) -> Iterator[CheckFailure]:
    """Yield the files with the access key of an experiment's farm that must not hold it."""
    for connections in folder.rglob("farm/connections.json"):
        place = connections.parent.parent
        key = json.loads(connections.read_text("utf-8"))[CONNECTION_ID]["password"]
        private = {connections, connections.with_name("account.json"), place / connections.name}
        yield from check_files(place, {key: "the access key"}, private)


def _conclude(tables: list[Table], leaks: list[CheckFailure], folder: Path) -> int:
    """Print what differs and return the exit status."""
    failed = [(table.name, row) for table in tables for row in table.rows if not row.passed]
    for leak in leaks:
        print(leak, file=sys.stderr)
    for name, row in failed:
        print(f"{name}: {row}", file=sys.stderr)
    count = sum(len(table.rows) for table in tables)
    print(f"\n{count - len(failed)} of {count} cases as expected. Logs and tables are in {folder}")
    return 1 if leaks or failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
