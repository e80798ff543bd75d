"""Checks that processes have ended."""

from __future__ import annotations

import psutil

TIMEOUT = 10  # seconds


def has_ended(pid):
    """Wait for the end of a process and return whether it has ended. A zombie counts as ended."""
    try:
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            process.wait(TIMEOUT)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return process.status() == psutil.STATUS_ZOMBIE
    return True
