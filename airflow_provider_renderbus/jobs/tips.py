"""What an analysis found, and which of it stops the job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.jobs.words import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_renderbus.api.models.analysis import ErrorDetail

MOST_PLACES = 3
"""Texts told of one finding: an analysis lists each file of thousands."""


def check(tips: Mapping[str, Any], details: Iterable[ErrorDetail]) -> tuple[str, ...]:
    """Check what an analysis found against what the farm says about it.

    :param tips: the content of tips.json: a text or a list of texts by code.
    :param details: what the farm knows about these codes, from ``query_error_detail``.
    :return: a line for each finding that does not stop the job.
    :raises ValueError: a finding is an error that the farm enforces. A line for each of them, with what was
        found and what to do about it.
    """
    known: dict[str, ErrorDetail] = {}
    for detail in details:
        if detail.code not in known or detail.stops_the_job:
            known[detail.code] = detail
    stopping: list[str] = []
    others: list[str] = []
    for code, found in tips.items():
        about = known.get(code)
        lines = stopping if about is not None and about.stops_the_job else others
        lines.append(_line(code, [found] if isinstance(found, str) else found, about))
    if stopping:
        raise ValueError("\n".join(stopping))
    return tuple(others)


def _line(code: str, found: list[str], about: ErrorDetail | None) -> str:
    description = about.description if about is not None and about.description else "not described"
    line = f"tips.json: {code}: {one_line(description)}"
    if found:
        more = f" and {len(found) - MOST_PLACES} more" if len(found) > MOST_PLACES else ""
        line += f"; found: {', '.join(map(one_line, found[:MOST_PLACES]))}{more}"
    if about is not None and about.solution:
        line += f"; to do: {one_line(about.solution)}"
    return line
