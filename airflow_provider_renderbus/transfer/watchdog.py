"""Runs a command, and kills it with all its child processes when the process that started this one is gone.

``watchdog.py LIBRARIES COMMAND ARGUMENT…`` is started as the leader of a session of its own. Its standard
input is a pipe whose other end the worker holds. When the worker ends, even by SIGKILL, the pipe is closed,
and this process kills its process group. The question that the command asks is answered with ``y``. The
folder LIBRARIES is for the command only, because this Python has its own libraries.

Only the standard library is imported, so that it starts quickly.
"""

import os
import signal
import subprocess
import sys
import threading

CANNOT_START = 126
SIGNAL_BASE = 128
"""Plus the number of a signal: exit code of a command that was killed by the signal, as in a shell."""
_ANSWER = b"y\n"


def main() -> None:
    """Run the command, and exit with its exit code."""
    _, libraries, *command = sys.argv
    try:
        child = subprocess.Popen(  # noqa: S603 - a list, no shell
            command, stdin=subprocess.PIPE, env=os.environ | {"LD_LIBRARY_PATH": libraries}
        )
    except OSError as error:
        os.write(1, f"{command[0]} cannot be started: {error.strerror}\n".encode(errors="replace"))
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
