"""The retry policy of both clients: whether and when a call is attempted again."""

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
    """How often a call is attempted, and the waits between attempts.

    :param max_attempts: maximum number of attempts.
    :param initial_wait: seconds; upper bound of the first wait, which doubles with each attempt. The wait
        itself is random below the bound, so that many clients do not retry at the same time.
    :param max_wait: seconds; maximum upper bound of a wait.
    :param max_elapsed: seconds for the whole call. No attempt begins later, and an attempt that is then in
        progress ends without a response, however slowly its bytes arrive.
    """

    max_attempts: int = 5
    initial_wait: float = 1.0
    max_wait: float = 30.0
    max_elapsed: float = 300.0

    def tenacity_kwargs(self, call: Call[Any]) -> dict[str, Any]:
        """Return the arguments of `tenacity.Retrying` and `tenacity.AsyncRetrying` for a call."""
        return {
            "stop": tenacity.stop_after_attempt(self.max_attempts)
            | tenacity.stop_before_delay(self.max_elapsed),
            "wait": _wait(tenacity.wait_random_exponential(self.initial_wait, self.max_wait)),
            "retry": tenacity.retry_if_exception(_should_retry(call)),
            "reraise": True,
        }


def _should_retry(call: Call[Any]) -> Callable[[BaseException], bool]:
    """Return a predicate of errors. A call that costs money is attempted again only if nothing was sent."""

    def should_retry(error: BaseException) -> bool:
        if isinstance(error, NotSent):
            return True
        return call.replay_safe and isinstance(error, RenderbusError) and error.retryable

    return should_retry


def _wait(backoff: Callable[[tenacity.RetryCallState], float]) -> Callable[[tenacity.RetryCallState], float]:
    """Return the wait before the next attempt: as the other side requested, else the back-off."""

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        requested = error.retry_after if isinstance(error, TransportError) else None
        return backoff(state) if requested is None else requested

    return wait


def parse_retry_after(header: str, now: float) -> float | None:
    """Return the seconds to wait according to a ``Retry-After`` header (RFC 9110), or None if invalid."""
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now)
    except (ValueError, OverflowError):
        return None
