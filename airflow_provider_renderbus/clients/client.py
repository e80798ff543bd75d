"""The client for code that may block: operators, sensors, tasks, scripts."""

from __future__ import annotations

import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self, TypeVar

import requests
import tenacity
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NameResolutionError, NewConnectionError
from urllib3.exceptions import ProxyError as ProxyUnreachable
from urllib3.exceptions import SSLError as TlsError

from airflow_provider_renderbus.api.errors import NoResponse, NotSent, TransportError
from airflow_provider_renderbus.clients.flows import MAX_CONCURRENCY
from airflow_provider_renderbus.clients.request_flow import Request, Response, SigningSession
from airflow_provider_renderbus.clients.retry import RequestRetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.api.models.page import Page
    from airflow_provider_renderbus.clients.flows import Flow, PagedFlow
    from airflow_provider_renderbus.clients.settings import Settings

T = TypeVar("T")

# The connection never stood, so nothing of the request can have reached the farm.
_NEVER_CONNECTED = (
    ssl.SSLCertVerificationError,
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProxyUnreachable,
)


class Client:
    """Sends calls to the farm and returns their results; a context manager over pooled connections.

    Proxies and authorities from the environment count as users of requests expect.

    :param settings: the farm and the account.
    :param retry_policy: how often a call is tried.
    :param clock: tells the seconds since 1970.
    :param sleep: waits a number of seconds.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        retry_policy: RequestRetryPolicy | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._policy = retry_policy or RequestRetryPolicy()
        self._sleep = sleep
        self._exchange = SigningSession(settings, clock=clock)
        self._session = requests.Session()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def send(self, call: Call[T]) -> T:
        """Send a call and return its result.

        :raises RenderbusError: what went wrong; see :mod:`airflow_provider_renderbus.api.errors`.
        """
        retrying = tenacity.Retrying(sleep=self._sleep, **self._policy.tenacity_kwargs(call))
        result: T = retrying(self._try, call)
        return result

    def send_all(self, batch: Sequence[Call[Any]]) -> list[Any]:
        """Send calls that do not depend on each other, several at once, and return their results in order.

        :raises RenderbusError: the first error in the order of the calls.
        """
        if len(batch) == 1:
            return [self.send(batch[0])]
        with ThreadPoolExecutor(min(len(batch), MAX_CONCURRENCY)) as pool:
            return list(pool.map(self.send, batch))

    def run(self, flow: Flow[T]) -> T:
        """Carry a sequence of calls out, which may be none, and return its result.

        :param flow: one of :mod:`airflow_provider_renderbus.clients.flows`.
        """
        answered: Any = None
        while True:
            try:
                batch = flow.send(answered)
            except StopIteration as end:
                result: T = end.value
                return result
            answered = self.send_all(batch)

    def iter_pages(self, pages: PagedFlow[T]) -> Iterator[Page[T]]:
        """Yield the pages of a sequence as they come; no more are asked for than are taken, but a batch.

        :param pages: one of :mod:`airflow_provider_renderbus.clients.flows`.
        """
        batch = next(pages)
        while True:
            answered = self.send_all(batch)
            yield from answered
            try:
                batch = pages.send(answered)
            except StopIteration:
                return

    def _try(self, call: Call[T]) -> T:
        if call.replay_safe:
            return self._attempt(call, self._session)
        # A pooled connection may have gone stale, which would leave open whether the call arrived.
        with requests.Session() as fresh:
            return self._attempt(call, fresh)

    def _attempt(self, call: Call[T], session: requests.Session) -> T:
        attempt = self._exchange.request_flow(call)
        request = next(attempt)
        while True:
            response = self._post(request, session)
            try:
                request = attempt.send(response)
            except StopIteration as end:
                result: T = end.value
                return result

    def _post(self, request: Request, session: requests.Session) -> Response:
        settings = self._settings
        verify = settings.verify if settings.ca_bundle is None else settings.verify and settings.ca_bundle
        try:
            response = session.post(
                request.url,
                data=request.body,
                headers=request.headers,
                timeout=(settings.connect_timeout, settings.read_timeout),
                verify=verify,
                allow_redirects=False,
            )
        except (requests.RequestException, OSError) as error:
            failure = _transport_error(request.call, settings.domain, error)
        else:
            return Response(response.status_code, response.content, response.headers.get("Retry-After"))
        # Outside of the handler, so that the error does not carry the request with its signature along.
        raise failure


def _transport_error(call: str, domain: str, error: OSError) -> TransportError:
    cause = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    if isinstance(cause, TlsError) and cause.args:
        # TLS can also break while the answer is read; only a refused certificate comes before it.
        cause = cause.args[0]
    if isinstance(cause, _NEVER_CONNECTED):
        return NotSent(call, f"no connection to {domain} ({type(cause).__name__})")
    return NoResponse(call, f"no answer from {domain} ({type(error).__name__})")
