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

    Emit = Callable[[str], object]

_CHUNK_SIZE = 1 << 16
_FAILED = 1
_FLUSH_SECONDS = 0.1


def run_in_processes(
    processes: int, work: Callable[[int, Emit], int], on_lines: Callable[[Sequence[str]], None]
) -> list[int]:
    """Do work in several processes, and return their exit codes, below 0 for one that a signal has ended.

    :param processes: how many processes.
    :param work: is given the number of its process, from 0 on, and where to tell lines; it returns the exit
        code.
    :param on_lines: is given the lines as they come.
    """
    running: list[int] = []
    rests: dict[int, bytes] = {}
    try:
        with selectors.DefaultSelector() as pipes:
            for number in range(processes):
                process, pipe = _fork(partial(work, number))
                running.append(process)
                rests[pipe] = b""
                pipes.register(pipe, selectors.EVENT_READ)
            while rests:
                for key, _ in pipes.select():
                    piece = os.read(key.fd, _CHUNK_SIZE)
                    *lines, rests[key.fd] = (rests[key.fd] + piece).split(b"\n")
                    if lines:
                        on_lines([line.decode() for line in lines])
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


def _fork(work: Callable[[Emit], int]) -> tuple[int, int]:
    """Begin work in a process of its own, and return its number and the pipe that its lines come from."""
    pipe, said = os.pipe()
    process = os.fork()
    if process:
        os.close(said)
        return process, pipe
    code = _FAILED
    try:
        os.close(pipe)
        with os.fdopen(said, "w", encoding="utf-8") as lines:
            code = work(_buffered(lines))
    except Exception:  # noqa: BLE001 - nobody else can tell of it
        traceback.print_exc()
    finally:
        os._exit(code)


def _buffered(lines: TextIO) -> Emit:
    told = monotonic()

    def tell(line: str) -> None:
        nonlocal told
        print(line, file=lines)
        if monotonic() - told > _FLUSH_SECONDS:
            lines.flush()
            told = monotonic()

    return tell
