"""The farm as a program: ``python -m airflow_provider_renderbus.farm``."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import shlex
import signal
import sys
from pathlib import Path
from threading import Event

try:
    from airflow_provider_renderbus.farm import Farm
    from airflow_provider_renderbus.farm.farm import CONNECTION_ID
except ImportError as error:
    sys.exit(str(error))

GC_THRESHOLDS = 50_000, 50, 1000


def main() -> int:
    """Serve until SIGTERM or Ctrl-C, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_renderbus.farm",
        description="A Renderbus / Fox Renderfarm on this machine, to try DAGs on without spending money.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8899, help="port, 0 for a free one (%(default)s)")
    parser.add_argument(
        "--storage",
        type=Path,
        default=Path("renderbus-farm"),
        help="folder for account, key and frames, created with mode 0700 (%(default)s)",
    )
    parser.add_argument("--speed", type=float, default=60.0, help="farm seconds per second (%(default)s)")
    parser.add_argument("--quiet", action="store_true", help="print nothing")
    parser.add_argument("--scenario", type=Path, help="JSON file: how the farm behaves, see docs/farm.md")
    parser.add_argument(
        "--print-connection",
        action="store_true",
        help="print the Airflow connection, which contains the key, even if the output is not a terminal",
    )
    options = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s")

    # Tasks stay in memory and form no cycles: full collections would only delay answers.
    gc.set_threshold(*GC_THRESHOLDS)
    stopped = Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: stopped.set())
    try:
        with Farm(
            options.storage,
            None,
            options.speed,
            options.host,
            options.port,
            options.scenario,
            _restart,
        ) as farm:
            if options.quiet:
                pass
            elif options.print_connection or sys.stdout.isatty():
                value = shlex.quote(json.dumps(farm.connection()))
                print(f"export AIRFLOW_CONN_{CONNECTION_ID.upper()}={value}", flush=True)  # noqa: T201 - asked for
            else:
                print(farm.connections_file, flush=True)  # noqa: T201 - the program's output
            stopped.wait()
    except (OSError, ValueError) as error:
        print(f"The farm cannot start: {error}", file=sys.stderr)  # noqa: T201 - the program's output
        return 1
    return 0


def _restart(port: int) -> None:
    """Replace this process by a new farm at once, without closing anything, as a kill would."""
    command = [sys.executable, "-m", "airflow_provider_renderbus.farm", *sys.argv[1:]]
    os.execv(sys.executable, [*command, "--port", str(port), "--quiet"])  # noqa: S606 - no shell is needed


if __name__ == "__main__":
    sys.exit(main())
