"""One try of a call, without the network: requests to send out, answers to take in.

Both clients drive the same generator, so paths, signatures, clock and nonces are thought of once.
"""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_renderbus.api.envelope import read_response
from airflow_provider_renderbus.api.errors import ClockSkew, EndpointNotFound, NonceUsed
from airflow_provider_renderbus.api.signing import signature
from airflow_provider_renderbus.clients.retry import parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.clients.settings import Settings

T = TypeVar("T")

_API_CHANNEL = "4"
_API_VERSION = "2.0.0"
_FIRST_NONCE, _NONCES = 100_000, 900_000


@dataclass(frozen=True, slots=True)
class Request:
    """A signed request, ready to be posted once."""

    call: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """What came back for a request."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str | None = None


class SigningSession:
    """Signs an account's requests and reads the answers.

    It keeps what the requests of one client share: how wrong this machine's clock is, the last nonce, and
    the path at which the farm serves each call.

    :param settings: the farm and the account.
    :param clock: tells the seconds since 1970.
    :param first_nonce: a number from which the nonces walk on; random where it is left out.
    """

    def __init__(
        self, settings: Settings, *, clock: Callable[[], float], first_nonce: int | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._clock_offset = 0.0
        start = random.randrange(_NONCES) if first_nonce is None else first_nonce  # noqa: S311 - no secret
        self._nonces = itertools.count(start)
        self._served: dict[str, str] = {}

    def request_flow(self, call: Call[T]) -> Generator[Request, Response, T]:
        """Yield the requests of one try of a call, take an answer for each, and return the result.

        A request is repeated at once where the farm has surely not carried it out: at the call's next path,
        with a corrected clock, or with a new nonce, the latter two once each.

        :raises RenderbusError: the farm refused, or the answer cannot be read.
        """
        paths = iter(self._paths(call))
        path = next(paths)
        mended: set[type[Exception]] = set()
        while True:
            response = yield self._request(call, path)
            try:
                result = read_response(call, response.status, response.body, self._wait_wanted(response))
            except EndpointNotFound:
                following = next(paths, None)
                if following is None:
                    raise
                path = following
            except (ClockSkew, NonceUsed) as error:
                if type(error) in mended:
                    raise
                mended.add(type(error))
                if isinstance(error, ClockSkew) and error.server_time is not None:
                    self._clock_offset = error.server_time - self._clock()
            else:
                self._served[call.name] = path
                return result

    def _paths(self, call: Call[T]) -> tuple[str, ...]:
        served = self._served.get(call.name)
        if served is None:
            return call.paths
        return (served, *(path for path in call.paths if path != served))

    def _request(self, call: Call[T], path: str) -> Request:
        settings = self._settings
        headers = {
            "accessId": settings.access_id,
            "channel": _API_CHANNEL,
            "platform": str(settings.platform),
            "UTCTimestamp": str(int(self._clock() + self._clock_offset)),
            "nonce": str(_FIRST_NONCE + next(self._nonces) % _NONCES),
            "version": _API_VERSION,
        }
        headers["signature"] = signature(settings.access_key, settings.domain, path, headers, call.body)
        headers["Content-Type"] = "application/json"
        headers["languageFlag"] = "0" if "renderbus" in settings.domain else "1"
        return Request(
            call.name,
            f"{settings.protocol}://{settings.domain}{path}",
            headers,
            json.dumps(call.body, ensure_ascii=False).encode(),
        )

    def _wait_wanted(self, response: Response) -> float | None:
        return (
            None if response.retry_after is None else parse_retry_after(response.retry_after, self._clock())
        )
