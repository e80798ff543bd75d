"""Render the DAG nightly_render in a real Airflow on the embedded farm, and check everything it leaves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from airflow_provider_renderbus.clients.client import Client
from dev.demo.checks import check_report, check_return_values, check_run
from dev.demo.nightly_expectations import (
    CONTACT_SHEET,
    DAG_ID,
    INSTANCES,
    PREVIEW,
    RENDER,
    REPORT,
    SCENES,
    SHOTS,
)
from dev.demo.pictures import check_contact_sheet, check_frames, check_preview
from dev.demo.run_monitor import RunMonitor, RunResult
from dev.demo.runner import Demo, main
from dev.harness.airflow_instance import AirflowInstance
from dev.harness.embedded_farm import EmbeddedFarm
from dev.harness.event_log import CheckFailure


def monitor(airflow: AirflowInstance, farm: Client) -> RunMonitor:
    """Return the monitor of the run, which the schedule starts."""
    return RunMonitor(airflow, farm, DAG_ID, (RENDER, CONTACT_SHEET, PREVIEW, REPORT))


def check(result: RunResult, farm: EmbeddedFarm, airflow: AirflowInstance, _: Path) -> Iterator[CheckFailure]:
    """Check the run, then what its tasks returned, then the pictures."""
    log = airflow.log("scheduler")
    for failures in (check_run(result, airflow, DAG_ID, INSTANCES), check_return_values(result, log)):
        if first := next(failures, None):
            yield from (first, *failures)
            return
    for index, shot in enumerate(SHOTS):
        (folder,) = result.return_values[RENDER, index]["output_folders"]
        yield from check_frames(shot, farm.frames_folder / folder)
    yield from check_contact_sheet(Path(result.return_values[CONTACT_SHEET, -1]))
    yield from check_preview(Path(result.return_values[PREVIEW, -1]))
    yield from check_report(Path(result.return_values[REPORT, -1]["page"]))


def summary(result: RunResult) -> str:
    """Return the closing table and the pictures' paths."""
    lines = [f"{'shot':<8}{'frames':>8}{'seconds':>10}{'cost, RMB':>12}"]
    for index, shot in enumerate(SHOTS):
        render = result.return_values[RENDER, index]
        frames = f"{render['frames']['done']}/{render['frames']['total']}"
        seconds, cost = render["duration_seconds"], Decimal(render["cost"])
        lines.append(f"{shot:<8}{frames:>8}{seconds:>10.0f}{cost:>12.2f}")
    pictures = [f"{name:<16}{result.return_values[name, -1]}" for name in (CONTACT_SHEET, PREVIEW)]
    page = f"{'report':<16}{result.return_values[REPORT, -1]['page']}"
    return "\n".join((*lines, "", *pictures, page))


if __name__ == "__main__":
    sys.exit(main(Demo("python -m dev.demo", __doc__, DAG_ID, 300, monitor, check, summary, scenes=SCENES)))
