"""Commands to a running farm from another process: faults, money, time.

They are sent to a path of their own and signed like every call: a sender needs the account's key.
``python -m airflow_provider_renderbus.farm.control --storage DIR '{"top_up": "50"}'`` sends one.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from contextlib import closing
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.signing import signature
from airflow_provider_renderbus.farm.server.envelope import ILLEGAL_PARAMETER, ApiRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_renderbus.farm.farm import Farm

PATH = "/farm/control"
TIMEOUT = 60
EXAMPLE = '{"top_up": "50"}'


def send_command(connection: Mapping[str, Any], commands: Mapping[str, Any]) -> dict[str, Any]:
    """Send commands to a farm.

    :param connection: the farm's Airflow connection, as :meth:`Farm.connection` returns it.
    :param commands: each command with its value: ``inject``, ``clear_faults``, ``stop``, ``top_up``,
        ``advance``. If empty, only the state is returned.
    :return: ``request_counts``, the number of requests for each call, and ``now``, the farm's time in farm
        seconds.
    :raises ValueError: the farm refuses a command.
    :raises OSError: the farm cannot be reached.
    """
    host, port = connection["host"], connection["port"]
    headers = {
        "accessId": connection["login"],
        "channel": "4",
        "platform": "2",
        "UTCTimestamp": str(int(time.time())),
        "nonce": str(100_000 + secrets.randbelow(900_000)),
        "version": "2.0.0",
        "languageFlag": "1",
    }
    headers["signature"] = signature(connection["password"], f"{host}:{port}", PATH, headers, commands)
    with closing(HTTPConnection(host, port, timeout=TIMEOUT)) as http:
        http.request("POST", PATH, json.dumps(commands), headers)
        answer = json.loads(http.getresponse().read())
    if not answer["result"]:
        raise ValueError(f"the farm refused the command: {answer['message']}")
    data: dict[str, Any] = answer["data"]
    return data


def run_commands(farm: Farm, commands: Mapping[str, Any]) -> None:
    """Check all commands of an authenticated request, then run them in their order.

    :raises ApiRefusal: with code 600, a command is unknown or its value is invalid; none has been run.
    """
    checks: dict[str, Callable[[Any], Callable[[], None]]] = {
        "inject": lambda fault: farm.prepare_inject(**fault),
        "clear_faults": partial(_prepare_clear_faults, farm),
        "stop": lambda options: farm.prepare_stop(**options),
        "top_up": farm.prepare_top_up,
        "advance": farm.prepare_advance,
    }
    actions = []
    for name, value in commands.items():
        try:
            actions.append(checks[name](value))
        except (KeyError, TypeError, ValueError) as error:
            raise ApiRefusal(
                ILLEGAL_PARAMETER, field=name, expected=f"one of {', '.join(checks)}; {error}"
            ) from None
    for action in actions:
        action()


def _prepare_clear_faults(farm: Farm, value: Any) -> Callable[[], None]:
    if value is not True:
        raise ValueError(f"clear_faults: must be true, got {value!r}")
    return farm.clear_faults


def main() -> int:
    """Send the commands of the command line, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_renderbus.farm.control",
        description="Send commands to a running farm.",
    )
    parser.add_argument(
        "--storage",
        type=Path,
        default=Path("renderbus-farm"),
        help="storage folder of the farm (%(default)s)",
    )
    parser.add_argument("commands", nargs="?", default="{}", help=f"JSON object such as '{EXAMPLE}'")
    options = parser.parse_args()
    try:
        (connection,) = json.loads((options.storage / "connections.json").read_text()).values()
        print(json.dumps(send_command(connection, _parse(options.commands))))  # noqa: T201 - the program's output
    except (OSError, ValueError, HTTPException) as error:
        print(f"The command was not executed: {error}", file=sys.stderr)  # noqa: T201 - the program's output
        return 1
    return 0


def _parse(text: str) -> dict[str, Any]:
    commands = json.loads(text)
    if not isinstance(commands, dict):
        raise ValueError(f"commands: must be a JSON object such as {EXAMPLE}, got {text}")
    return commands


if __name__ == "__main__":
    sys.exit(main())
