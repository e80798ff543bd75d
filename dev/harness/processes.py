"""Starts programs on this machine, watches them, and terminates them with everything they started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn, Self

import psutil

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
"""What stops this process: Ctrl-C, another program, the terminal's end, and its own time limit."""

_POLL_INTERVAL = 0.05


class ProgramError(Exception):
    """A program ended when it should not have, or was not ready in time."""


class StopSignal(BaseException):
    """A signal that stops this process. Not an Exception: nothing may handle it as an error."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass
class Program:
    """A running program: the leader of a session of its own, which all that it starts belongs to."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]
    may_end: bool = False
    killed: bool = False

    def resume(self) -> None:
        """Resume a program that was started paused."""
        if self.process.stdin:
            self.process.stdin.close()

    def signal(self, number: int) -> None:
        """Send a signal to all processes of the program, e.g. SIGSTOP to pause it."""
        for member in self.members():
            with contextlib.suppress(psutil.NoSuchProcess):
                member.send_signal(number)

    def members(self) -> Iterator[psutil.Process]:
        """Yield the living processes of the program's session: itself and all that it started.

        A session, because Airflow puts each of its task processes into a process group of its own.
        """
        for pid in psutil.pids():
            with contextlib.suppress(OSError, psutil.Error):  # it has just ended, or belongs to another user
                if os.getsid(pid) == self.process.pid:
                    member = psutil.Process(pid)
                    if member.status() != psutil.STATUS_ZOMBIE:
                        yield member


@dataclass
class Programs:
    """A set of running programs. Leaving its ``with`` block terminates them all, whatever happened in it."""

    terminate_timeout: float = 10.0
    running: list[Program] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.terminate_all()

    def start(
        self,
        command: Sequence[str],
        *,
        name: str,
        environment: Mapping[str, str],
        log: Path,
        may_end: bool = False,
        paused: bool = False,
    ) -> Program:
        """Start a program in a session of its own, without a terminal.

        :param log: the file that its output is appended to.
        :param may_end: whether it may end by itself, with status 0.
        :param paused: whether its standard input stays open until it is resumed.
        """
        with log.open("ab") as output, defer_signals():
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.PIPE if paused else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            program = Program(name, log, process, may_end)
            self.running.append(program)
        return program

    def kill(self, program: Program, *, alone: bool = False) -> None:
        """Kill a program (SIGKILL), and unless ``alone`` what it has started; return when it has ended."""
        program.killed = True
        if alone:
            program.process.kill()
        else:
            program.signal(signal.SIGKILL)
        program.process.wait()

    def terminate(self, program: Program, timeout: float) -> None:
        """Send a program SIGTERM and return when it has ended, with all that it started.

        :raises ProgramError: another program ended meanwhile, or the time-out, in seconds, has passed.
        """
        program.killed = True
        program.process.terminate()
        self.wait_until(
            f"the end of {program.name}",
            lambda: program.process.poll() is not None and not any(program.members()),
            timeout,
        )

    def wait_until(
        self, event: str, condition: Callable[[], bool], timeout: float, interval: float = _POLL_INTERVAL
    ) -> None:
        """Return as soon as a condition holds.

        :param event: what is waited for, to complete "... did not happen within 9 s".
        :param timeout: seconds to wait at most.
        :param interval: seconds between two evaluations.
        :raises ProgramError: a program ended meanwhile, or the time-out has passed.
        """
        deadline = time.monotonic() + timeout
        while not condition():
            self.raise_if_ended()
            if time.monotonic() > deadline:
                logs = ", ".join(str(program.log) for program in self.running)
                raise ProgramError(f"{event} did not happen within {timeout:g} s; see {logs}")
            time.sleep(interval)

    def raise_if_ended(self) -> None:
        """Check that all programs still run that were not killed.

        :raises ProgramError: one has ended; the message holds its status and the end of its log.
        """
        for program in self.running:
            status = program.process.poll()
            expected = program.killed or (program.may_end and status == 0)
            if status is not None and not expected:
                end = [
                    f"    {line[:300]}" for line in program.log.read_text(errors="replace").splitlines()[-20:]
                ]
                text = f"{program.name} ended with status {status}; the end of {program.log}:"
                raise ProgramError("\n".join((text, *end)))

    def members(self) -> list[psutil.Process]:
        """Return all living processes of all programs."""
        return [member for program in self.running for member in program.members()]

    def terminate_all(self) -> None:
        """Terminate all programs and what they started: by SIGTERM, then by SIGKILL."""
        try:
            for program in self.running:
                program.process.terminate()
            self._wait_for_all(self.terminate_timeout)
        finally:
            with defer_signals():
                while members := self.members():
                    for member in members:
                        with contextlib.suppress(psutil.NoSuchProcess):
                            member.kill()
                    self._wait_for_all(1.0)
                for program in self.running:
                    program.resume()
                    program.process.wait()
                self.running.clear()

    def _wait_for_all(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            ended = [program.process.poll() is not None for program in self.running]
            if all(ended) and not self.members():
                return
            time.sleep(_POLL_INTERVAL)


def raise_on_signals() -> None:
    """Have this process raise StopSignal at any of STOP_SIGNALS: its ``with`` blocks are left in order."""
    for number in STOP_SIGNALS:
        signal.signal(number, _raise_stop_signal)


def _raise_stop_signal(number: int, _: FrameType | None) -> NoReturn:
    raise StopSignal(number)


@contextmanager
def defer_signals() -> Generator[None]:
    """Defer STOP_SIGNALS until the block is left, so that no program is started and forgotten."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python runs signal handlers in the main thread only
        return
    deferred: list[int] = []
    handlers = {number: signal.signal(number, lambda it, _: deferred.append(it)) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for each in deferred:
            signal.raise_signal(each)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that is free and that the system gives to no other program for the next minute.

    A connection that was closed from the port's side leaves it in TIME_WAIT: no other program gets it by
    chance, while a server that asks for it by number (with SO_REUSEADDR, as all servers do) does.
    """
    with socket.socket() as listener, socket.socket() as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, 0))
        listener.listen(1)
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        accepted.close()
        port: int = listener.getsockname()[1]
    return port
