"""A call of the farm as a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """Everything that there is to say about one request, before it is signed and sent.

    :param name: the call's name in this provider, e.g. ``create_task``.
    :param paths: the paths to try, in this order; the next one only where the farm does not serve one.
    :param body: the JSON body. It holds no boolean and no null: the vendor's own clients sign those
        otherwise than they write them.
    :param read: reads ``data`` of the farm's answer.
    :param paged: whether the result is a page, which the farm may also answer with "no more records".
    :param replay_safe: whether the call may be sent again although it may have been carried out.
    :param confidential: whether the result may hold a :class:`~airflow_provider_renderbus.api.secret.Secret`.
    """

    name: str
    paths: tuple[str, ...]
    body: Mapping[str, Any] = field(repr=False)
    read: Callable[[Any], T] = field(repr=False)
    paged: bool = False
    replay_safe: bool = True
    returns_secrets: bool = False


def drop_none(**body: Any) -> dict[str, Any]:
    """Return a body without the fields that were left out."""
    return {name: value for name, value in body.items() if value is not None}
