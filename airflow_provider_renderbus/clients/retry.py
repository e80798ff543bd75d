"""When a call is tried again, and after how long: one policy for both clients."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import tenacity

from airflow_provider_renderbus.api.errors import NotSent, RenderbusError, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_renderbus.api.call import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRetryPolicy:
    """How often a call is tried, and how long to wait in between.

    :param tries: how often a call is tried in all.
    :param first_wait: seconds; the upper bound of the first wait, which doubles at each further one. The
        wait itself is drawn at random below it, so that many clients do not come back together.
    :param longest_wait: seconds; no wait is drawn above it.
    :param total: seconds after which no further try begins, and that the asynchronous client waits for the
        end of one answer however it trickles in.
    """

    max_attempts: int = 5
    initial_wait: float = 1.0
    max_wait: float = 30.0
    max_elapsed: float = 300.0

    def tenacity_kwargs(self, call: Call[Any]) -> dict[str, Any]:
        """Return the arguments of a tenacity retrying, blocking or asynchronous, for a call."""
        return {
            "stop": tenacity.stop_after_attempt(self.max_attempts)
            | tenacity.stop_before_delay(self.max_elapsed),
            "wait": _wait(tenacity.wait_random_exponential(self.initial_wait, self.max_wait)),
            "retry": tenacity.retry_if_exception(_may_repeat(call)),
            "reraise": True,
        }


def _may_repeat(call: Call[Any]) -> Callable[[BaseException], bool]:
    """Return whether an error allows another try: a call that costs money, only if nothing was sent."""

    def may_repeat(error: BaseException) -> bool:
        if isinstance(error, NotSent):
            return True
        return call.replay_safe and isinstance(error, RenderbusError) and error.retryable

    return may_repeat


def _wait(drawn: Callable[[tenacity.RetryCallState], float]) -> Callable[[tenacity.RetryCallState], float]:
    """Return the wait before the next try: what the other side asked for, else what was drawn."""

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, TransportError) else None
        return drawn(state) if asked is None else asked

    return wait


def parse_retry_after(header: str, now: float) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks to wait, or None where it makes no sense.

    :param header: the header's value, seconds or a date (RFC 9110).
    :param now: seconds since 1970.
    """
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now)
    except (ValueError, OverflowError):
        return None
