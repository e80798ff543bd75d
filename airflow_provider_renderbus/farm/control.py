"""Orders to a running farm from another process: faults, money, time.

They go to a path of their own, signed like every call, so only who holds the account's key can give them.
``python -m airflow_provider_renderbus.farm.control --storage DIR '{"top_up": "50"}'`` gives one by hand.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.signing import signature
from airflow_provider_renderbus.farm.server.envelope import ILLEGAL_PARAMETER, ApiRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_renderbus.farm.farm import Farm

PATH = "/farm/control"
SECONDS = 60
EXAMPLE = '{"top_up": "50"}'


def send_command(connection: Mapping[str, Any], orders: Mapping[str, Any]) -> dict[str, Any]:
    """Give orders to a farm.

    :param connection: the farm's Airflow connection, as :meth:`Farm.connection` returns it.
    :param orders: ``inject`` a fault, ``clear_faults``, ``top_up`` an amount, ``advance`` a clock driven by
        hand; none of them asks only.
    :return: ``served``, the requests that have come in for each call, and ``moment``, farm seconds.
    :raises ValueError: the farm refuses an order.
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
    headers["signature"] = signature(connection["password"], f"{host}:{port}", PATH, headers, orders)
    with closing(HTTPConnection(host, port, timeout=SECONDS)) as http:
        http.request("POST", PATH, json.dumps(orders), headers)
        answer = json.loads(http.getresponse().read())
    if not answer["result"]:
        raise ValueError(f"the farm refuses the order: {answer['message']}")
    data: dict[str, Any] = answer["data"]
    return data


def run_commands(farm: Farm, orders: Mapping[str, Any]) -> None:
    """Carry out orders that the account's owner has given.

    :raises Refused: with code 600, an order is unknown or its value cannot be used.
    """
    known: dict[str, Callable[[Any], None]] = {
        "inject": lambda fault: farm.inject(**fault),
        "clear_faults": lambda _: farm.clear_faults(),
        "top_up": farm.top_up,
        "advance": farm.advance,
    }
    for name, value in orders.items():
        try:
            known[name](value)
        except (KeyError, TypeError, ValueError) as error:
            raise ApiRefusal(
                ILLEGAL_PARAMETER, field=name, expected=f"one of {', '.join(known)}; {error}"
            ) from None


def main() -> int:
    """Give the orders of the command line, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_renderbus.farm.control", description="Give orders to a running farm."
    )
    parser.add_argument(
        "--storage", type=Path, default=Path("renderbus-farm"), help="the farm's (%(default)s)"
    )
    parser.add_argument("orders", nargs="?", default="{}", help=f"JSON such as '{EXAMPLE}'")
    options = parser.parse_args()
    try:
        (connection,) = json.loads((options.storage / "connections.json").read_text()).values()
        print(json.dumps(send_command(connection, _read(options.orders))))  # noqa: T201 - the program's output
    except (OSError, ValueError, HTTPException) as error:
        print(f"The order was not carried out: {error}", file=sys.stderr)  # noqa: T201 - the program's output
        return 1
    return 0


def _read(text: str) -> dict[str, Any]:
    orders = json.loads(text)
    if not isinstance(orders, dict):
        raise ValueError(f"{text} is no JSON object; expected one such as {EXAMPLE}")
    return orders


if __name__ == "__main__":
    sys.exit(main())
