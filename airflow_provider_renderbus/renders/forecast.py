"""Forecasts what a render costs in the end, from the frames that are done.

Per layer: what it has cost, and the mean cost of its finished frames for each frame that is left. Frames that
one machine renders together count by their numbers, tiles and merges apart. Failed and stopped frames count
as left, as if they were rendered again. A frame that was rendered again is no sample while others are: its
cost is that of all attempts. A finished frame that has no cost yet, or a negative one, counts as left, since
the farm is still to charge it. A layer without a sample, or that lists no frames yet, has no forecast, and so
has its render.

The range holds 90 of 100 renders if the finished frames are like the others. Few samples make it wide, also
if they cost the same by chance: the spread starts from an assumed one, which counts as one sample. If the
finished frames cost more and more, or less and less, the range includes that this continues.
"""

from __future__ import annotations

import logging
from bisect import bisect
from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_renderbus.api.states import FrameStatus, Phase, TaskStatus
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.renders.layers import list_layers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_renderbus.api.models.frames import Frame
    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.clients.flows import Flow
    from airflow_provider_renderbus.renders.client import RenderClient
    from airflow_provider_renderbus.renders.layers import Layer
    from airflow_provider_renderbus.renders.results import WaitResult

log = logging.getLogger(__name__)

_ZERO = Decimal(0)
_STEP = Decimal("0.0001")
# Rounding fails if the result has more digits than its context: absurd figures of the farm have 40.
_WIDE = Context(prec=100)
_SIGNIFICANT_DIGITS = 3
# The spread of the frames of a shot that is assumed before any is known, as a fraction of their mean.
_ASSUMED_SPREAD = Decimal("0.5")
# Two samples are always on a line.
_MIN_TREND_SAMPLES = 3
# Student's t for a range of 90 %, by degrees of freedom: each entry is valid from its first number on.
_STUDENT_T = (
    (1, "6.314"),
    (2, "2.920"),
    (3, "2.353"),
    (4, "2.132"),
    (5, "2.015"),
    (6, "1.943"),
    (8, "1.860"),
    (10, "1.812"),
    (15, "1.753"),
    (30, "1.697"),
    (100, "1.660"),
)
# Test frames differ from other frames and merges only in their place in the queue (`frameType`).
_SAME_TYPE = {4: 5, 6: 7}


