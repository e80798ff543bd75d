"""Programs on this machine: start them, watch them, and end them with everything they started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, Self

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
"""What ends the demo itself: Ctrl-C, another program, the terminal's end, and its own time limit."""

_PAUSE = 0.05


class ProgramError(Exception):
    """A program ended when it should not have, or did not get ready in time."""


class Stopped(BaseException):
    """A signal came that ends the demo. Not an Exception: nothing else may be made of it."""

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

    def release(self) -> None:
        """Let a program that was started held go on."""
        if self.process.stdin:
            self.process.stdin.close()

    def signal(self, number: int) -> None:
        """Send a signal to all processes of the program, e.g. SIGSTOP to pause it."""
        for member in self.members():
            with contextlib.suppress(psutil.NoSuchProcess):
                member.send_signal(number)

    def members(self) -> Iterator[psutil.Process]:
        """Yield the living processes of the program's session: itself and all that it started.

        A session, since Airflow puts each of its task processes into a process group of its own.
        """
        for pid in psutil.pids():
            with contextlib.suppress(OSError, psutil.Error):  # it has just ended, or is not ours to see
                if os.getsid(pid) == self.process.pid:
                    member = psutil.Process(pid)
                    if member.status() != psutil.STATUS_ZOMBIE:
                        yield member


@dataclass
class Programs:
    """A set of running programs. Leaving its ``with`` block ends them all, whatever happened in it."""

    seconds_to_end: float = 10.0
    running: list[Program] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(
        self,
        command: Sequence[str],
        *,
        name: str,
        environment: Mapping[str, str],
        log: Path,
        may_end: bool = False,
        held: bool = False,
    ) -> Program:
        """Start a program in a session of its own, without a terminal.

        :param command: its argument list.
        :param name: what it is called in messages.
        :param environment: its whole environment.
        :param log: the file that its output goes to, added to what is there.
        :param may_end: whether it may end by itself, with status 0.
        :param held: whether its standard input stays open until it is released.
        """
        with log.open("ab") as output, signals_held_back():
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.PIPE if held else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            program = Program(name, log, process, may_end)
            self.running.append(program)
        return program

    def kill(self, program: Program, *, alone: bool = False) -> None:
        """Kill a program (SIGKILL) and return when it has ended.

        :param program: one of these.
        :param alone: whether what it has started lives on, until all programs are ended.
        """
        program.killed = True
        if alone:
            program.process.kill()
        else:
            program.signal(signal.SIGKILL)
        program.process.wait()

    def stop(self, program: Program, seconds: float) -> None:
        """Ask a program to end (SIGTERM) and return when it has, with all that it started.

        :param program: one of these.
        :param seconds: how long it may take.
        :raises ProgramError: another program ended meanwhile, or the time is over.
        """
        program.killed = True
        program.process.terminate()
        self.wait_until(
            f"the end of {program.name}",
            lambda: program.process.poll() is not None and not any(program.members()),
            seconds,
        )

    def wait_until(
        self, what: str, condition: Callable[[], bool], seconds: float, pause: float = _PAUSE
    ) -> None:
        """Return as soon as a condition holds.

        :param what: what is waited for, to complete "... did not happen within 9 s".
        :param condition: asked again and again.
        :param seconds: how long, at most.
        :param pause: seconds between two questions.
        :raises ProgramError: a program ended meanwhile, or the time is over.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            self.watch()
            if time.monotonic() > deadline:
                raise ProgramError(f"{what} did not happen within {seconds:g} s; see {self.logs()}")
            time.sleep(pause)

    def watch(self) -> None:
        """Look whether all programs still run that were not killed.

        :raises ProgramError: one has ended; the message holds its status and the end of its log.
        """
        for program in self.running:
            status = program.process.poll()
            expected = program.killed or (program.may_end and status == 0)
            if status is not None and not expected:
                raise ProgramError(
                    f"{program.name} ended with status {status}; the end of {program.log}:\n"
                    f"{last_lines(program.log)}"
                )

    def logs(self) -> str:
        """Return the paths of all logs, for messages."""
        return ", ".join(str(program.log) for program in self.running)

    def members(self) -> list[psutil.Process]:
        """Return all living processes of all programs."""
        return [member for program in self.running for member in program.members()]

    def end(self) -> None:
        """End all programs and what they started: ask first (SIGTERM), then kill (SIGKILL)."""
        try:
            for program in self.running:
                program.process.terminate()
            self._wait_for_all(self.seconds_to_end)
        finally:
            with signals_held_back():
                while members := self.members():
                    for member in members:
                        with contextlib.suppress(psutil.NoSuchProcess):
                            member.kill()
                    self._wait_for_all(1.0)
                for program in self.running:
                    program.release()
                    program.process.wait()
                self.running.clear()

    def _wait_for_all(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            ended = [program.process.poll() is not None for program in self.running]
            if all(ended) and not self.members():
                return
            time.sleep(_PAUSE)


def stop_on_signals() -> None:
    """Have this process raise Stopped at any of ENDING_SIGNALS: its ``with`` blocks are left in order."""
    for number in ENDING_SIGNALS:
        signal.signal(number, _stop)


def _stop(number: int, _: FrameType | None) -> NoReturn:
    raise Stopped(number)


@contextmanager
def signals_held_back() -> Generator[None]:
    """Let what ends the demo wait until the block is over, so that no program is started and forgotten."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python runs signal handlers in the main thread only
        return
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    handlers = {number: signal.signal(number, note) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)


def last_lines(log: Path, count: int = 20, width: int = 300) -> str:
    """Return the end of a log, indented, its lines cut to a width."""
    return "\n".join(f"    {line[:width]}" for line in log.read_text(errors="replace").splitlines()[-count:])


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that is free and that the system hands to nobody else for the next minute.

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
