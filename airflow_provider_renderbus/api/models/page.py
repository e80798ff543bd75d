"""A page of records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_renderbus.api.parsing import (
    list_of,
    optional_field,
    read_int,
    reader_for,
    required_field,
)

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
    items: tuple[Any, ...] = required_field("items", list_of(lambda item: item))
    page_count: int = optional_field("pageCount", read_int, 1)
    page_num: int = optional_field("pageNum", read_int, 1)
    total: int = optional_field("total", read_int, 0)


_read_counts = reader_for(_Counts)


def page_reader(convert: Callable[[Any], T]) -> Callable[[Any], Page[T]]:
    """Return what reads a page whose items `convert` reads."""

    def convert_page(data: Any) -> Page[T]:
        counts = _read_counts(data)
        items = tuple([convert(item) for item in counts.items])
        return Page(items, counts.page_count, counts.page_num, counts.total)

    return convert_page
