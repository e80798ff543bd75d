"""Runs a command, and ends it with all its children when whoever started this is gone.

``guard.py LIBRARIES COMMAND ARGUMENT…`` is started as the leader of a session of its own. Its standard input
is a pipe whose other end the worker holds: however the worker ends, be it by SIGKILL, the pipe is closed
then, and everything in the session's process group is killed. The command's own question is answered with
``y``. The folder of libraries is for the command alone: this Python has its own.

Nothing but the standard library is imported, so that it starts in an instant.
"""

import os
import signal
import subprocess
import sys
import threading

CANNOT_START = 126
SIGNAL_BASE = 128
"""Added to a signal's number it is the exit code of a command that the signal has ended, as in a shell."""
_ANSWER = b"y\n"


def main() -> None:
    """Run the command, and end with its exit code."""
    _, libraries, *command = sys.argv
    try:
        child = subprocess.Popen(  # noqa: S603 - a list, no shell
            command, stdin=subprocess.PIPE, env=os.environ | {"LD_LIBRARY_PATH": libraries}
        )
    except OSError as problem:
        os.write(1, f"{command[0]} cannot be started: {problem.strerror}\n".encode(errors="replace"))
        os._exit(CANNOT_START)
    threading.Thread(target=_kill_group_on_eof, daemon=True).start()
    child.communicate(_ANSWER)
    os._exit(child.returncode if child.returncode >= 0 else SIGNAL_BASE - child.returncode)


def _kill_group_on_eof() -> None:
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
