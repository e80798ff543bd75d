"""Which errors a wait bears: not to know is not to have failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from airflow_provider_renderbus.api.errors import RenderbusError, UnknownTask, is_refusal

if TYPE_CHECKING:
    from typing import Any

# A page can be short of a task for a moment; one that is missing this often in a row is not there.
MAX_MISSES = 3


class WarningLogger(Protocol):
    """Where warnings go."""

    def warning(self, message: str, *arguments: Any) -> None:
        """Write a warning."""


class WarnOnce:
    """Writes one warning for many who are troubled by the same, until one of them has an answer.

    :param log: where it is written.
    """

    def __init__(self, log: WarningLogger) -> None:
        self._log = log
        self._told = False

    def warning(self, message: str, *arguments: Any) -> None:
        """Write a warning, unless one was written already."""
        if not self._told:
            self._log.warning(message, *arguments)
        self._told = True

    def reset(self) -> None:
        """Take note of an answer."""
        self._told = False


class PollErrorHandler:
    """Bears what is no answer, says so once, and gives up where the farm refuses for good.

    :param log: where it says so.
    """

    def __init__(self, log: WarningLogger) -> None:
        self._voice = WarnOnce(log)
        self._missing = 0

    def on_error(self, error: RenderbusError) -> None:
        """Take an error in place of an answer.

        :raises RenderbusError: the same error, where asking again will not help.
        """
        self._missing = self._missing + 1 if isinstance(error, UnknownTask) else 0
        gone = self._missing >= MAX_MISSES
        if gone or (is_refusal(error) and not self._missing):
            raise error
        self._voice.warning("There is no answer; the farm will be asked again until there is: %s", error)

    def on_success(self) -> None:
        """Take note of an answer."""
        self._voice.reset()
        self._missing = 0
