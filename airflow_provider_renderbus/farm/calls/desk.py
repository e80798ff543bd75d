"""What a call has at hand: the farm's rooms, the request, and the reading of its fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.envelope import ILLEGAL, MISSING, NO_TASK, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_renderbus.farm.account import Account
    from airflow_provider_renderbus.farm.clock import Clock
    from airflow_provider_renderbus.farm.life import Life
    from airflow_provider_renderbus.farm.storage import Storage
    from airflow_provider_renderbus.farm.tasks import Task

LARGEST_PAGE = 100


@dataclass(frozen=True, slots=True)
class Desk:
    """The rooms of the farm that a call works in."""

    account: Account
    life: Life
    storage: Storage
    clock: Clock

    def task(self, number: int) -> Task:
        """Return a task, or refuse the call with 404."""
        try:
            return self.life.tasks[number]
        except KeyError:
            raise Refused(NO_TASK, number=number) from None

    def date(self, moment: float | None) -> int | None:
        """Return a moment as a date of the farm's answers, null where it is not set."""
        return None if moment is None else self.clock.date(moment)


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has passed the gate.

    The fields of its body are read by type. A field that is missing and has no default is refused with
    601, one of another type with 600; null counts as missing.
    """

    body: Mapping[str, Any]
    platform: int

    def number(self, name: str, default: int | None = None, *, least: int = 1) -> int:
        """Return a whole number."""
        value = self._field(name, default)
        if type(value) is not int or value < least:
            raise Refused(ILLEGAL, field=name, expected=f"a whole number from {least}")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text."""
        value = self._field(name, default)
        if not isinstance(value, str):
            raise Refused(ILLEGAL, field=name, expected="a text")
        return value

    def numbers(self, name: str) -> list[int]:
        """Return a list of whole numbers."""
        value = self._field(name, None)
        if not isinstance(value, list) or any(type(item) is not int for item in value):
            raise Refused(ILLEGAL, field=name, expected="a list of whole numbers")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts, empty where it is missing."""
        value = self._field(name, [])
        if not isinstance(value, list) or any(not isinstance(item, str) for item in value):
            raise Refused(ILLEGAL, field=name, expected="a list of texts")
        return tuple(value)

    def _field(self, name: str, default: Any) -> Any:
        value = self.body.get(name)
        if value is None:
            value = default
        if value is None:
            raise Refused(MISSING, field=name)
        return value


Call = Callable[[Desk, Request], Any]


def page(items: Sequence[Any], number: int = 1, size: int = LARGEST_PAGE) -> dict[str, Any]:
    """Return one page of a list, as the farm cuts it; a page past the end has no items.

    :param number: which page, from 1.
    :param size: items on a page; more than 100 counts as 100.
    """
    size = min(size, LARGEST_PAGE)
    return {
        "pageCount": -(-len(items) // size),
        "pageNum": number,
        "total": len(items),
        "size": size,
        "items": items[(number - 1) * size : number * size],
    }
