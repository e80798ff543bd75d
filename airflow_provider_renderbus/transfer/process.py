"""Runs the transfer command, logs its progress, and kills it with all its child processes."""

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

from airflow_provider_renderbus.api.text import join_limited, printable
from airflow_provider_renderbus.transfer import watchdog
from airflow_provider_renderbus.transfer.errors import (
    PermanentTransferFailure,
    TransferCancelled,
    TransferFailed,
    TransferIncomplete,
    TransferSetupError,
    TransferStalled,
)
from airflow_provider_renderbus.transfer.progress import is_file_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_renderbus.transfer.command import Command, TransferArguments
    from airflow_provider_renderbus.transfer.progress import TransferProgress

log = logging.getLogger(__name__)

# Sources: the vendor's Python client (10 and 11) and the help of the command (1 and 255).
EXIT_OK, EXIT_RETRYABLE, EXIT_PERMANENT = 0, {1, 10}, 11
LOG_INTERVAL = 30.0
"""Seconds between two log lines about progress."""
MAX_LOGGED_LINES = 50
"""Different lines of the command, apart from those about files, that are logged per run."""
_EXIT_SIGNALS = range(watchdog.SIGNAL_BASE + 1, watchdog.SIGNAL_BASE + signal.NSIG)
_READ_SIZE = 1 << 16
_MAX_SELECT_TIMEOUT = 1.0
_MEGA = 1e6
_ERROR_LINE = re.compile(
    r"error|fail|fatal|denied|refused|cannot|can't|invalid|unable|unreachable|no such|time ?out|timed out|"
    r"no space|no connection|wrong|killed|retry",
    re.IGNORECASE,
)


