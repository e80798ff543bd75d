"""The blocking client, for operators, sensors and scripts."""

from __future__ import annotations

import os
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self, TypeVar

import tenacity

from airflow_provider_renderbus.clients import loop_thread
from airflow_provider_renderbus.clients.flows import MAX_CONCURRENCY
from airflow_provider_renderbus.clients.http import HttpTransport
from airflow_provider_renderbus.clients.request_flow import Request, Response, SigningSession
from airflow_provider_renderbus.clients.retry import RequestRetryPolicy

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.api.models.page import Page
    from airflow_provider_renderbus.clients.flows import Flow, PagedFlow
    from airflow_provider_renderbus.clients.lost_time import LostTimeWatch
    from airflow_provider_renderbus.clients.settings import Settings

T = TypeVar("T")


class Client:
    """Sends calls to the farm and returns their results; a context manager over pooled connections.

    Requests are sent on the thread of an event loop, so that both clients send, read and fail alike.
    Proxies and certificate authorities from the environment are used. After a fork, both processes can use
    the client.

    :param settings: settings of the client.
    :param retry_policy: how often and for how long a call is attempted.
    :param clock: returns the seconds since 1970.
    :param sleep: sleeps for a number of seconds.
    :param lost_time: if given, a process that has lost time sends no call that spends.
    :raises ValueError: ``ca_bundle`` or the environment's proxy cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        retry_policy: RequestRetryPolicy | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        lost_time: LostTimeWatch | None = None,
    ) -> None:
        self._settings = settings
        self._retry_policy = retry_policy or RequestRetryPolicy()
        self._sleep = sleep
        self._signing = SigningSession(settings, clock=clock, lost_time=lost_time)
        self._transport = HttpTransport(settings)
        self._loop: asyncio.AbstractEventLoop | None = None
        _sessions.add(self._signing)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections. A later call opens new ones."""
        if self._loop is not None and self._loop is loop_thread.background_loop():
            loop_thread.run(self._transport.close(), self._loop)

    def send(self, call: Call[T]) -> T:
        """Send a call and return its result.

        :raises RenderbusError: see :mod:`airflow_provider_renderbus.api.errors`.
        """
        retrying = tenacity.Retrying(sleep=self._sleep, **self._retry_policy.tenacity_kwargs(call))
        result: T = retrying(self._attempt, call, time.monotonic() + self._retry_policy.max_elapsed)
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

    def _attempt(self, call: Call[T], deadline: float) -> T:
        request_flow = self._signing.request_flow(call)
        request = next(request_flow)
        while True:
            response = self._post(request, deadline, may_reuse_connection=call.replay_safe)
            try:
                request = request_flow.send(response)
            except StopIteration as stop:
                result: T = stop.value
                return result

    def _post(self, request: Request, deadline: float, *, may_reuse_connection: bool) -> Response:
        loop = self._connect()
        post = self._transport.post if may_reuse_connection else self._transport.post_on_new_connection
        return loop_thread.run(post(request, deadline - time.monotonic()), loop)

    def _connect(self) -> asyncio.AbstractEventLoop:
        """Return the loop whose connections the transport holds; after a fork it is another one."""
        loop = loop_thread.background_loop()
        if self._loop is not loop:
            if self._loop is not None:
                self._transport = HttpTransport(self._settings)
            self._loop = loop
            weakref.finalize(self, _close_soon, loop, self._transport).atexit = False
        return loop


_sessions: weakref.WeakSet[SigningSession] = weakref.WeakSet()


def _on_fork() -> None:
    for session in _sessions:
        session.on_fork()


os.register_at_fork(after_in_child=_on_fork)


def _close_soon(loop: asyncio.AbstractEventLoop, transport: HttpTransport) -> None:
    loop.call_soon_threadsafe(lambda: loop.create_task(transport.close()))
