"""Whether what was started has ended."""

from __future__ import annotations

import psutil

SECONDS = 10


def gone(pid):
    """Wait until a process has ended, and tell whether it has; nobody need have waited for it."""
    try:
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            process.wait(SECONDS)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return process.status() == psutil.STATUS_ZOMBIE
    return True
