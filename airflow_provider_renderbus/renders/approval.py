"""The question whether a render that pauses after its test frames is to be rendered, as Markdown.

Airflow shows it to a user. Names come from the farm and from scenes, so none of their characters counts as
Markdown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.frame_names import describe_frames
from airflow_provider_renderbus.api.states import FrameStatus
from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.renders.failed_frames import FAILED_STATUSES
from airflow_provider_renderbus.renders.forecast import format_amount, format_range
from airflow_provider_renderbus.renders.layers import list_layers, shot_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from airflow_provider_renderbus.api.models.frames import Frame
    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.renders.forecast import Forecast

MAX_PICTURES = 12
"""Pictures in a question."""
_PICTURES_PER_ROW = 3
_MAX_LAYERS = 20
_LINK = re.compile(r"https?(?=://)|www(?=\.)|(?=@)", re.IGNORECASE)
_WORD_JOINER = "\u2060"
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def subject(task: TaskInfo) -> str:
    """Return the question in one line."""
    return f"Render the other frames of {shot_name(task) or task.id}?"


def body(
    task: TaskInfo,
    frames: Mapping[int, Sequence[Frame]],
    forecast: Forecast,
    console_url: str,
    *,
    max_cost: Decimal | None = None,
    picture_url: Callable[[int, Frame], str] | None = None,
) -> str:
    """Return what a user needs for the decision: test frames, cost so far, and what "Approve" spends.

    :param task: the render.
    :param frames: its frames, by id of the leaf.
    :param forecast: its forecast.
    :param console_url: its page in the farm's web console.
    :param max_cost: its budget, None if it has none.
    :param picture_url: returns the address of the picture of a frame of a leaf; without it there are none.
    """
    progress = task.progress
    shot = escape(shot_name(task)) or "The render"
    state = f"pauses after {progress.done} of {progress.total} frames"
    lines = [
        f"{shot} {state}: [render {task.id}](<{console_url}>)",
        "",
        *_table(_figures(forecast, max_cost)),
    ]
    layers = forecast.layers
    if len(layers) > 1:
        rows = [
            (escape(layer.name), format_amount(layer.spent), _amount(layer.cost))
            for layer in layers[:_MAX_LAYERS]
        ]
        lines += ["", *_table([("Layer", "Cost so far", "Cost in the end"), *rows])]
        if len(layers) > _MAX_LAYERS:
            lines += ["", f"and {len(layers) - _MAX_LAYERS:,} more layers"]
    for layer in list_layers(task):
        failed = [frame.name for frame in frames.get(layer.leaf.id, ()) if frame.status in FAILED_STATUSES]
        if failed:
            lines += ["", f"**Failed** in {escape(layer.name)}: {escape(describe_frames(failed))}"]
    if picture_url is not None:
        lines += _pictures(task, frames, picture_url)
    return "\n".join(lines)


def escape(text: str) -> str:
    """Return a text of the farm as Markdown that shows just that text, on one line."""
    # Airflow makes links of web and mail addresses, also of those whose punctuation is escaped.
    unlinked = _LINK.sub(rf"\g<0>{_WORD_JOINER}", printable(text))
    return _PUNCTUATION.sub(r"\\\1", unlinked)


def _figures(forecast: Forecast, max_cost: Decimal | None) -> list[tuple[str, str]]:
    rows = [("Cost so far", format_amount(forecast.spent))]
    if forecast.cost is None:
        rows.append(("**Approve spends**", "**not known**: a layer has no frame that is done and charged"))
    else:
        more, in_the_end = format_amount(forecast.cost - forecast.spent), format_amount(forecast.cost)
        if forecast.high is not None:
            low, high = forecast.low - forecast.spent, forecast.high - forecast.spent
            frames = f"{forecast.samples} frame{'' if forecast.samples == 1 else 's'}"
            more += f" more** ({format_range(low, high)}, from {frames})"
            in_the_end += f" ({format_range(forecast.low, forecast.high)})"
        else:
            more += " more**"
        rows += [("**Approve spends**", f"**{more}"), ("Cost in the end", in_the_end)]
    if max_cost is not None:
        is_exceeded = forecast.exceeds(max_cost)
        rows.append(("max\\_cost", f"{max_cost}{' **is below the forecast**' if is_exceeded else ''}"))
    return rows


def _pictures(
    task: TaskInfo, frames: Mapping[int, Sequence[Frame]], picture_url: Callable[[int, Frame], str]
) -> Iterator[str]:
    """Yield rows of pictures, each below the name of its frame."""
    layers = [layer for layer in list_layers(task) if layer.has_frames]
    shown = [
        (layer, frame)
        for layer in layers
        for frame in frames.get(layer.leaf.id, ())
        if frame.status is FrameStatus.DONE and frame.has_files
    ]
    for start in range(0, min(len(shown), MAX_PICTURES), _PICTURES_PER_ROW):
        row = shown[start : min(start + _PICTURES_PER_ROW, MAX_PICTURES)]
        names = [
            escape(f"{layer.name} {frame.name}" if len(layers) > 1 else frame.name) for layer, frame in row
        ]
        pictures = [
            f"![{name}](<{picture_url(layer.leaf.id, frame)}>)"
            for name, (layer, frame) in zip(names, row, strict=True)
        ]
        yield from ("", *_table([names, pictures]))
    if len(shown) > MAX_PICTURES:
        yield from ("", f"and {len(shown) - MAX_PICTURES:,} more frames")


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    head, *others = rows
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    yield from (f"| {' | '.join(row)} |" for row in others)


def _amount(amount: Decimal | None) -> str:
    return "not known" if amount is None else format_amount(amount)
