"""What a call has at hand: the farm's rooms, the request, and the reading of its fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.server.envelope import (
    ILLEGAL_PARAMETER,
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
    from airflow_provider_renderbus.farm.simulation.tasks import Task
    from airflow_provider_renderbus.farm.storage.storage import Storage

MAX_PAGE_SIZE = 100
MAX_INTEGER = 2**53 - 1


@dataclass(frozen=True, slots=True)
class CallContext:
    """The rooms of the farm that a call works in.

    :param host: the farm's own, named as the transfer server.
    :param port: likewise; 0 while it does not serve.
    """

    simulation: Simulation
    storage: Storage
    clock: Clock
    database: Database
    scenario: Scenario
    account: Account
    host: str
    port: int = 0

    def task(self, number: int) -> Task:
        """Return a task that is not deleted, or refuse the call with 404."""
        task = self.simulation.tasks.get(number)
        if task is None or task.deleted:
            raise ApiRefusal(TASK_NOT_FOUND, number=number)
        return task

    def tasks(self, request: Request) -> list[Task]:
        """Return the tasks that ``taskIds`` names, or refuse the call where one is not there."""
        return [self.task(number) for number in dict.fromkeys(request.integers("taskIds"))]


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has passed the gate.

    The fields of its body are read by type. A field that is missing and has no default is refused with
    601, one of another type with 600; null counts as missing.
    """

    body: Mapping[str, Any]
    platform: int

    def has(self, name: str) -> bool:
        """Return whether a field is there."""
        return self.body.get(name) is not None

    def integer(
        self, name: str, default: int | None = None, *, minimum: int = 1, maximum: int = MAX_INTEGER
    ) -> int:
        """Return a whole number."""
        value = self._field(name, default)
        if type(value) is not int or not minimum <= value <= maximum:
            raise ApiRefusal(
                ILLEGAL_PARAMETER, field=name, expected=f"a whole number from {minimum} to {maximum}"
            )
        return value

    def string(self, name: str, default: str | None = None) -> str:
        """Return a text."""
        value = self._field(name, default)
        if not isinstance(value, str):
            raise ApiRefusal(ILLEGAL_PARAMETER, field=name, expected="a text")
        return value

    def integers(self, name: str, default: list[int] | None = None) -> list[int]:
        """Return a list of whole numbers."""
        value = self._field(name, default)
        if not isinstance(value, list) or any(type(item) is not int for item in value):
            raise ApiRefusal(ILLEGAL_PARAMETER, field=name, expected="a list of whole numbers")
        return value

    def strings(self, name: str, default: list[str] | None = None) -> list[str]:
        """Return a list of texts."""
        value = self._field(name, default)
        if not isinstance(value, list) or any(not isinstance(item, str) for item in value):
            raise ApiRefusal(ILLEGAL_PARAMETER, field=name, expected="a list of texts")
        return value

    def one_of(self, name: str, *choices: Any) -> Any:
        """Return one of some values, of which the first is the default."""
        value = self._field(name, choices[0])
        if not any(type(value) is type(one) and value == one for one in choices):
            raise ApiRefusal(ILLEGAL_PARAMETER, field=name, expected=" / ".join(map(str, choices)))
        return value

    def page(self, items: Sequence[Any]) -> dict[str, Any]:
        """Return the page of a list that ``pageNum`` and ``pageSize`` ask for."""
        return page(items, self.integer("pageNum", 1), self.integer("pageSize", MAX_PAGE_SIZE))

    def _field(self, name: str, default: Any) -> Any:
        value = self.body.get(name)
        if value is None:
            value = default
        if value is None:
            raise ApiRefusal(MISSING_PARAMETER, field=name)
        return value


Call = Callable[[CallContext, Request], Any]


def page(items: Sequence[Any], number: int = 1, size: int = MAX_PAGE_SIZE) -> dict[str, Any]:
    """Return one page of a list, as the farm cuts it; a page past the end has no items.

    :param number: which page, from 1.
    :param size: items on a page; more than 100 counts as 100.
    """
    size = min(size, MAX_PAGE_SIZE)
    return {
        "pageCount": -(-len(items) // size),
        "pageNum": number,
        "total": len(items),
        "size": size,
        "items": items[(number - 1) * size : number * size],
    }