@dataclass(frozen=True, slots=True)
class LayerForecast:
    """The forecast of a layer, in the account's currency.

    :param name: name of the layer.
    :param render_task_id: id of its leaf.
    :param spent: what it has cost so far.
    :param samples: number of finished frames that the forecast is made from.
    :param frames_left: number of frames that are not done, or not charged yet.
    :param cost: what it is likely to cost in the end; None if that cannot be said yet.
    :param low: what it costs at least, in nine renders of ten within `low` and `high`.
    :param high: what it costs at most; None if that cannot be said.
    """

    name: str
    render_task_id: int
    spent: Decimal
    samples: int
    frames_left: int
    cost: Decimal | None
    low: Decimal
    high: Decimal | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecast of a render: the sums over its layers. Without layers nothing is known."""

    layers: tuple[LayerForecast, ...] = ()

    @property
    def spent(self) -> Decimal:
        """What the render has cost so far."""
        return sum((layer.spent for layer in self.layers), _ZERO)

    @property
    def samples(self) -> int:
        """Number of finished frames that the forecast is made from."""
        return sum(layer.samples for layer in self.layers)

    @property
    def frames_left(self) -> int:
        """Number of frames that are not done, or not charged yet."""
        return sum(layer.frames_left for layer in self.layers)

    @property
    def cost(self) -> Decimal | None:
        """What the render is likely to cost in the end; None if that cannot be said yet."""
        return _sum_if_known(layer.cost for layer in self.layers)

    @property
    def low(self) -> Decimal:
        """What the render costs at least."""
        return sum((layer.low for layer in self.layers), _ZERO)

    @property
    def high(self) -> Decimal | None:
        """What the render costs at most; None if that cannot be said."""
        return _sum_if_known(layer.high for layer in self.layers)

    def exceeds(self, max_cost: Decimal) -> bool:
        """Return whether the render is likely to cost more than a budget, or does at least."""
        return (self.low if self.cost is None else self.cost) > max_cost

    def to_dict(self) -> dict[str, Any]:
        """Return small JSON, with amounts as text.

        :return: ``cost``, ``low``, ``high``, ``spent``, ``samples`` and ``frames_left``; and ``layers``, a
            list of the same for each layer, with its ``name`` and ``render_task_id``.
        """
        layers = [
            {"name": layer.name, "render_task_id": layer.render_task_id, **_figures(layer)}
            for layer in self.layers
        ]
        return {**_figures(self), "layers": layers}

    def __str__(self) -> str:
        """Return the forecast in words: "12.4 (9.8 to 15, from 3 frames)"."""
        frames = f"from {self.samples} frame{'' if self.samples == 1 else 's'}"
        if self.cost is None:
            return f"at least {format_amount(self.low)}, {frames}"
        if not self.frames_left:
            frames = "all frames done"
        amounts = "" if self.high is None else f"{format_range(self.low, self.high)}, "
        return f"{format_amount(self.cost)} ({amounts}{frames})"


def forecast(task: TaskInfo, frames: Mapping[int, Sequence[Frame]] | None = None) -> Forecast:
    """Return what a render is likely to cost in the end.

    :param frames: frames of its leaves, by id of the leaf. Without those of a leaf, its counters and its cost
        give the mean, every job counts as one frame, and nothing is known of the range.
    """
    layers = list_layers(task)
    # The main pass of a render that lists only passes before it is still to come.
    is_complete = any(layer.has_frames for layer in layers)
    return Forecast(
        tuple(_forecast_layer(layer, (frames or {}).get(layer.leaf.id), is_complete) for layer in layers)
    )


def fetch_forecast(task_id: int) -> Flow[Forecast]:
    """Forecast a render from its frames."""
    return forecast(*(yield from fetch_frames(task_id)))


def fetch_frames(task_id: int) -> Flow[tuple[TaskInfo, dict[int, tuple[Frame, ...]]]]:
    """Fetch a render, by one request, and the frames of each leaf, by one for each hundred."""
    task = yield from flows.get_task(task_id)
    frames = {}
    for leaf in task.leaves():
        frames[leaf.id] = yield from flows.list_frames(leaf.id)
    return task, frames


def add_forecast(
    client: RenderClient, wait_result: WaitResult, at_pause: Mapping[str, Any] | None = None
) -> WaitResult:
    """Add ``forecast`` to the summaries of renders that pause after their test frames.

    The result of the wait is not lost if the farm does not list the frames.

    :param at_pause: the forecast of a render that was resumed since, for its summary.
    """
    if wait_result.result is None:
        return wait_result
    is_list = isinstance(wait_result.result, list)
    summaries = wait_result.result if isinstance(wait_result.result, list) else [wait_result.result]
    results = []
    for summary in summaries:
        known = summary.get("forecast") or at_pause
        if known is None and summary.get("state") == TaskStatus.FINISHED_TEST.name:
            known = _fetch_or_none(client, summary["render_task_id"])
        results.append({**summary, "forecast": known})
    return replace(wait_result, result=results if is_list else results[0])


def _fetch_or_none(client: RenderClient, task_id: int) -> dict[str, Any] | None:
    try:
        expected = client.run(fetch_forecast(task_id))
    except Exception as error:  # noqa: BLE001 - the result of the render is not to be lost for its forecast
        log.warning("Render %s: could not forecast its cost: %s", task_id, error)
        return None
    log.info("Render %s: forecast %s", task_id, expected)
    return expected.to_dict()


def format_amount(amount: Decimal) -> str:
    """Return an amount to four decimals, without zeros at its end."""
    return format(amount.quantize(_STEP, context=_WIDE).normalize(_WIDE), "f")


def format_range(low: Decimal, high: Decimal) -> str:
    """Return a range with three significant digits: "9.8 to 15.1"."""
    return f"{_estimate(low)} to {_estimate(high)}"


def _estimate(amount: Decimal) -> str:
    decimals = min(4, max(0, _SIGNIFICANT_DIGITS - 1 - amount.adjusted()))
    return format_amount(amount.quantize(Decimal(1).scaleb(-decimals), context=_WIDE))


class _Rest(NamedTuple):
    """What is left of a layer: number of jobs, their cost, and how far it may be below and above."""

    frames_left: int = 0
    samples: int = 0
    cost: Decimal | None = _ZERO
    below: Decimal = _ZERO
    above: Decimal | None = _ZERO


def _forecast_layer(layer: Layer, frames: Sequence[Frame] | None, is_complete: bool) -> LayerForecast:
    leaf = layer.leaf
    spent = max(leaf.cost, _ZERO)
    if leaf.status.phase in {Phase.SUCCEEDED, Phase.INCOMPLETE} and is_complete:
        rest = _Rest(samples=leaf.progress.done)
    elif not is_complete or not (leaf.progress.total or frames):
        rest = _Rest(cost=None)
    elif frames:
        # Either figure of the farm can be behind the other.
        spent = max(spent, sum((frame.cost for frame in frames), _ZERO))
        rest = _rest_of_frames(frames)
        if rest.cost is None:
            rest = _rest_of_counters(leaf)
    else:
        rest = _rest_of_counters(leaf)
    cost, low, high = None, spent, None
    if rest.cost is not None:
        cost = spent + rest.cost
        if rest.above is not None:
            low, high = max(spent, cost - rest.below), _round(cost + rest.above)
        cost = _round(cost)
    return LayerForecast(
        layer.name, leaf.id, _round(spent), rest.samples, rest.frames_left, cost, _round(low), high
    )


def _round(amount: Decimal) -> Decimal:
    """Return an amount as it is written: a budget of just the forecast, as text, is not exceeded by it."""
    return amount.quantize(_STEP, ROUND_HALF_UP, _WIDE)


def _rest_of_counters(leaf: TaskInfo) -> _Rest:
    """Estimate from sums. The farm counts jobs, whatever they hold."""
    done, left = leaf.progress.done, max(0, leaf.progress.total - leaf.progress.done)
    if not done or leaf.cost <= 0:
        return _Rest(left, 0, None)
    return _Rest(left, done, leaf.cost / done * left, above=None if left else _ZERO)


def _rest_of_frames(frames: Sequence[Frame]) -> _Rest:
    """Estimate each type of frame from its own samples, or from those of all types if it has none."""
    samples = _samples(frames)
    left: defaultdict[int | None, list[Frame]] = defaultdict(list)
    for frame in frames:
        if frame.status is not FrameStatus.DONE or frame.cost <= 0:
            left[_type(frame)].append(frame)
    count = sum(map(len, left.values()))
    if not left:
        return _Rest(0, len(samples))
    if not samples:
        return _Rest(count, 0, None)
    parts = [
        _extrapolate([frame for frame in samples if _type(frame) == frame_type] or samples, rest)
        for frame_type, rest in left.items()
    ]
    cost, below, above = (sum(part, _ZERO) for part in zip(*parts, strict=True))
    return _Rest(count, len(samples), cost, below, above)


def _samples(frames: Iterable[Frame]) -> list[Frame]:
    """Return the frames that say what one frame costs."""
    charged = [frame for frame in frames if frame.status is FrameStatus.DONE and frame.cost > 0]
    return [frame for frame in charged if not frame.recommits] or charged


def _extrapolate(samples: Sequence[Frame], left: Sequence[Frame]) -> tuple[Decimal, Decimal, Decimal]:
    """Return the cost of the frames that are left, and how far it may be below and above that."""
    weights = [_weight(frame) for frame in samples]
    costs = [frame.cost / (1 + frame.recommits) / _weight(frame) for frame in samples]
    mean = _mean(costs, weights)
    squares = (_ASSUMED_SPREAD * mean) ** 2
    # The variance of a mean of some frames is smaller by their number.
    for cost, weight in zip(costs, weights, strict=True):
        squares += (cost - mean) ** 2 * weight
    variance = squares / len(samples)
    frames_left = sum(map(_weight, left))
    error = (variance * frames_left * frames_left / sum(weights) + variance * frames_left).sqrt()
    error *= _student_t(len(samples))
    trend = _trend(samples, costs, weights, left) * frames_left
    return mean * frames_left, error - min(trend, _ZERO), error + max(trend, _ZERO)


def _trend(
    samples: Sequence[Frame], costs: Sequence[Decimal], weights: Sequence[int], left: Sequence[Frame]
) -> Decimal:
    """Return how much more a frame that is left costs than the mean if the finished ones follow a line.

    The farm renders a shot from its first frame on, so the finished frames are not like the others if those
    to come cost more and more.
    """
    places = [_place(frame) for frame in samples]
    center, mean = _mean(places, weights), _mean(costs, weights)
    offsets = [place - center for place in places]
    spread = _mean([offset * offset for offset in offsets], weights)
    if len(samples) < _MIN_TREND_SAMPLES or not spread:
        return _ZERO
    products = [offset * (cost - mean) for offset, cost in zip(offsets, costs, strict=True)]
    slope = _mean(products, weights) / spread
    return slope * (_mean([_place(frame) for frame in left], [_weight(frame) for frame in left]) - center)


def _mean(values: Sequence[Decimal], weights: Sequence[int]) -> Decimal:
    total = sum((value * weight for value, weight in zip(values, weights, strict=True)), _ZERO)
    return total / sum(weights)


def _place(frame: Frame) -> Decimal:
    """Return where a job is in the shot: the middle of its frame numbers."""
    numbers = frame.numbers or (0,)
    return Decimal(numbers[0] + numbers[-1]) / 2


def _student_t(freedom: int) -> Decimal:
    index = bisect([first for first, _ in _STUDENT_T], freedom) - 1
    return Decimal(_STUDENT_T[index][1])


def _type(frame: Frame) -> int | None:
    return frame.frame_type and _SAME_TYPE.get(frame.frame_type, frame.frame_type)


def _weight(frame: Frame) -> int:
    """Return the number of frames that a job renders; 1 for a tile."""
    return max(1, len(frame.numbers))


def _figures(figures: Forecast | LayerForecast) -> dict[str, Any]:
    return {
        "cost": _text(figures.cost),
        "low": _text(figures.low),
        "high": _text(figures.high),
        "spent": _text(figures.spent),
        "samples": figures.samples,
        "frames_left": figures.frames_left,
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else format_amount(amount)


def _sum_if_known(amounts: Iterable[Decimal | None]) -> Decimal | None:
    total = _ZERO
    is_known = False
    for amount in amounts:
        if amount is None:
            return None
        total += amount
        is_known = True
    return total if is_known else None
