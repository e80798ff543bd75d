"""The protocol of what the blocking steps of a render need: the farm and the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.api.models.page import Page
    from airflow_provider_renderbus.clients.client import Client
    from airflow_provider_renderbus.clients.clock import Clock
    from airflow_provider_renderbus.clients.flows import Flow, PagedFlow

T = TypeVar("T")


class RenderClient(Protocol):
    """Sends calls to the farm for the steps of a render; `RenderbusHook` is one."""

    @property
    def clock(self) -> Clock:
        """The time, and how to wait."""

    def send(self, call: Call[T], /) -> T:
        """Send a call and return its result."""

    def run(self, flow: Flow[T], /) -> T:
        """Run a flow of calls and return its result."""

    def iter_pages(self, flow: PagedFlow[T], /) -> Iterator[Page[T]]:
        """Yield the pages of a paged flow."""

    def console_url(self, task_id: int, /) -> str:
        """Return the URL of a task in the web console."""

    def no_retry_client(self) -> Client:
        """Return another client that tries each call once, for a process that is being killed."""
