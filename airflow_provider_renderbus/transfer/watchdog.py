"""Runs a command, and kills it with all its child processes when the process that started this one is gone.

``watchdog.py LIBRARIES SCRATCH COMMAND ARGUMENT…`` is started as the leader of a session of its own. Its
standard input is a pipe whose other end the worker holds. When the worker ends, even by SIGKILL, the pipe is
closed, and this process kills its process group and removes the folder SCRATCH, unless that is "". The
question that the command asks is answered with ``y``. The folder LIBRARIES is for the command only, because
this Python has its own libraries.

Only the standard library is imported, so that it starts quickly.
"""

import os
import signal
import subprocess
import sys
import threading
import time

CANNOT_START = 126
SIGNAL_BASE = 128
"""Plus the number of a signal: exit code of a command that was killed by the signal, as in a shell."""
_ANSWER = b"y\n"
_KILL_SECONDS, _KILL_POLL = 10.0, 0.02


def main() -> None:
    """Run the command, and exit with its exit code."""
    _, libraries, scratch, *command = sys.argv
    try:
        child = subprocess.Popen(  # noqa: S603 - a list, no shell
            command, stdin=subprocess.PIPE, env=os.environ | {"LD_LIBRARY_PATH": libraries}
        )
    except OSError as error:
        os.write(1, f"{command[0]} cannot be started: {error.strerror}\n".encode(errors="replace"))
        os._exit(CANNOT_START)
    threading.Thread(target=_kill_group_on_eof, args=(scratch,), daemon=True).start()
    child.communicate(_ANSWER)
    os._exit(child.returncode if child.returncode >= 0 else SIGNAL_BASE - child.returncode)


def _kill_group_on_eof(scratch: str) -> None:
    while os.read(0, 1024):
        pass
    if scratch:
        _fork_remover(scratch)
    os.killpg(0, signal.SIGKILL)


def _fork_remover(scratch: str) -> None:
    """Start a process that removes a folder when this process group, which writes to it, is killed."""
    is_apart, end = os.pipe()
    group = os.getpgrp()
    if os.fork():
        os.close(end)
        os.read(is_apart, 1)
        return
    os.setsid()
    os.close(end)
    import shutil  # noqa: PLC0415 - needed only here

    deadline = time.monotonic() + _KILL_SECONDS
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            break
        time.sleep(_KILL_POLL)
    shutil.rmtree(scratch, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
