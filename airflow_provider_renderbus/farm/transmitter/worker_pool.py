"""Sharing work among processes that tell of it line by line.

Threads would not do: to copy a file of a frame's size takes a dozen short calls of the system, and the
threads of one Python wait for one another at each of them.
"""

from __future__ import annotations

import os
import selectors
import signal
import traceback
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Tell = Callable[[str], object]

_PIECE = 1 << 16
_BROKEN = 1
_SECONDS_BETWEEN_LINES = 0.1


def share(count: int, work: Callable[[int, Tell], int], hear: Callable[[Sequence[str]], None]) -> list[int]:
    """Do work in several processes, and return their exit codes, below 0 for one that a signal has ended.

    :param count: how many processes.
    :param work: is given the number of its process, from 0 on, and where to tell lines; it returns the exit
        code.
    :param hear: is given the lines as they come.
    """
    running: list[int] = []
    rests: dict[int, bytes] = {}
    try:
        with selectors.DefaultSelector() as pipes:
            for number in range(count):
                process, pipe = _begin(partial(work, number))
                running.append(process)
                rests[pipe] = b""
                pipes.register(pipe, selectors.EVENT_READ)
            while rests:
                for key, _ in pipes.select():
                    piece = os.read(key.fd, _PIECE)
                    *lines, rests[key.fd] = (rests[key.fd] + piece).split(b"\n")
                    if lines:
                        hear([line.decode() for line in lines])
                    if not piece:
                        pipes.unregister(key.fd)
                        os.close(key.fd)
                        del rests[key.fd]
        codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in running]
        running.clear()
        return codes
    finally:
        for process in running:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(process, signal.SIGTERM)
                os.waitpid(process, 0)
        for pipe in rests:
            os.close(pipe)


def _begin(work: Callable[[Tell], int]) -> tuple[int, int]:
    """Begin work in a process of its own, and return its number and the pipe that its lines come from."""
    pipe, said = os.pipe()
    process = os.fork()
    if process:
        os.close(said)
        return process, pipe
    code = _BROKEN
    try:
        os.close(pipe)
        with os.fdopen(said, "w", encoding="utf-8") as lines:
            code = work(_said_now_and_then(lines))
    except Exception:  # noqa: BLE001 - nobody else can tell of it
        traceback.print_exc()
    finally:
        os._exit(code)


def _said_now_and_then(lines: TextIO) -> Tell:
    told = monotonic()

    def tell(line: str) -> None:
        nonlocal told
        print(line, file=lines)
        if monotonic() - told > _SECONDS_BETWEEN_LINES:
            lines.flush()
            told = monotonic()

    return tell
