"""What it costs a DAG file to import all operators and sensors, beside what `import airflow.sdk` costs it.

Airflow parses DAG files again and again, each in a fresh process, so each round is a fresh interpreter that
times both, one after the other, with byte code, as an installed provider has it. The median of the rounds
counts. Exit status 1 says that the goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from airflow_provider_renderbus.get_provider_info import get_provider_info

GOAL = 0.040
"""Seconds that the operators and sensors may add."""

_ROUND = """
import importlib, json, sys, time
start = time.perf_counter()
import airflow.sdk
between = time.perf_counter()
for module in sys.argv[1:]:
    importlib.import_module(module)
print(json.dumps([between - start, time.perf_counter() - between]))
"""


def measure(rounds: int) -> list[tuple[float, float]]:
    """Return for each round the seconds of `import airflow.sdk` and those of the operators and sensors.

    :param rounds: how many count; one more comes before them, to warm up.
    """
    info = get_provider_info()
    modules = [
        name for room in ("operators", "sensors") for entry in info[room] for name in entry["python-modules"]
    ]
    command = [sys.executable, "-W", "ignore", "-c", _ROUND, *modules]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    seconds = []
    with tempfile.TemporaryDirectory() as home:
        environment["AIRFLOW_HOME"] = home
        for _ in range(rounds + 1):
            output = subprocess.check_output(command, env=environment, text=True)
            seconds.append(tuple(json.loads(output.splitlines()[-1])))
    return seconds[1:]


def main() -> int:
    """Print the medians and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dev.benchmarks.import_time", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11, help="fresh interpreters (%(default)s)")
    airflow, ours = zip(*measure(parser.parse_args().rounds), strict=True)
    added = statistics.median(ours)
    print(f"import airflow.sdk             {statistics.median(airflow) * 1e3:6.0f} ms")
    print(f"all operators and sensors add  {added * 1e3:6.1f} ms, {GOAL * 1e3:.0f} at most")
    return 0 if added <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
