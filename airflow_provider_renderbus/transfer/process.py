"""Running the transfer command, watching it, and ending it with everything it started."""

from __future__ import annotations

import codecs
import contextlib
import logging
import os
import re
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_renderbus.transfer import watchdog as guard
from airflow_provider_renderbus.transfer.errors import (
    PermanentTransferFailure,
    TransferCancelled,
    TransferFailed,
    TransferIncomplete,
    TransferSetupError,
    TransferStalled,
    join_limited,
    one_line,
)
from airflow_provider_renderbus.transfer.progress import is_file_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_renderbus.transfer.command import Command, TransferArguments
    from airflow_provider_renderbus.transfer.progress import TransferProgress

log = logging.getLogger(__name__)

# The vendor's Python client reads 10 and 11, the command's own help tells of 1 and 255.
EXIT_OK, EXIT_RETRYABLE, EXIT_PERMANENT = 0, {1, 10}, 11
LOG_INTERVAL = 30.0
MAX_LOGGED_LINES = 50
"""Different lines of the command, but those about files, that are logged of a run."""
_SIGNALS = range(guard.SIGNAL_BASE + 1, guard.SIGNAL_BASE + signal.NSIG)
_PIECE = 1 << 16
_LONGEST_WAIT = 1.0
_MEGA = 1e6


@dataclass
class TransferRunner:
    """Runs the transfer command, one order after the other.

    :param command: the command.
    :param logs: folder for the logs that the vendor's command writes itself.
    :param silence: seconds without progress after which the command is ended: it tries for ever where a host
        does not answer.
    :param clock: seconds that only grow.
    """

    command: Command
    logs: Path
    stall_timeout: float
    clock: Callable[[], float] = time.monotonic
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _stopped: bool = field(default=False, init=False)

    def run(self, order: TransferArguments, tally: TransferProgress) -> None:
        """Carry an order out.

        :param order: what the command is to do.
        :param tally: takes in the command's lines, also where an error ends the run.
        :raises Stopped: :meth:`stop` was called.
        :raises Silent: nothing moved for too long.
        :raises Unfinished: some files are left, or something killed the command.
        :raises NeverSent: some files can never be transferred.
        :raises Failed: the command refused its arguments or failed otherwise.
        :raises Unusable: no process can be started.
        """
        code = self._code_of(order, tally)
        if self._stopped:
            raise TransferCancelled(f"The transfer was stopped after {_count(tally)}")
        _raise_for_exit_code(code, tally)
        log.info("%s: done, %s", order.kind, _count(tally))

    def cancel(self) -> None:
        """End the command with its children, now and for every later order. It may be called by a signal."""
        self._stopped = True
        if (process := self._process) is not None:
            _kill(process)

    def _code_of(self, order: TransferArguments, tally: TransferProgress) -> int:
        self.logs.mkdir(0o700, parents=True, exist_ok=True)
        guarded = [sys.executable, "-I", "-S", guard.__file__, str(self.command.library_folder)]
        try:
            process = subprocess.Popen(  # noqa: S603 - a list, no shell
                [*guarded, str(self.command.path), *order.argv()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self.logs,
                env=self.command.environment(self.logs),
                start_new_session=True,
            )
        except OSError as problem:
            raise TransferSetupError(f"{self.command.path} cannot be started: {problem.strerror}") from None
        self._process = process
        try:
            if not self._stopped:
                self._watch(process, tally)
        finally:
            _kill(process)
            self._process = None
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            process.wait()
        return process.returncode

    def _watch(self, process: subprocess.Popen[bytes], tally: TransferProgress) -> None:
        """Take in the command's lines until it ends."""
        logged = moved = self.clock()
        logged_bytes = 0
        heard: set[str] = set()
        for line in _lines(process, min(_LONGEST_WAIT, self.stall_timeout)):
            now = self.clock()
            if line is not None and tally.feed(line):
                moved = now
            elif line is not None and len(heard) < MAX_LOGGED_LINES and not is_file_line(line):
                # Complaints come again and again.
                if line not in heard:
                    log.info("%s", one_line(line.strip()))
                heard.add(line)
            if now - moved >= self.stall_timeout:
                how = f"Nothing has moved for {now - moved:.0f} s, so the transfer command was ended"
                raise TransferStalled(_ended(how, tally))
            if now - logged >= LOG_INTERVAL:
                speed = (tally.bytes - logged_bytes) / (now - logged) / _MEGA
                # Of a large file only the command's own line tells how far it is.
                moving = f"; {one_line(tally.current_line.strip())}" if tally.current_line else ""
                log.info("%s of %s files, %.1f MB/s%s", _count(tally), f"{len(tally.sizes):,}", speed, moving)
                logged, logged_bytes = now, tally.bytes


def _lines(process: subprocess.Popen[bytes], wait: float) -> Iterator[str | None]:
    """Yield the lines of a process until it ends, and None whenever none came for some seconds."""
    if process.stdout is None:
        return
    pipe = process.stdout.fileno()
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    rest = ""
    while True:
        ready, _, _ = select.select([pipe], [], [], wait)
        if not ready:
            yield None
            if _has_ended(process):
                break
            continue
        piece = os.read(pipe, _PIECE)
        *lines, rest = re.split(r"[\r\n]+", rest + decoder.decode(piece, final=not piece))
        if len(rest) > _PIECE:
            lines, rest = [*lines, rest], ""
        yield from filter(str.strip, lines)
        if not piece:
            break
    if rest.strip():
        yield rest


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether a process has ended, and leave it a zombie, so that its number stays its own."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that has not been waited for, and its group."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _raise_for_exit_code(code: int, tally: TransferProgress) -> None:
    if code == EXIT_OK and not tally.failed:
        return
    if code == EXIT_PERMANENT:
        raise PermanentTransferFailure(_ended("Some files can never be transferred", tally))
    if code == EXIT_OK or code in EXIT_RETRYABLE:
        raise TransferIncomplete(_ended(f"Some files are left (exit code {code})", tally))
    if code < 0 or code in _SIGNALS:
        number = -code if code < 0 else code - guard.SIGNAL_BASE
        raise TransferIncomplete(_ended(f"The transfer command was killed by signal {number}", tally))
    raise TransferFailed(_ended(f"The transfer command ended with exit code {code}", tally))


def _ended(how: str, tally: TransferProgress) -> str:
    failed = [f"{path}: {reason}" if reason else path for path, reason in tally.failed.items()]
    named = f"; failed: {join_limited(failed)}" if failed else ""
    return f"{how}, after {_count(tally)}{named}. Its last lines: {_quoted(tally)}"


def _count(tally: TransferProgress) -> str:
    files = len(tally.done)
    return f"{files:,} file{'' if files == 1 else 's'} ({tally.bytes / _MEGA:,.1f} MB)"


def _quoted(tally: TransferProgress) -> str:
    return " / ".join(one_line(line.strip()) for line in tally.last_lines) or "none"
