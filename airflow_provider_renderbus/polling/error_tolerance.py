"""Decides whether a wait survives the exception of a poll, on a worker and in the triggerer.

A failed poll is not a failed render. Only a refusal that later polls would meet too ends a wait. Anything
else that a poll raises is a failed poll, whatever its type and wherever it comes from: the network, an HTTP
library, a reader, a condition. Arguments are checked before the first poll, so a `ValueError` that a poll
raises is not the author's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.errors import RenderbusError, UnknownTask, is_permanent

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_renderbus.renders.progress_log import Log

# Polls in a row after which a missing task counts as unknown: a page can lack a task for a moment.
MAX_MISSES = 3


def ends_wait(error: Exception) -> bool:
    """Return whether an exception of a poll ends the wait."""
    return isinstance(error, RenderbusError) and is_permanent(error)


def is_unexpected(error: Exception) -> bool:
    """Return whether an exception of a poll is none of this provider's: its traceback is of use."""
    return not isinstance(error, RenderbusError)


class PollErrorHandler:
    """Tolerates failed polls of one wait, and logs when polling begins to fail and when it works again.

    :param log: the logger.
    :param subject: what is polled, for the log, e.g. ``Render 35``.
    :param now: returns the seconds of a clock that is never set back.
    :param max_misses: polls in a row after which a missing task counts as unknown.
    """

    __slots__ = ("_failing_since", "_log", "_max_misses", "_misses", "_now", "_subject")

    def __init__(
        self, log: Log, subject: str, now: Callable[[], float], max_misses: int = MAX_MISSES
    ) -> None:
        self._log = log
        self._subject = subject
        self._now = now
        self._max_misses = max_misses
        self._failing_since: float | None = None
        self._misses = 0

    def on_error(self, error: Exception) -> None:
        """Count a failed poll, and log it if the poll before did not fail.

        :raises RenderbusError: the same error if it ends the wait; a missing task only does so repeatedly.
        """
        self._misses = self._misses + 1 if isinstance(error, UnknownTask) else 0
        if self._misses >= self._max_misses or (ends_wait(error) and not self._misses):
            raise error
        if self._failing_since is None:
            self._failing_since = self._now()
            log_failure(self._log, self._subject, error, exc_info=is_unexpected(error))

    def on_success(self) -> None:
        """Log that polling works again, if it did not."""
        self._misses = 0
        if self._failing_since is not None:
            log_recovery(self._log, self._subject, self._now() - self._failing_since)
            self._failing_since = None


def log_failure(log: Log, subject: str, error: Exception, *, exc_info: bool = False) -> None:
    """Log that polling begins to fail, in the log of the task that waits."""
    reason = f"unexpected {error!r}" if is_unexpected(error) else str(error)
    log.warning(
        "%s: poll failed, polling continues: %s", subject, reason, exc_info=error if exc_info else None
    )


def log_recovery(log: Log, subject: str, seconds: float) -> None:
    """Log that polling works again, in the log of the task that waits."""
    log.info("%s: polling works again after %s", subject, timedelta(seconds=round(seconds)))
