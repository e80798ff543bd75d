"""Errors that a wait tolerates: a failed poll is not a failed render."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from airflow_provider_renderbus.api.errors import RenderbusError, UnknownTask, is_permanent

if TYPE_CHECKING:
    from typing import Any

# Polls in a row after which a missing task counts as unknown: a page can lack a task for a moment.
MAX_MISSES = 3


class WarningLogger(Protocol):
    """The part of a logger that a wait uses."""

    def warning(self, message: str, *arguments: Any) -> None:
        """Log a warning."""


class WarnOnce:
    """Logs the first warning only, until a success resets it: thousands of waits fail for the same reason."""

    def __init__(self, log: WarningLogger) -> None:
        self._log = log
        self._warned = False

    def warning(self, message: str, *arguments: Any) -> None:
        """Log a warning unless one was logged since the last reset."""
        if not self._warned:
            self._log.warning(message, *arguments)
        self._warned = True

    def reset(self) -> None:
        """Log the next warning again."""
        self._warned = False


class PollErrorHandler:
    """Tolerates errors that a later poll may not meet, and logs the first of them.

    `subject` is what is polled, for the log, e.g. ``Render 35``.
    """

    def __init__(self, log: WarningLogger, subject: str) -> None:
        self._warn_once = WarnOnce(log)
        self._subject = subject
        self._misses = 0

    def on_error(self, error: RenderbusError) -> None:
        """Log a failed poll, or raise its error if the next polls would meet it too."""
        self._misses = self._misses + 1 if isinstance(error, UnknownTask) else 0
        if self._misses >= MAX_MISSES or (is_permanent(error) and not self._misses):
            raise error
        self._warn_once.warning("%s: poll failed, polling continues: %s", self._subject, error)

    def on_success(self) -> None:
        """Reset the warning and the count of misses."""
        self._warn_once.reset()
        self._misses = 0