@dataclass
class TransferRunner:
    """Runs the transfer command, one transfer after another.

    :param logs: folder for the log files of the vendor's command.
    :param stall_timeout: seconds without progress after which the command is killed: it has no
        timeout for a host that does not respond.
    :param wait_to_be_killed: called before a line of the output counts, so before a file moves to its place.
        If a newer try may transfer the same files, it waits and returns True.
    """

    command: Command
    logs: Path
    stall_timeout: float
    wait_to_be_killed: Callable[[], bool] = bool
    clock: Callable[[], float] = time.monotonic
    popen: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _cancelled: bool = field(default=False, init=False)

    def run(self, arguments: TransferArguments, progress: TransferProgress) -> None:
        """Run one transfer. The command's output updates `progress`, also if an error is raised.

        :raises TransferCancelled: :meth:`cancel` was called.
        :raises TransferStalled: there was no progress for `stall_timeout`.
        :raises TransferIncomplete: some files were not transferred, or the command was killed.
        :raises PermanentTransferFailure: some files can never be transferred.
        :raises TransferFailed: the command rejected its arguments or failed for another reason.
        :raises TransferSetupError: no process can be started.
        """
        exit_code = self._run(arguments, progress)
        if self._cancelled:
            raise TransferCancelled(f"Transfer cancelled after {_summary(progress)}")
        _raise_for_exit_code(exit_code, progress)

    def cancel(self) -> None:
        """Kill the command with its child processes, and start no more. A signal handler may call it."""
        self._cancelled = True
        if (process := self._process) is not None:
            _kill(process)

    def _run(self, arguments: TransferArguments, progress: TransferProgress) -> int:
        """Run the command under the watchdog, and return its exit code."""
        self.logs.mkdir(0o700, parents=True, exist_ok=True)
        folders = str(self.command.library_folder), str(arguments.scratch or "")
        argv_prefix = [sys.executable, "-I", "-S", watchdog.__file__, *folders]
        try:
            process = self.popen(
                [*argv_prefix, str(self.command.path), *arguments.argv()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self.logs,
                env=self.command.environment(self.logs),
                start_new_session=True,
            )
        except OSError as error:
            raise TransferSetupError(f"{self.command.path} cannot be started: {error.strerror}") from None
        self._process = process
        try:
            if not self._cancelled:
                self._watch(process, progress)
        finally:
            _kill(process)
            self._process = None
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            process.wait()
        return process.returncode

    def _watch(self, process: subprocess.Popen[bytes], progress: TransferProgress) -> None:
        """Process the command's output until it ends."""
        last_log = last_progress = self.clock()
        bytes_at_last_log = 0
        logged_lines: set[str] = set()
        for line in _read_lines(process, min(_MAX_SELECT_TIMEOUT, self.stall_timeout)):
            if self.wait_to_be_killed():
                last_progress = self.clock()
            now = self.clock()
            if line is not None and progress.feed(line):
                last_progress = now
            elif line is not None and len(logged_lines) < MAX_LOGGED_LINES and not is_file_line(line):
                # The command repeats its errors. Its other words, such as its question, look like a prompt.
                if line not in logged_lines:
                    level = logging.WARNING if _ERROR_LINE.search(line) else logging.DEBUG
                    log.log(level, "transfer command: %s", printable(line.strip()))
                logged_lines.add(line)
            if now - last_progress >= self.stall_timeout:
                reason = f"no progress for {now - last_progress:.0f} s, transfer command killed"
                raise TransferStalled(_failure_message(reason, progress))
            if now - last_log >= LOG_INTERVAL:
                speed = (progress.bytes - bytes_at_last_log) / (now - last_log)
                _log_progress(progress, speed)
                last_log, bytes_at_last_log = now, progress.bytes
        self.wait_to_be_killed()


def _log_progress(progress: TransferProgress, speed: float) -> None:
    """Log a line about a transfer, with its speed in bytes per second."""
    size = sum(progress.sizes.values())
    rest = f", about {(size - progress.bytes) / speed:,.0f} s left" if speed > 0 else ""
    # Only the command's own line says how far a large file is.
    current = f"; {printable(progress.current_line.strip())}" if progress.current_line else ""
    total = describe_size(len(progress.sizes), size)
    log.info("Transferred %s of %s, %.1f MB/s%s%s", _summary(progress), total, speed / _MEGA, rest, current)


def _read_lines(process: subprocess.Popen[bytes], timeout: float) -> Iterator[str | None]:
    """Yield the output lines of a process until it ends, and None if there is none within the timeout."""
    if process.stdout is None:
        return
    pipe = process.stdout.fileno()
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    rest = ""
    while True:
        ready, _, _ = select.select([pipe], [], [], timeout)
        if not ready:
            yield None
            if _has_ended(process):
                break
            continue
        chunk = os.read(pipe, _READ_SIZE)
        *lines, rest = re.split(r"[\r\n]+", rest + decoder.decode(chunk, final=not chunk))
        if len(rest) > _READ_SIZE:
            lines, rest = [*lines, rest], ""
        yield from filter(str.strip, lines)
        if not chunk:
            break
    if rest.strip():
        yield rest


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a process has ended, leaving it a zombie so that its id is not reused."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the process group of a process that has not been waited for."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _raise_for_exit_code(code: int, progress: TransferProgress) -> None:
    if code == EXIT_OK and not progress.failed:
        return
    if code == EXIT_PERMANENT:
        reason = f"some files can never be transferred (exit code {code})"
        raise PermanentTransferFailure(_failure_message(reason, progress))
    if code == EXIT_OK or code in EXIT_RETRYABLE:
        reason = f"some files were not transferred (exit code {code})"
        raise TransferIncomplete(_failure_message(reason, progress))
    if code < 0 or code in _EXIT_SIGNALS:
        signal_number = -code if code < 0 else code - watchdog.SIGNAL_BASE
        reason = f"transfer command killed by signal {signal_number}"
        raise TransferIncomplete(_failure_message(reason, progress))
    raise TransferFailed(_failure_message(f"transfer command failed with exit code {code}", progress))


def _failure_message(reason: str, progress: TransferProgress) -> str:
    files = [f"{path}: {reason}" if reason else path for path, reason in progress.failed.items()]
    failed = f"; failed: {join_limited(files)}" if files else ""
    output = " / ".join(printable(line.strip()) for line in progress.last_lines) or "none"
    return f"Transfer failed after {_summary(progress)}: {reason}{failed}. Last output: {output}"


def _summary(progress: TransferProgress) -> str:
    return describe_size(len(progress.done), progress.bytes)


def describe_size(files: int, size: int) -> str:
    """Return a number of files and their bytes, for messages."""
    return f"{files:,} file{'' if files == 1 else 's'} ({size / _MEGA:,.1f} MB)"
