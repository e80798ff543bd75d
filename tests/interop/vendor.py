"""The vendor's client as a process of its own, in its own environment, under the orders of a test."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("vendor_client.py")
SECONDS_PER_ORDER = 120


class VendorError(Exception):
    """The vendor's client raised.

    :param kind: the name of its exception's class.
    :param message: its message.
    :param code: the farm's code in it, where it has one.
    """

    def __init__(self, kind: str, message: str, code: int | None) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.code = code


class Vendor:
    """The vendor's client, which lives while its ``with`` block lasts.

    It repeats failed transfers for ever, so whatever takes too long is ended with all that it has started.

    :param python: the Python of its environment.
    :param home: a folder that it may write to.
    :param proxy: the address of an HTTP proxy that it is to use; without one it reaches 127.0.0.1 directly.
    """

    def __init__(self, python: Path, home: Path, proxy: str | None = None) -> None:
        way = {"NO_PROXY": "127.0.0.1"} if proxy is None else {"http_proxy": proxy}
        self._process = subprocess.Popen(
            [python, "-W", "ignore", SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            # Transfer commands that it starts look for the farm in the temporary folder. Without a folder for
            # their logs it asks Windows to remember one.
            env={
                "HOME": str(home),
                "PYTHONUTF8": "1",
                "RAYVISION_LOG": str(home),
                "TMPDIR": tempfile.gettempdir(),
                **way,
            },
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._bounded():
            self._process.communicate()

    def ask(self, order: str, **arguments: Any) -> Any:
        """Have an order carried out, e.g. ``ask("task.create_task", count=2)``, and return its result.

        :raises VendorError: the vendor's client raised.
        """
        __tracebackhide__ = True  # pytest would print the arguments, and one of them is a key
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        print(repr((order, arguments)), file=process.stdin, flush=True)
        with self._bounded():
            line = process.stdout.readline()
        if not line:
            raise AssertionError(f"the vendor's client ended with status {process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise VendorError(answer["error"], answer["message"], answer["code"])
        return answer["result"]

    @contextlib.contextmanager
    def _bounded(self) -> Iterator[None]:
        timer = Timer(SECONDS_PER_ORDER, os.killpg, (self._process.pid, signal.SIGKILL))
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
