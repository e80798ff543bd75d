"""In what two series of requests differ."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.interop.recorder import Sent

Difference: TypeAlias = "tuple[str, str | None, str | None]"
"""What differs, how the vendor's client has it, and how ours has it; None where one does not have it."""


def differences(theirs: Sequence[Sent], ours: Sequence[Sent]) -> Iterator[Difference]:
    """Yield what differs between the vendor's requests and ours.

    The first request to a path is held against the first to it, the second against the second.
    """
    their_requests, our_requests = _named(theirs), _named(ours)
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


def _named(requests: Sequence[Sent]) -> dict[str, Sent]:
    """Name requests by their path and how often it was asked for before."""
    seen: Counter[str] = Counter()
    named = {}
    for request in requests:
        seen[request.path] += 1
        named[f"request {seen[request.path]} to {request.path}"] = request
    return named


def _fields(kind: str, theirs: Mapping[str, str], ours: Mapping[str, str]) -> Iterator[Difference]:
    for name in sorted(theirs.keys() | ours.keys()):
        if theirs.get(name) != ours.get(name):
            yield kind + name, theirs.get(name), ours.get(name)
