"""A page of records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_renderbus.api.parsing import each, integer, optional, reader, required

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

EMPTY_PAGE: dict[str, Any] = {"pageCount": 0, "pageNum": 1, "total": 0, "size": 0, "items": []}


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list that the farm answers page by page."""

    items: tuple[T, ...]
    page_count: int
    page_num: int
    total: int


@dataclass(frozen=True, slots=True)
class _Counts:
    items: tuple[Any, ...] = required("items", each(lambda item: item))
    page_count: int = optional("pageCount", integer, 1)
    page_num: int = optional("pageNum", integer, 1)
    total: int = optional("total", integer, 0)


_read_counts = reader(_Counts)


def page_of(convert: Callable[[Any], T]) -> Callable[[Any], Page[T]]:
    """Return what reads a page whose items `convert` reads."""

    def convert_page(data: Any) -> Page[T]:
        counts = _read_counts(data)
        items = tuple([convert(item) for item in counts.items])
        return Page(items, counts.page_count, counts.page_num, counts.total)

    return convert_page
