"""Compares two series of requests."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.interop.recorder import RecordedRequest

Difference: TypeAlias = "tuple[str, str | None, str | None]"
"""Name of a value, the vendor's value and our value; None if one does not send it."""


def differences(theirs: Sequence[RecordedRequest], ours: Sequence[RecordedRequest]) -> Iterator[Difference]:
    """Yield the differences between the vendor's requests and ours.

    The first request to a path is compared with the first to the same path, the second with the second.
    """
    their_requests, our_requests = _by_name(theirs), _by_name(ours)
    for name in dict.fromkeys((*their_requests, *our_requests)):
        their, our = their_requests.get(name), our_requests.get(name)
        if their is None or our is None:
            yield name, their and "sent", our and "sent"
        else:
            yield from _fields("", their.body, our.body)
            yield from _fields("header ", their.headers, our.headers)
            yield from _fields("", {"signature": their.signature}, {"signature": our.signature})
    shared = [name for name in their_requests if name in our_requests]
    if shared != [name for name in our_requests if name in their_requests]:
        yield "order", " ".join(their_requests), " ".join(our_requests)


def _by_name(requests: Sequence[RecordedRequest]) -> dict[str, RecordedRequest]:
    """Return requests by path and number of the request to that path."""
    counts: Counter[str] = Counter()
    by_name = {}
    for request in requests:
        counts[request.path] += 1
        by_name[f"request {counts[request.path]} to {request.path}"] = request
    return by_name


def _fields(kind: str, theirs: Mapping[str, str], ours: Mapping[str, str]) -> Iterator[Difference]:
    for name in sorted(theirs.keys() | ours.keys()):
        if theirs.get(name) != ours.get(name):
            yield kind + name, theirs.get(name), ours.get(name)
