"""Location of a running farm's storage, which the transfer command asks the farm for.

The answer is the path of the storage folder and nothing else. Only the farm's user can access that folder.
"""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path

PATH = "/farm/storage"
"""Path of the URL of the answer."""
MAX_ANSWER_BYTES = 64 * 1024
"""The answer of a farm is smaller than this."""
_TIMEOUT = 10.0


def build_answer(storage: Path) -> bytes:
    """Return the answer of a farm, as JSON.

    :param storage: the farm's storage folder.
    """
    return json.dumps({"storage": str(storage.absolute())}).encode()


def find_storage(host: str, port: int) -> Path | None:
    """Return the storage folder of the farm running at an address, None if none is running there.

    :param host: IPv4 address or host name of the farm.
    :param port: port of the farm.
    """
    try:
        with closing(HTTPConnection(host, port, timeout=_TIMEOUT)) as http:
            http.request("GET", PATH)
            storage = Path(json.loads(http.getresponse().read(MAX_ANSWER_BYTES))["storage"])
    except (OSError, HTTPException, ValueError, LookupError, TypeError, RecursionError):
        # Nothing listens there, or no farm.
        return None
    return storage if storage.is_absolute() else None
