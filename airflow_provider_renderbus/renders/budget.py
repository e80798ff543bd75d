"""Allots a budget to renders that pause after their test frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.validation import excerpt, parse_decimal, require_str

if TYPE_CHECKING:
    from collections.abc import Iterable

_STEP = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class _Shot:
    """What a shot has cost, is likely to cost and costs at most; None if that is not known."""

    name: str
    priority: Decimal
    spent: Decimal
    cost: Decimal | None
    high: Decimal | None


def allot(
    forecasts: Mapping[str, Mapping[str, Any] | None],
    budget: Decimal | float | str,
    priorities: Mapping[str, float] | None = None,
) -> dict[str, str | None]:
    """Allot a budget to shots by their forecasts, and return the ``max_cost`` of each.

    What all shots have cost so far, as for test frames, is taken from the budget first. Then each shot gets
    its forecast if that fits in what is left: those of a higher priority first, of the same priority the
    cheapest first. What is left in the end raises the limits in the same order, each up to the highest cost
    of its forecast, since half of all renders cost more than their forecast. The limits and what the other
    shots have cost never exceed the budget together. The order of the arguments does not matter.

    :param forecasts: by the names of the shots, ``forecast`` in the results of their renders at the pause.
    :param budget: for all shots, in the account's currency.
    :param priorities: by the names of shots, numbers of which the highest counts most; 0 if omitted.
    :return: by the names of the shots, the most important first: the ``max_cost`` with which a shot may
        continue, as text; None for a shot that does not fit, or whose forecast or its cost is None.
    :raises ValueError: an argument is wrong.
    """
    amount = parse_decimal("budget", budget).quantize(_STEP, ROUND_FLOOR)
    shots = sorted(_read_shots(forecasts, priorities or {}), key=_rank)
    left = amount - sum((shot.spent for shot in shots), Decimal(0))
    limits: dict[str, Decimal | None] = {}
    for shot in shots:
        limits[shot.name] = None
        if shot.cost is not None and shot.cost - shot.spent <= left:
            limits[shot.name] = shot.cost
            left -= shot.cost - shot.spent
    for shot in shots:
        limit = limits[shot.name]
        if limit is not None and shot.high is not None:
            reserve = min(shot.high - limit, left)
            limits[shot.name] = limit + reserve
            left -= reserve
    return {name: None if limit is None else format(limit.normalize(), "f") for name, limit in limits.items()}


def _rank(shot: _Shot) -> tuple[Decimal, Decimal, str]:
    return -shot.priority, (shot.cost or shot.spent) - shot.spent, shot.name


def _read_shots(forecasts: Any, priorities: Any) -> Iterable[_Shot]:
    for argument, value in (("forecasts", forecasts), ("priorities", priorities)):
        if not isinstance(value, Mapping):
            raise ValueError(f"{argument}: must be a mapping by the names of shots, got {excerpt(value)}")
        for name in value:
            if not require_str(argument, name):
                raise ValueError(f"{argument}: must have names of shots as keys, got ''")
    if unknown := sorted(set(priorities) - set(forecasts)):
        raise ValueError(f"priorities: must be of shots in forecasts, got {excerpt(unknown)}")
    for name, forecast in forecasts.items():
        priority = _read_priority(f"priorities[{excerpt(name)}]", priorities.get(name, 0))
        yield _read_shot(name, priority, {"spent": 0} if forecast is None else forecast)


def _read_shot(name: str, priority: Decimal, forecast: Any) -> _Shot:
    where = f"forecasts[{excerpt(name)}]"
    if not isinstance(forecast, Mapping) or "spent" not in forecast:
        raise ValueError(
            f"{where}: must be the forecast in the result of a render, or None, got {excerpt(forecast)}"
        )
    spent = _read_amount(f"{where}.spent", forecast["spent"])
    cost, high = (
        None if forecast.get(key) is None else _read_amount(f"{where}.{key}", forecast[key])
        for key in ("cost", "high")
    )
    if cost is not None and cost < spent:
        raise ValueError(f"{where}.cost: must be at least spent ({spent}), got {cost}")
    if high is not None and (cost is None or high < cost):
        raise ValueError(f"{where}.high: must be at least cost ({cost}), got {high}")
    # An operator takes no max_cost of 0, and nothing was charged for such a shot yet.
    return _Shot(name, priority, spent, cost or None, high)


def _read_amount(name: str, value: Any) -> Decimal:
    return parse_decimal(name, value).quantize(_STEP, ROUND_CEILING)


def _read_priority(name: str, value: Any) -> Decimal:
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    try:
        text = str(value) if is_number else ""
        size = parse_decimal(name, text.removeprefix("-"))
    except ValueError:
        raise ValueError(f"{name}: must be a number, got {excerpt(value)}") from None
    return -size if text.startswith("-") else size
