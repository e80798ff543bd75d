"""Plots the figures of dev.benchmarks.waiting: CPU by the number of tasks, and when changes are told."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_WIDTH, _HEIGHT = 340, 240
_COLOURS = {"ours": "#1f77b4", "one_request_each": "#d62728"}
_NAMES = {"ours": "one poller for all", "one_request_each": "one request a trigger"}


def picture(figures: dict[str, Any], interval: float) -> str:
    """Return the picture as SVG.

    :param figures: what `dev.benchmarks.waiting` has measured.
    :param interval: seconds between two looks at a task.
    """
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 340">',
            "<style>text { font: 12px sans-serif }</style>",
            '<rect width="860" height="340" fill="white"/>',
            '<g transform="translate(60 50)">',
            *_cpu(figures["by_count"]),
            '</g><g transform="translate(490 50)">',
            *_delays(figures["delays_s"], interval),
            "</g></svg>\n",
        ]
    )


def _cpu(cases: list[dict[str, Any]]) -> Iterable[str]:
    """CPU seconds an interval by the number of plain tasks, both on scales of powers of ten."""
    plain = [case for case in cases if case["kind"] == "plain"]
    lines = {
        side: [(case["tasks"], _cpu_of_all(case, side)) for case in plain]
        for side in ("ours", "one_request_each")
    }
    values = [seconds for line in lines.values() for _, seconds in line]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    first, last = (math.log10(plain[place]["tasks"]) for place in (0, -1))

    def place(tasks: float, seconds: float) -> tuple[float, float]:
        x = (math.log10(tasks) - first) / max(last - first, 1e-9)
        return x * _WIDTH, _HEIGHT * (high - math.log10(seconds)) / (high - low)

    yield _text(0, -25, "CPU seconds an interval, by waiting tasks", weight="bold")
    for power in range(low, high + 1):
        y = place(plain[0]["tasks"], 10.0**power)[1]
        yield _line([(0, y), (_WIDTH, y)], "#ddd")
        yield _text(-8, y + 4, f"{10.0**power:g}", anchor="end")
    for case in plain:
        yield _text(place(case["tasks"], 1.0)[0], _HEIGHT + 18, f"{case['tasks']:,}", anchor="middle")
    for height, (side, line) in enumerate(lines.items()):
        points = [place(*point) for point in line]
        yield _line(points, _COLOURS[side], 2)
        yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{_COLOURS[side]}"/>' for x, y in points)
        yield _text(10, 14 + 16 * height, _NAMES[side], colour=_COLOURS[side])


def _cpu_of_all(case: dict[str, Any], side: str) -> float:
    """CPU of an interval; for one request each, of as many requests as there are tasks."""
    figures = case[side]
    scale = case["tasks"] / figures["requests"] if side == "one_request_each" else 1.0
    return float(figures["cpu_seconds"]) * scale


def _delays(delays: list[float], interval: float) -> Iterable[str]:
    """The share of changes that were told, by the seconds since the change."""
    longest = max(1.1 * interval, *(delay for delay in delays if delay != math.inf))
    points = [
        (_WIDTH * min(delay, longest) / longest, _HEIGHT * (1 - place / len(delays)))
        for place, delay in enumerate(delays, 1)
    ]
    yield _text(0, -25, "Changes that were told, by seconds since the change", weight="bold")
    for share in (0, 25, 50, 75, 100):
        y = _HEIGHT * (1 - share / 100)
        yield _line([(0, y), (_WIDTH, y)], "#ddd")
        yield _text(-8, y + 4, f"{share} %", anchor="end")
    for seconds in (0.0, interval / 2, interval):
        yield _text(_WIDTH * seconds / longest, _HEIGHT + 18, f"{seconds:g}", anchor="middle")
    end = _WIDTH * interval / longest
    yield _line([(end, 0), (end, _HEIGHT)], "#888")
    yield _text(end - 6, _HEIGHT - 8, "one interval", anchor="end", colour="#666")
    yield _line([(0, _HEIGHT), *points[:: max(1, len(points) // 200)], points[-1]], _COLOURS["ours"], 2)


def _line(points: list[tuple[float, float]], colour: str, width: int = 1) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", colour: str = "#222", weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-weight="{weight}">{text}</text>'
    )
