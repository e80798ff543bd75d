"""Runs work in several forked processes that report line by line.

Threads would not help: copying a file as small as a frame takes a dozen short system calls, and Python's
threads wait for the interpreter lock at each of them.
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
    """Run work in several processes and return their exit codes, below 0 for one killed by a signal.

    :param processes: number of processes.
    :param work: called in each process with its index, from 0, and a function that emits a line; returns the
        exit code.
    :param on_lines: called with the lines as they arrive.
    """
    running: list[int] = []
    partial_lines: dict[int, bytes] = {}
    try:
        with selectors.DefaultSelector() as pipes:
            for index in range(processes):
                process, pipe = _fork(partial(work, index))
                running.append(process)
                partial_lines[pipe] = b""
                pipes.register(pipe, selectors.EVENT_READ)
            while partial_lines:
                for key, _ in pipes.select():
                    chunk = os.read(key.fd, _CHUNK_SIZE)
                    *lines, partial_lines[key.fd] = (partial_lines[key.fd] + chunk).split(b"\n")
                    if lines:
                        on_lines([line.decode() for line in lines])
                    if not chunk:
                        pipes.unregister(key.fd)
                        os.close(key.fd)
                        del partial_lines[key.fd]
        codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in running]
        running.clear()
        return codes
    finally:
        for process in running:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(process, signal.SIGTERM)
                os.waitpid(process, 0)
        for pipe in partial_lines:
            os.close(pipe)


def _fork(work: Callable[[Emit], int]) -> tuple[int, int]:
    """Run work in a forked process; return the process id and the pipe with its lines."""
    pipe, output = os.pipe()
    process = os.fork()
    if process:
        os.close(output)
        return process, pipe
    code = _FAILED
    try:
        os.close(pipe)
        with os.fdopen(output, "w", encoding="utf-8") as lines:
            code = work(_buffered(lines))
    except Exception:  # noqa: BLE001 - nothing above reports it
        traceback.print_exc()
    finally:
        os._exit(code)


def _buffered(lines: TextIO) -> Emit:
    flushed_at = monotonic()

    def emit(line: str) -> None:
        nonlocal flushed_at
        print(line, file=lines)
        if monotonic() - flushed_at > _FLUSH_SECONDS:
            lines.flush()
            flushed_at = monotonic()

    return emit
