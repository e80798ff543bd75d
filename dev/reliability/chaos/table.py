"""The table of chaos in one process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dev.harness.airflow_instance import inherited_environment
from dev.reliability.report import Row
from dev.reliability.testbed import PROJECT

COLUMNS = ("renders", "seed")
_EXPECTED = "0 paid twice, 0 running unnoticed, 0 reported wrong"
_TIMEOUT = 900


def run(
    folder: Path, log: Callable[[str], None], *, renders: int = 1000, seeds: Sequence[int] = (1, 2)
) -> list[Row]:
    """Make the table with this many renders per seed; histories of violations are in the new folder."""
    # In a process of its own, because chaos patches the clock and Airflow.
    environment = {**inherited_environment(), "AIRFLOW_HOME": str(folder), "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "dev.reliability.chaos.chaos", "--renders", str(renders)]
    rows = []
    for seed in map(str, seeds):
        ended = subprocess.run(
            [*command, "--seed", seed],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        (folder / f"seed-{seed}.log").write_text(ended.stdout + ended.stderr)
        last = ended.stdout.strip().splitlines()[-1] if ended.stdout.strip() else f"status {ended.returncode}"
        log(last)
        rows.append(Row((f"{renders:,}", seed), _EXPECTED, last.rpartition(": ")[2]))
    return rows
