"""One run of the checks: the client, what earlier checks found, and the numbers that were created."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import NotFound, RenderbusError
from airflow_provider_renderbus.api.parsing import raw_json
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.clock import Clock
from airflow_provider_renderbus.clients.retry import RequestRetryPolicy
from airflow_provider_renderbus.live_check.assumption import NotCheckable
from airflow_provider_renderbus.live_check.report import is_live_host

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.api.models.account import UserProfile
    from airflow_provider_renderbus.api.models.tasks import CreatedTasks, TaskInfo
    from airflow_provider_renderbus.clients.request_flow import Request, Response
    from airflow_provider_renderbus.clients.settings import Settings
    from airflow_provider_renderbus.live_check.sample_render import SampleRender

T = TypeVar("T")

# A check takes minutes, not hours, also of a farm that is out of order.
_RETRY_POLICY = RequestRetryPolicy(max_attempts=2, max_elapsed=30.0)
_DELETE_ATTEMPTS, _DELETE_INTERVAL = 5, 3.0
_MIN_PRIVATE_NUMBER = 10_000


class Exchange(NamedTuple):
    """A request's path, and the response to it: HTTP status, and the JSON object if it is one."""

    path: str
    status: int
    envelope: dict[str, Any] | None


class RecordingClient(Client):
    """A client that keeps the exchanges of its last call."""

    exchanges: tuple[Exchange, ...] = ()

    def send(self, call: Call[T]) -> T:
        """Send a call and return its result.

        :raises RenderbusError: see :mod:`airflow_provider_renderbus.api.errors`.
        """
        self.exchanges = ()
        return super().send(call)

    def _post(self, request: Request, deadline: float, *, may_reuse_connection: bool) -> Response:
        response = super()._post(request, deadline, may_reuse_connection=may_reuse_connection)
        envelope: Any = None
        with suppress(ValueError, RecursionError):
            envelope = json.loads(response.body)
        exchange = Exchange(
            urlsplit(request.url).path, response.status, envelope if isinstance(envelope, dict) else None
        )
        self.exchanges = (*self.exchanges, exchange)
        return response


@dataclass
class Session:
    """What the checks share.

    :param settings: of the farm and the account.
    :param transfer_command: path of the vendor's transfer command, if any.
    :param sample: the scene to render, if any.
    :param main_account_storage: whether scenes go to the main account's storage; as the profile says if None.
    :param clock: gives the time, and waits.
    :param software: the farm's list of software, from the check of it.
    :param created: the numbers that were created and not deleted yet.
    :param submitted: whether one of them was submitted, or may have been.
    :param rendered: the render when it had ended.
    :param funds_before: the funds before the submit.
    :param label: the label of the numbers.
    """

    settings: Settings
    transfer_command: str | None = None
    sample: SampleRender | None = None
    main_account_storage: bool | None = None
    clock: Clock = field(default_factory=Clock)
    software: list[dict[str, Any]] = field(default_factory=list)
    created: list[int] = field(default_factory=list)
    submitted: bool = False
    rendered: TaskInfo | None = None
    funds_before: Decimal = Decimal(0)
    label: str = "renderbus-check 标签"

    def __post_init__(self) -> None:
        self.client = self.new_client()
        self._profile: UserProfile | None = None
        self.private: set[str] = {self.settings.access_id, self.settings.access_key, str(Path.home())}
        # Paths have the names of people and productions, and a host that is not the vendor's is a studio's.
        if self.transfer_command:
            self.private.add(str(Path(self.transfer_command).parent))
        if self.sample:
            self.private |= {str(self.sample.scene.parent), self.sample.scene.name}
        host = self.settings.domain.partition(":")[0]
        if not is_live_host(host):
            self.private.add(host)

    def new_client(self, **changes: Any) -> RecordingClient:
        """Return another client for the same account.

        :param changes: other values of the settings, or ``clock`` for a wrong one.
        """
        clock = changes.pop("clock", self.clock.now)
        return RecordingClient(
            replace(self.settings, **changes), retry_policy=_RETRY_POLICY, clock=clock, sleep=self.clock.sleep
        )

    def send(self, call: Call[T]) -> T:
        """Send a call and return its result."""
        return self.client.send(call)

    def raw(self, call: Call[Any]) -> Any:
        """Send a call and return its data as the farm sent it."""
        return self.client.send(replace(call, read=raw_json))

    @property
    def envelope(self) -> dict[str, Any]:
        """The last response of the farm."""
        return (self.client.exchanges[-1].envelope if self.client.exchanges else None) or {}

    @property
    def profile(self) -> UserProfile:
        """The account's profile, from the check of it.

        :raises NotCheckable: it was not had.
        """
        if self._profile is None:
            raise NotCheckable("the profile could not be had")
        return self._profile

    @profile.setter
    def profile(self, profile: UserProfile) -> None:
        self._profile = profile

    @property
    def task_id(self) -> int:
        """The number that was created last.

        :raises NotCheckable: none was.
        """
        if not self.created:
            raise NotCheckable("no number was created")
        return self.created[0]

    def note_created(self, created: CreatedTasks) -> None:
        """Keep numbers to delete them, and out of the report."""
        # One that could not be deleted must not be taken for the one to render.
        self.created = [*created.ids, *self.created]
        self.private |= {*map(str, created.ids), *created.aliases}

    def task_data(self) -> dict[str, Any]:
        """Return what the farm says of the number.

        :raises NotCheckable: nothing.
        """
        data = self.raw(calls.query_task_info([self.task_id]))
        items = data.get("items") if isinstance(data, dict) else None
        for item in items if isinstance(items, list) else []:
            if isinstance(item, dict) and str(item.get("id")) == str(self.task_id):
                return item
        raise NotCheckable("query_task_info does not return the number")

    def keep_private(self, value: Any) -> None:
        """Keep the texts and long numbers of an answer with personal data out of the report."""
        if isinstance(value, dict):
            for each in value.values():
                self.keep_private(each)
        elif isinstance(value, list):
            for each in value:
                self.keep_private(each)
        elif isinstance(value, str):
            self.private.add(value)
        elif type(value) is int and value >= _MIN_PRIVATE_NUMBER:
            self.private.add(str(value))

    def clean_up(self) -> list[int]:
        """Stop and delete the numbers that were created, and return those that could not be deleted."""
        for _ in range(_DELETE_ATTEMPTS):
            for task_id in list(self.created):
                with suppress(RenderbusError):
                    if self.submitted and self.rendered is None:
                        self.send(calls.stop_task([task_id]))
                with suppress(RenderbusError):
                    with suppress(NotFound):  # a check has deleted it
                        self.send(calls.delete_task([task_id]))
                    self.created.remove(task_id)
            if not self.created:
                break
            # A render that runs is stopped first, which takes a while.
            self.clock.sleep(_DELETE_INTERVAL)
        return self.created
