"""One attempt of a call without the network: a generator of signed requests that receives their responses.

Both clients drive it, so paths, signatures, clock and nonces are handled in one place.
"""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_renderbus.api.envelope import read_response
from airflow_provider_renderbus.api.errors import ClockSkew, EndpointNotFound, NonceUsed
from airflow_provider_renderbus.api.signing import signature
from airflow_provider_renderbus.clients.retry import parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.clients.lost_time import LostTimeWatch
    from airflow_provider_renderbus.clients.settings import Settings

T = TypeVar("T")

_API_CHANNEL = "4"
_API_VERSION = "2.0.0"
_NONCE_START, _NONCE_COUNT = 100_000, 900_000


@dataclass(frozen=True, slots=True)
class Request:
    """A signed request, which may be sent once.

    :param check: raises TimeLostError if it must not be sent any more; called when it can be.
    """

    call: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    check: Callable[[], None] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """The response to a request."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str | None = None


class SigningSession:
    """Signs an account's requests and reads the responses.

    It holds the state that the requests of one client share: the offset of the farm's clock, the last nonce,
    and the path at which the farm serves each call.

    :param lost_time: if given, a process that has lost time sends no call that spends.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float],
        first_nonce: int | None = None,
        lost_time: LostTimeWatch | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._lost_time = lost_time
        self._clock_offset = 0.0
        self._nonces = _nonces_from(first_nonce)
        self._working_paths: dict[str, str] = {}

    def on_fork(self) -> None:
        """Continue in a child process, with other nonces than the parent."""
        self._nonces = _nonces_from(None)

    def request_flow(self, call: Call[T]) -> Generator[Request, Response, T]:
        """Yield the requests of one attempt of a call, receive a response for each, and return the result.

        A request is repeated at once if the farm has certainly not executed it: at the call's next path, with
        a corrected clock, or with a new nonce. The clock and the nonce are corrected once each. A call that
        spends is not signed again with a corrected clock if the clock was right before.

        :raises TimeLostError: this process has lost time, and the call spends.
        :raises RenderbusError: the farm refused the call, or the response cannot be read.
        """
        paths = iter(self._paths(call))
        path = next(paths)
        corrected: set[type[Exception]] = set()
        watch = self._lost_time
        while True:
            check = None if watch is None or not call.spends else partial(watch.check, call.name)
            if check is not None:
                check()
            response = yield replace(self._request(call, path), check=check)
            try:
                result = read_response(
                    call,
                    response.status,
                    response.body,
                    self._retry_after(response),
                    None if watch is None else watch.note_server_time,
                )
            except EndpointNotFound:
                next_path = next(paths, None)
                if next_path is None:
                    raise
                path = next_path
            except (ClockSkew, NonceUsed) as error:
                is_skew = isinstance(error, ClockSkew)
                is_late = is_skew and call.spends and self._was_accepted
                if is_late and watch is not None:
                    watch.note_expired_request()
                if is_late or type(error) in corrected:
                    raise
                corrected.add(type(error))
                if is_skew and error.server_time is not None:
                    self._clock_offset = error.server_time - self._clock()
            else:
                self._working_paths[call.name] = path
                return result

    @property
    def _was_accepted(self) -> bool:
        """Whether the farm has accepted a request, and so its time."""
        return bool(self._working_paths)

    def _paths(self, call: Call[T]) -> tuple[str, ...]:
        working = self._working_paths.get(call.name)
        if working is None:
            return call.paths
        return (working, *(path for path in call.paths if path != working))

    def _request(self, call: Call[T], path: str) -> Request:
        settings = self._settings
        headers = {
            "accessId": settings.access_id,
            "channel": _API_CHANNEL,
            "platform": str(settings.platform),
            "UTCTimestamp": str(int(self._clock() + self._clock_offset)),
            "nonce": str(_NONCE_START + next(self._nonces) % _NONCE_COUNT),
            "version": _API_VERSION,
        }
        headers["signature"] = signature(settings.access_key, settings.domain, path, headers, call.body)
        headers["Content-Type"] = "application/json"
        headers["languageFlag"] = "0" if "renderbus" in settings.domain else "1"
        return Request(
            call.name,
            settings.url(path),
            headers,
            json.dumps(call.body, ensure_ascii=False).encode(),
        )

    def _retry_after(self, response: Response) -> float | None:
        return (
            None if response.retry_after is None else parse_retry_after(response.retry_after, self._clock())
        )


def _nonces_from(start: int | None) -> Iterator[int]:
    """Return an endless counter, which starts at a random number if none is given."""
    return itertools.count(random.randrange(_NONCE_COUNT) if start is None else start)  # noqa: S311 - no secret
