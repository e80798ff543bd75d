"""The blocking client, for operators, sensors and scripts."""

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

# No connection was established, so nothing of the request can have reached the farm.
_CONNECT_ERRORS = (
    ssl.SSLCertVerificationError,
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProxyUnreachable,
)


class Client:
    """Sends calls to the farm and returns their results; a context manager over pooled connections.

    Proxies and certificate authorities from the environment are used as users of requests expect.

    :param settings: settings of the client.
    :param retry_policy: how often and for how long a call is attempted.
    :param clock: returns the seconds since 1970.
    :param sleep: sleeps for a number of seconds.
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
        self._retry_policy = retry_policy or RequestRetryPolicy()
        self._sleep = sleep
        self._signing = SigningSession(settings, clock=clock)
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

        :raises RenderbusError: see :mod:`airflow_provider_renderbus.api.errors`.
        """
        retrying = tenacity.Retrying(sleep=self._sleep, **self._retry_policy.tenacity_kwargs(call))
        result: T = retrying(self._attempt, call)
        return result

    def send_all(self, batch: Sequence[Call[Any]]) -> list[Any]:
        """Send independent calls concurrently and return their results in order.

        :raises RenderbusError: the first error in the order of the calls.
        """
        if len(batch) == 1:
            return [self.send(batch[0])]
        with ThreadPoolExecutor(min(len(batch), MAX_CONCURRENCY)) as pool:
            return list(pool.map(self.send, batch))

    def run(self, flow: Flow[T]) -> T:
        """Run a flow of calls, which may be none, and return its result.

        :param flow: one of :mod:`airflow_provider_renderbus.clients.flows`.
        """
        results: Any = None
        while True:
            try:
                batch = flow.send(results)
            except StopIteration as stop:
                result: T = stop.value
                return result
            results = self.send_all(batch)

    def iter_pages(self, flow: PagedFlow[T]) -> Iterator[Page[T]]:
        """Yield the pages of a flow; at most one batch is requested in advance.

        :param flow: one of :mod:`airflow_provider_renderbus.clients.flows`.
        """
        batch = next(flow)
        while True:
            results = self.send_all(batch)
            yield from results
            try:
                batch = flow.send(results)
            except StopIteration:
                return

    def _attempt(self, call: Call[T]) -> T:
        if call.replay_safe:
            return self._drive(call, self._session)
        # A pooled connection may be stale, and then it would be unknown whether the call arrived.
        with requests.Session() as session:
            return self._drive(call, session)

    def _drive(self, call: Call[T], session: requests.Session) -> T:
        request_flow = self._signing.request_flow(call)
        request = next(request_flow)
        while True:
            response = self._post(request, session)
            try:
                request = request_flow.send(response)
            except StopIteration as stop:
                result: T = stop.value
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
            transport_error = _transport_error(request.call, settings.domain, error)
        else:
            return Response(response.status_code, response.content, response.headers.get("Retry-After"))
        # Outside of the handler, so that the error does not hold the request with its signature.
        raise transport_error


def _transport_error(call: str, domain: str, error: OSError) -> TransportError:
    cause = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    if isinstance(cause, TlsError) and cause.args:
        # TLS can also break while the response is read; only a certificate error comes before the request.
        cause = cause.args[0]
    if isinstance(cause, _CONNECT_ERRORS):
        return NotSent(call, f"no connection to {domain} ({type(cause).__name__})")
    return NoResponse(call, f"no response from {domain} ({type(error).__name__})")
