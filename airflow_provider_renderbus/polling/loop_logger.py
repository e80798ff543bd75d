"""Writes the log lines of triggers from a thread, because the loop of a triggerer must not wait for a reader.

A triggerer of Airflow 3 consists of two processes: triggers run in one of them, and the other one, their
supervisor, reads what they log. While the supervisor sends thousands of triggers or states, it reads nothing.
If the loop waits for it then, with a log line that does not fit into their socket, neither continues.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import os
import queue
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# The class of Airflow 3 by which triggers talk to their supervisor. Its module is loaded in triggerers only.
_TRIGGERER = "TriggerCommsDecoder"


class LoopLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger for code that runs in a triggerer. In other processes it writes at once, as any logger."""

    def log(self, level: int, msg: object, *args: object, exc_info: Any = None, **_: Any) -> None:
        """Write a line, or have it written."""
        if not self.isEnabledFor(level):
            return
        if isinstance(exc_info, BaseException):
            exc_info = type(exc_info), exc_info, exc_info.__traceback__
        elif exc_info:
            exc_info = sys.exc_info()
        path, line, function, _stack = self.logger.findCaller(stacklevel=2)
        record = self.logger.makeRecord(
            self.logger.name, level, path, line, msg, args, exc_info or None, function
        )
        if is_triggerer():
            # Airflow finds the log of a trigger by the context of its task.
            _writer.put(partial(contextvars.copy_context().run, self.logger.handle, record))
        else:
            self.logger.handle(record)


async def written() -> None:
    """Return when all lines so far are written: Airflow closes the log of a trigger when it has ended."""
    if not is_triggerer():
        return
    loop = asyncio.get_running_loop()
    is_written = asyncio.Event()
    _writer.put(lambda: loop.call_soon_threadsafe(is_written.set))
    await is_written.wait()


class _Writer:
    """The thread that writes. A fork copies its queue, but not the thread."""

    def __init__(self) -> None:
        self._writes: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def put(self, write: Callable[[], object]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="renderbus-log", daemon=True)
            self._thread.start()
        self._writes.put(write)

    def _run(self) -> None:
        while True:
            # The handler of a dead supervisor raises. Nothing may be left that awaits a line.
            with contextlib.suppress(Exception):
                self._writes.get()()


_writer = _Writer()
os.register_at_fork(after_in_child=_writer.__init__)  # type: ignore[misc]  # a new queue and thread


def is_triggerer() -> bool:
    """Return whether this is the process of a triggerer of Airflow 3 in which triggers run."""
    task_runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return type(getattr(task_runner, "SUPERVISOR_COMMS", None)).__name__ == _TRIGGERER
