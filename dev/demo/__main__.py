"""Render the DAG nightly_render in a real Airflow on the embedded farm, and check everything it leaves."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from dev.demo.checks import Finding, check_returned, check_run
from dev.demo.nightly_expectations import CONTACT_SHEET, DAG_ID, PREVIEW, SHOTS, WAIT
from dev.demo.pictures import check_contact_sheet, check_frames, check_preview
from dev.demo.run_monitor import Follower
from dev.demo.runner import main, play
from dev.harness.event_log import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.demo.run_monitor import Result
    from dev.harness.airflow_instance import AirflowInstance
    from dev.harness.embedded_farm import EmbeddedFarm


def run(folder: Path, speed: float, keep: bool) -> list[Finding]:
    """Run the demo in a new folder, which the schedule begins, and return what is not as it must be."""
    return play(folder, speed, keep, DAG_ID, {}, Follower, check, summary)


def check(result: Result, farm: EmbeddedFarm, airflow: AirflowInstance) -> Iterator[Finding]:
    """Yield what is wrong with the run, then with what it returned, then with what it made."""
    for findings in (check_run(result, airflow), check_returned(result, airflow.log("scheduler"))):
        if first := next(findings, None):
            yield from (first, *findings)
            return
    for index, shot in enumerate(SHOTS):
        yield from check_frames(shot, farm.frames_folder / result.returned[WAIT, index]["output_folders"][0])
    yield from check_contact_sheet(Path(result.returned[CONTACT_SHEET, -1]))
    yield from check_preview(Path(result.returned[PREVIEW, -1]))


def summary(result: Result) -> str:
    """Return the closing table and the pictures' paths."""
    rows = [("shot", "frames", "seconds", "cost, RMB")]
    for index, shot in enumerate(SHOTS):
        end = result.returned[WAIT, index]
        frames = f"{end['frames']['done']}/{end['frames']['total']}"
        rows.append((shot, frames, f"{end['duration_seconds']:.0f}", f"{Decimal(end['cost']):.2f}"))
    pictures = [f"{name:<16}{result.returned[name, -1]}" for name in (CONTACT_SHEET, PREVIEW)]
    return "\n".join((table(rows), "", *pictures))


if __name__ == "__main__":
    sys.exit(main(run, "python -m dev.demo", __doc__, seconds=300))
