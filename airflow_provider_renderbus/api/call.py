"""A call of the farm's API as a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request before it is signed and sent, and how its response is read.

    :param name: name of the call in this provider, e.g. ``create_task``.
    :param paths: paths to try in this order; the next one only if the farm does not serve the one before.
    :param body: JSON body. It holds no boolean and no null: the vendor's own clients sign those in another
        form than they send.
    :param read: reads ``data`` of the farm's response.
    :param paged: whether the result is a page, to which the farm may also respond with "no more records".
    :param replay_safe: whether the call may be sent again although it may have been executed.
    :param spends: whether it can make a render cost money. If the farm calls its signature expired (code 610)
        after it has accepted another request of the same client, the process was suspended between signing
        and sending, perhaps for hours: it is not signed again.
    :param returns_secrets: whether the result may hold a
        :class:`~airflow_provider_renderbus.api.secret.Secret`.
    """

    name: str
    paths: tuple[str, ...]
    body: Mapping[str, Any] = field(repr=False)
    read: Callable[[Any], T] = field(repr=False)
    paged: bool = False
    replay_safe: bool = True
    spends: bool = False
    returns_secrets: bool = False


def drop_none(**body: Any) -> dict[str, Any]:
    """Return a body without the fields that are None."""
    return {name: value for name, value in body.items() if value is not None}
