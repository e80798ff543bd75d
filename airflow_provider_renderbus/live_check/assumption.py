"""An assumption about the live farm, and what a check of it finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_renderbus.live_check.session import Session

Check: TypeAlias = "Callable[[Session], str]"

DOCUMENT = "vendor's document"
CLIENT = "vendor's Python client"
DESKTOP = "desktop client"
INFERENCE = "inference"
SOURCES = {
    DOCUMENT: "the API documentation that the vendor has published, in one of its versions",
    CLIENT: "the vendor's released Python client, read and run",
    DESKTOP: "public source code of what seems to be the vendor's own desktop client",
    INFERENCE: "concluded from these; nothing says so",
}
HOLDS, FAILS, NOT_CHECKED = "holds", "fails", "not checked"


@dataclass(frozen=True, slots=True)
class Assumption:
    """What this project takes for true of the live farm.

    :param key: its name in the report.
    :param claim: what is assumed.
    :param sources: where it is from, of :data:`SOURCES`.
    :param settled_by: what the check sends and looks at.
    :param check: returns what it has seen, or raises :class:`Refuted` or :class:`NotCheckable`.
    """

    key: str
    claim: str
    sources: tuple[str, ...]
    settled_by: str
    check: Check


@dataclass(frozen=True, slots=True)
class Result:
    """What the check of an assumption has found.

    :param seen: what the farm answered, without secrets and personal data.
    :param verdict: :data:`HOLDS`, :data:`FAILS` or :data:`NOT_CHECKED`.
    """

    assumption: Assumption
    seen: str
    verdict: str


class Refuted(Exception):
    """The farm does something else; the text is what was seen."""


class NotCheckable(Exception):
    """The check needs what an earlier one did not get; the text says what."""


def require(condition: object, seen: str) -> None:
    """Check a part of an assumption.

    :raises Refuted: it does not hold.
    """
    if not condition:
        raise Refuted(seen)


class Table:
    """Assumptions in the order of their checks."""

    def __init__(self) -> None:
        self.assumptions: list[Assumption] = []

    def add(self, claim: str, *sources: str, settled_by: str) -> Callable[[Check], Check]:
        """Return a decorator that adds an assumption; its key is the name of the function that checks it."""

        def decorate(check: Check) -> Check:
            self.assumptions.append(
                Assumption(check.__name__.removeprefix("check_"), claim, sources, settled_by, check)
            )
            return check

        return decorate
