"""How many renders one triggerer can wait for: ``python -m dev.benchmarks.waiting [--check]``.

Real triggers, serialized and built anew, wait for tasks of an embedded farm in a process of its own, over
loopback. Prints a table, writes JSON and a picture. What the figures mean is told in docs/waiting.md.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from dev.benchmarks import report
from dev.benchmarks.waiting_farm import FarmProcess, fill
from dev.benchmarks.waiting_picture import picture

GOALS: dict[str, tuple[str, float, str]] = {
    "requests_beyond_ceiling": ("requests an interval beyond ceil(N / 100)", 0.0, "at most"),
    "plain_times_cpu": ("times the CPU: one request a trigger / ours, plain tasks", 30.0, "at least"),
    "layered_times_cpu": ("times the CPU: one request a trigger / ours, two leaves", 10.0, "at least"),
    "blocked_ms": ("ms that the loop was blocked at most, beyond the collector", 20.0, "at most"),
    "bytes_a_task": ("bytes a waiting task, beyond a trigger that does nothing", 4096.0, "at most"),
    "event_p99_s": ("s from change to event beyond the interval, 99th percentile", 1.0, "at most"),
    "join_p99_s": ("s from joining to the first answer, 99th percentile", 1.0, "at most"),
    "outage_lost": ("triggers that an outage lost or ended, or an interval left unserved", 0.0, "at most"),
    "outage_warnings": ("warnings in an outage", 1.0, "at most"),
}


def main() -> int:
    parser = report.parser("Measure how many renders one triggerer can wait for.")
    parser.add_argument("--tasks", type=int, default=10_000, help="of each kind, in hundreds (%(default)s)")
    parser.add_argument("--interval", type=float, default=60.0, help="seconds (%(default)s)")
    parser.add_argument("--outage", type=float, default=60.0, help="seconds (%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # Airflow reads its settings where it is imported: not those of whoever runs this.
        os.environ["AIRFLOW_HOME"] = f"{folder}/airflow"
        from dev.benchmarks.trigger_load import CONN_ID
        from dev.benchmarks.waiting_stages import measure, stage

        with stage(f"filling the farm with {2 * options.tasks} tasks"):
            filled = fill(Path(folder) / "farm", options.tasks)
        with FarmProcess(Path(folder) / "farm") as farm:
            os.environ[f"AIRFLOW_CONN_{CONN_ID.upper()}"] = json.dumps(farm.connection)
            figures = measure(farm, filled, options.interval, options.outage)
    size = {"tasks": options.tasks, "interval": options.interval, "outage": options.outage}
    kept = report.keep(options.results, "waiting", {**size, "figures": figures})
    drawn = kept.with_suffix(".svg")
    drawn.write_text(picture(figures, options.interval), "utf-8")
    met = report.goals_met((what, figures[name], goal, side) for name, (what, goal, side) in GOALS.items())
    print(f"All figures: {kept}\nPicture: {drawn}")
    return int(options.check and not met)


if __name__ == "__main__":
    raise SystemExit(main())
