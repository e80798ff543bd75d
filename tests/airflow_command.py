"""The airflow command as a subprocess with its own home."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from dev.harness.airflow_instance import inherited_environment
from tests.airflow_version import is_airflow_secret_leak

if TYPE_CHECKING:
    from pathlib import Path


class AirflowCommand:
    """Runs the airflow command; creates the database first.

    :param python: Python interpreter of an environment with Airflow.
    :param home: Airflow's home folder, which also gets the output of commands as log files.
    :param connections: connections by id.
    :param environment: additional environment variables, which override those set here.
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
        """Run a command of Airflow, which must succeed, and return its output."""
        output = self.run_python("-m", "airflow", *arguments)
        (self._home / f"{'_'.join(arguments)}.log").write_text(output)
        return output

    def run_python(self, *arguments: str) -> str:
        """Run Python in Airflow's environment, which must succeed, and return its output."""
        process = subprocess.run(
            [self._python, *arguments],
            cwd=self._home,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        lines = [line for line in process.stdout.splitlines() if not is_airflow_secret_leak(line)]
        output = "\n".join(lines)
        assert process.returncode == 0, output
        return output
