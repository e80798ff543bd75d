"""Airflow's command line with a home of its own, as a program of its own."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from dev.harness.airflow_instance import inherited_environment
from tests.airflow_version import is_leak_of_airflow

if TYPE_CHECKING:
    from pathlib import Path


class AirflowCommand:
    """Runs Airflow's command, first to make its database.

    :param python: the interpreter of the environment that holds Airflow.
    :param home: a folder, which gets what is printed as log files too.
    :param connections: connections by their ids.
    :param environment: variables that are added, or win over those made here.
    """

    def __init__(self, python: str, home: Path, connections: dict[str, dict], **environment: str):
        self._python = python
        self._home = home
        self._environment = {
            **inherited_environment(),
            **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(each) for name, each in connections.items()},
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            "AIRFLOW__RENDERBUS__POLL_INTERVAL": "0.5",
            **environment,
        }
        self("db", "migrate")

    def __call__(self, *arguments: str) -> str:
        """Run it and return what it prints; it must succeed."""
        ended = subprocess.run(
            [self._python, "-m", "airflow", *arguments],
            cwd=self._home,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        lines = [line for line in ended.stdout.splitlines() if not is_leak_of_airflow(line)]
        printed = "\n".join(lines)
        assert ended.returncode == 0, printed
        (self._home / f"{'_'.join(arguments)}.log").write_text(printed)
        return printed
