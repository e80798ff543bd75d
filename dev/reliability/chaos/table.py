"""What chaos in one process finds, as a table."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from dev.harness.airflow_instance import inherited_environment
from dev.reliability.report import Row
from dev.reliability.testbed import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

COLUMNS = ("renders", "seed")
_NOTHING = "0 paid twice, 0 running unnoticed, 0 reported wrong"
_SECONDS = 900


def run(
    folder: Path, log: Callable[[str], None], *, renders: int = 1000, seeds: Sequence[int] = (1, 2)
) -> list[Row]:
    """Make the table; the histories of renders of which something does not hold are in the folder.

    :param folder: a new folder for all that is made.
    :param log: logs what happens.
    :param renders: how many, with each seed.
    :param seeds: decide everything.
    """
    environment = {**inherited_environment(), "AIRFLOW_HOME": str(folder), "PYTHONPATH": str(PROJECT)}
    rows = []
    for seed in seeds:
        ended = subprocess.run(
            [
                sys.executable,
                "-m",
                "dev.reliability.chaos.chaos",
                "--renders",
                str(renders),
                "--seed",
                str(seed),
            ],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        (folder / f"seed-{seed}.log").write_text(ended.stdout + ended.stderr)
        last = ended.stdout.strip().splitlines()[-1] if ended.stdout.strip() else f"status {ended.returncode}"
        log(last)
        rows.append(Row((f"{renders:,}", str(seed)), _NOTHING, last.rpartition(": ")[2]))
    return rows
