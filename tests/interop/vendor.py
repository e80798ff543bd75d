"""The vendor's client in a process and an environment of its own, controlled by a test."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("vendor_client.py")
CALL_TIMEOUT = 120.0


class VendorError(Exception):
    """An exception in the vendor's client.

    :param kind: name of the exception's class.
    :param message: message of the exception.
    :param code: the farm's code, if the exception has one.
    """

    def __init__(self, kind: str, message: str, code: int | None) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.code = code


class Vendor:
    """The vendor's client; a context manager over its process.

    The client repeats failed transfers without limit, so a call that takes too long is killed with its
    children.

    :param python: Python of the client's environment.
    :param home: folder that the client may write to.
    :param proxy: address of an HTTP proxy for the client; without one it connects to 127.0.0.1 directly.
    """

    def __init__(self, python: Path, home: Path, proxy: str | None = None) -> None:
        proxies = {"NO_PROXY": "127.0.0.1"} if proxy is None else {"http_proxy": proxy}
        self._process = subprocess.Popen(
            [python, "-W", "ignore", SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            # Without a folder for logs the client calls a Windows API.
            env={
                "HOME": str(home),
                "PYTHONUTF8": "1",
                "RAYVISION_LOG": str(home),
                **proxies,
            },
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._kill_on_timeout():
            self._process.communicate()

    def call(self, method: str, **arguments: Any) -> Any:
        """Call a method of the client, e.g. ``call("task.create_task", count=2)``, and return its result.

        :raises VendorError: the method raised.
        """
        __tracebackhide__ = True  # pytest would print the arguments, and one of them is a key
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        print(repr((method, arguments)), file=process.stdin, flush=True)
        with self._kill_on_timeout():
            line = process.stdout.readline()
        if not line:
            raise AssertionError(f"the vendor's client ended with status {process.wait()}")
        response = json.loads(line)
        if "error" in response:
            raise VendorError(response["error"], response["message"], response["code"])
        return response["result"]

    @contextlib.contextmanager
    def _kill_on_timeout(self) -> Iterator[None]:
        timer = Timer(CALL_TIMEOUT, os.killpg, (self._process.pid, signal.SIGKILL))
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
