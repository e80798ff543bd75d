"""What a wait is for; it crosses to the triggerer and back."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.renders.results import VersionMismatch

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Wait:
    """One wait, as JSON takes it.

    :param number: the task's number.
    :param interval: seconds between two looks.
    :param deadline: the moment until which to wait, in seconds since 1970.
    :param over_at: the moment at which the render is over its `max_duration`, or None.
    :param forgives_until: until this moment a stop is that of an earlier try.
    :param max_cost: what the render may cost, in the account's currency, as text, or None.
    :param recommit_may_be_sent: whether an earlier try may have asked for failed frames.
    :param is_after_test: whether the pause after the priority frames is over.
    :param bears_arrears: whether a stop for lack of money is waited out, for nobody can see the money.
    :param means: what the account had to spend when the render last stopped for lack of it, as text, or None.
    :param started_at: the moment at which it was last started again for money, in seconds since 1970.
    """

    number: int
    interval: float
    deadline: float
    over_at: float | None
    forgives_until: float
    max_cost: str | None
    recommit_may_be_sent: bool
    is_after_test: bool = False
    bears_arrears: bool = False
    means: str | None = None
    started_at: float = 0.0

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Wait:
        """Read a wait that may have been written by another version of this provider.

        What only that version knows is passed over; what it did not know has its default here.

        :param kept: a wait as a mapping.
        :raises OtherVersion: a field is missing that has no default.
        """
        missing = [field.name for field in fields(cls) if field.default is MISSING and field.name not in kept]
        if missing:
            raise VersionMismatch(
                f"the task was deferred by a version of the provider that this one does not know (without "
                f"{', '.join(missing)})"
            )
        return cls(**{field.name: kept[field.name] for field in fields(cls) if field.name in kept})
