"""Measures how long a DAG file imports all operators and sensors, beside what `import airflow.sdk` takes.

Airflow parses DAG files again and again, each in a fresh process, so each round is a fresh interpreter that
times both, one after the other, with byte code, as an installed provider has it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator

from airflow_provider_renderbus.get_provider_info import get_provider_info
from dev.benchmarks.figure import Figure

_ROUNDS = 11
_ROUND = """
import importlib, json, sys, time
start = time.perf_counter()
import airflow.sdk
between = time.perf_counter()
for module in sys.argv[1:]:
    importlib.import_module(module)
print(json.dumps([between - start, time.perf_counter() - between]))
"""


def measure() -> Iterator[Figure]:
    info = get_provider_info()
    modules = [
        name for kind in ("operators", "sensors") for entry in info[kind] for name in entry["python-modules"]
    ]
    command = [sys.executable, "-W", "ignore", "-c", _ROUND, *modules]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    rounds = [
        json.loads(subprocess.check_output(command, env=environment, text=True).splitlines()[-1])
        for _ in range(_ROUNDS + 1)
    ]
    airflow, ours = (statistics.median(seconds) * 1000 for seconds in zip(*rounds[1:], strict=True))
    yield Figure("ms for import airflow.sdk", airflow)
    yield Figure("ms that all operators and sensors add", ours, 40)
