"""Run benchmarks and print their figures beside their goals.

Exit status 0 means that every goal is met; 1 that one is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from importlib import import_module
from typing import Any

from dev.harness.airflow_instance import NO_PROXY
from dev.harness.processes import StopSignal, raise_on_signals

BENCHMARKS = (
    "protocol",
    "farm",
    "transfers",
    "thumbnails",
    "failure_report",
    "forecast",
    "import_time",
    "waiting",
    "triggerer",
    "night",
    "deferred",
)
_NOT_BY_DEFAULT = {"triggerer", "night", "deferred"}
_SHORT: dict[str, dict[str, Any]] = {"waiting": {"count": 1000, "interval": 10.0, "outage": 10.0}}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.benchmarks", description=__doc__)
    parser.add_argument(
        "benchmarks",
        nargs="*",
        metavar="benchmark",
        help=f"of {', '.join(BENCHMARKS)} (all but {', '.join(sorted(_NOT_BY_DEFAULT))})",
    )
    parser.add_argument("--full", action="store_true", help="waiting with 10,000 tasks: ten minutes")
    options = parser.parse_args()
    if unknown := sorted(set(options.benchmarks) - set(BENCHMARKS)):
        parser.error(f"benchmark: must be one of {', '.join(BENCHMARKS)}, got {', '.join(unknown)}")
    raise_on_signals()
    os.environ.update(NO_PROXY)
    all_met = True
    try:
        with tempfile.TemporaryDirectory() as home:
            # Airflow reads its settings when it is imported: they must not be the user's.
            os.environ["AIRFLOW_HOME"] = home
            for name in options.benchmarks or [each for each in BENCHMARKS if each not in _NOT_BY_DEFAULT]:
                print(f"{name}:", flush=True)
                module = import_module(f"dev.benchmarks.{name}")
                for figure in module.measure(**({} if options.full else _SHORT.get(name, {}))):
                    print(figure, flush=True)
                    all_met &= figure.is_met
    except StopSignal as stopped:
        return 128 + stopped.number
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(main())
