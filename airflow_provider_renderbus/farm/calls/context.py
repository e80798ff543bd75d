"""The arguments of every call: the parts of the farm, and the request with its fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.server.envelope import (
    FRAME_NOT_FOUND,
    ILLEGAL_PARAMETER,
    INSUFFICIENT_FUNDS,
    MISSING_PARAMETER,
    TASK_NOT_FOUND,
    ApiRefusal,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_renderbus.farm.simulation.account import Account
    from airflow_provider_renderbus.farm.simulation.clock import Clock
    from airflow_provider_renderbus.farm.simulation.database import Database
    from airflow_provider_renderbus.farm.simulation.scenario import Scenario
    from airflow_provider_renderbus.farm.simulation.simulation import Simulation
    from airflow_provider_renderbus.farm.simulation.tasks import Frame, Task
    from airflow_provider_renderbus.farm.storage.storage import Storage

MAX_PAGE_SIZE = 100
MAX_INTEGER = 2**53 - 1


@dataclass(frozen=True, slots=True)
class CallContext:
    """The parts of the farm that calls use.

    :param host: the farm's host, also the transfer server in its answers.
    :param port: the farm's port, 0 while it does not serve.
    """

    simulation: Simulation
    storage: Storage
    clock: Clock
    database: Database
    scenario: Scenario
    account: Account
    host: str
    port: int = 0

    def task(self, task_id: int) -> Task:
        """Return a task.

        :raises ApiRefusal: with code 937, it does not exist or is deleted.
        """
        task = self.simulation.tasks.get(task_id)
        if task is None or task.deleted:
            raise ApiRefusal(TASK_NOT_FOUND, task_id=task_id)
        return task

    def tasks(self, request: Request) -> list[Task]:
        """Return the tasks of ``taskIds``.

        :raises ApiRefusal: with code 937, one of them does not exist or is deleted.
        """
        return [self.task(task_id) for task_id in dict.fromkeys(request.integers("taskIds"))]

    def require_funds(self) -> None:
        """Refuse what costs money if there is none.

        :raises ApiRefusal: with code 507, coupons, balance and credit are used up.
        """
        if self.simulation.funds.exhausted:
            raise ApiRefusal(INSUFFICIENT_FUNDS)

    def frame(self, frame_id: int) -> tuple[Task, Frame]:
        """Return a frame and its task.

        :raises ApiRefusal: with code 404, it does not exist or its task is deleted.
        """
        match self.simulation.find_frame(frame_id):
            case (task, frame) if not task.deleted:
                return task, frame
        raise ApiRefusal(FRAME_NOT_FOUND, frame_id=frame_id)


@dataclass(frozen=True, slots=True)
class Request:
    """An authenticated request.

    Its methods return fields of the body by type. The call is refused with 601 if a field without default is
    missing or null, and with 600 if it has another type.
    """

    body: Mapping[str, Any]
    platform: int

    def has(self, name: str) -> bool:
        """Return whether a field is present."""
        return self.body.get(name) is not None

    def integer(
        self, name: str, default: int | None = None, *, minimum: int = 1, maximum: int = MAX_INTEGER
    ) -> int:
        """Return an integer."""
        value = self._field(name, default)
        if type(value) is not int or not minimum <= value <= maximum:
            raise ApiRefusal(
                ILLEGAL_PARAMETER, field=name, expected=f"an integer from {minimum} to {maximum}"
            )
        return value

    def string(self, name: str, default: str | None = None) -> str:
        """Return a string."""
        value = self._field(name, default)
        if not isinstance(value, str):
            raise ApiRefusal(ILLEGAL_PARAMETER, field=name, expected="a string")
        return value

    def integers(self, name: str, default: list[int] | None = None) -> list[int]:
        """Return a list of integers."""
        value = self._field(name, default)
        if not isinstance(value, list) or any(type(item) is not int for item in value):
            raise ApiRefusal(ILLEGAL_PARAMETER, field=name, expected="a list of integers")
        return value

    def strings(self, name: str, default: list[str] | None = None) -> list[str]:
        """Return a list of strings."""
        value = self._field(name, default)
        if not isinstance(value, list) or any(not isinstance(item, str) for item in value):
            raise ApiRefusal(ILLEGAL_PARAMETER, field=name, expected="a list of strings")
        return value

    def one_of(self, name: str, *choices: Any) -> Any:
        """Return one of some values. The first is the default."""
        value = self._field(name, choices[0])
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            raise ApiRefusal(ILLEGAL_PARAMETER, field=name, expected=" / ".join(map(str, choices)))
        return value

    def page(self, items: Sequence[Any]) -> dict[str, Any]:
        """Return the page of a list by ``pageNum`` and ``pageSize``."""
        return page(items, self.integer("pageNum", 1), self.integer("pageSize", MAX_PAGE_SIZE))

    def _field(self, name: str, default: Any) -> Any:
        value = self.body.get(name)
        if value is None:
            value = default
        if value is None:
            raise ApiRefusal(MISSING_PARAMETER, field=name)
        return value


Call = Callable[[CallContext, Request], Any]


def page(items: Sequence[Any], page_num: int = 1, size: int = MAX_PAGE_SIZE) -> dict[str, Any]:
    """Return one page of a list in the farm's form; a page past the end is empty.

    :param page_num: number of the page, from 1.
    :param size: items per page, at most 100.
    """
    size = min(size, MAX_PAGE_SIZE)
    return {
        "pageCount": -(-len(items) // size),
        "pageNum": page_num,
        "total": len(items),
        "size": size,
        "items": items[(page_num - 1) * size : page_num * size],
    }
