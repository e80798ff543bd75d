"""A page of records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_renderbus.api.parsing import (
    list_of,
    optional_field,
    raw_json,
    read_count,
    reader_for,
    required_field,
)

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

EMPTY_PAGE: dict[str, Any] = {"pageCount": 0, "pageNum": 1, "total": 0, "size": 0, "items": []}


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list that the farm returns page by page."""

    items: tuple[T, ...]
    page_count: int
    page_num: int
    total: int


@dataclass(frozen=True, slots=True)
class _PageJson:
    items: tuple[Any, ...] = required_field("items", list_of(raw_json))
    page_count: int = optional_field("pageCount", read_count, 1)
    page_num: int = optional_field("pageNum", read_count, 1)
    total: int = optional_field("total", read_count, 0)


_read_page_json = reader_for(_PageJson)


def page_reader(read: Callable[[Any], T]) -> Callable[[Any], Page[T]]:
    """Return a function that reads a page, and each of its items with `read`."""

    def read_page(data: Any) -> Page[T]:
        page = _read_page_json(data)
        return Page(tuple([read(item) for item in page.items]), page.page_count, page.page_num, page.total)

    return read_page
