"""The row of a render in a report, from the result of the render."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_renderbus.api.parsing import MAX_COUNT
from airflow_provider_renderbus.api.states import Phase, TaskStatus
from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.shot_names import scene_stem

NO_VALUE = "-"
_MAX_NAME_CHARS = 60
_MAX_WHY_CHARS = 300
_MAX_URL_CHARS = 300
_URL = re.compile(r"https?://[^\s<>\"'\\|`]+")


class RowOutcome(enum.StrEnum):
    """How a render ended, worst first."""

    FAILED = "failed"
    NO_FUNDS = "no funds"
    OVER_BUDGET = "over budget"
    KILLED = "killed"
    STOPPED = "stopped"
    NOT_SUBMITTED = "not submitted"
    REJECTED = "rejected"
    PAUSED = "paused"
    RENDERING = "rendering"
    SKIPPED = "skipped"
    FRAMES_FAILED = "done, frames failed"
    DONE = "done"


SUCCESSES = frozenset({RowOutcome.DONE, RowOutcome.FRAMES_FAILED})
_BY_STATE = {
    TaskStatus.FINISHED: RowOutcome.DONE,
    TaskStatus.FINISHED_HAS_FAILED: RowOutcome.FRAMES_FAILED,
    TaskStatus.ABANDON: RowOutcome.REJECTED,
    TaskStatus.ARREARAGE_STOP: RowOutcome.NO_FUNDS,
}
_BY_PHASE = {
    Phase.ACTIVE: RowOutcome.RENDERING,
    Phase.PAUSED: RowOutcome.PAUSED,
    Phase.STOPPED: RowOutcome.STOPPED,
}
# States that say more than that an Airflow task has failed.
_REFUSALS = {TaskStatus.ABANDON, TaskStatus.ARREARAGE_STOP}
_BY_REASON = {
    "insufficient_funds": RowOutcome.NO_FUNDS,
    "over_budget": RowOutcome.OVER_BUDGET,
    "killed": RowOutcome.KILLED,
    "not_submitted": RowOutcome.NOT_SUBMITTED,
    "skipped": RowOutcome.SKIPPED,
}


@dataclass(frozen=True, slots=True)
class Row:
    """A render in a report.

    :param name: of the shot.
    :param outcome: how it ended.
    :param why: why it failed, in words; empty if it did not.
    :param url: its page in the farm's web console, or empty.
    :param done: frames that are done.
    :param failed: frames that have failed.
    :param total: frames that it has; 0 if that is not known.
    :param cost: in the account's currency, or None.
    :param forecast: what it was to cost according to its test frames, or None.
    :param duration_seconds: how long it took, or None.
    :param render_task_id: its id, or None if it was never created.
    """

    name: str
    outcome: RowOutcome
    why: str = ""
    url: str = ""
    done: int = 0
    failed: int = 0
    total: int = 0
    cost: Decimal | None = None
    forecast: Decimal | None = None
    duration_seconds: float | None = None
    render_task_id: int | None = None

    @property
    def frames(self) -> str:
        """The frames in words: "22 of 24, 2 failed"."""
        if not self.total:
            return NO_VALUE
        return f"{self.done} of {self.total}" + (f", {self.failed} failed" if self.failed else "")


def row_of(result: Mapping[str, Any] | None) -> Row:
    """Return the row of a result. What is not readable in it is omitted, since the report is not to fail."""
    if result is None:
        return Row("unnamed", RowOutcome.KILLED, "The Airflow task has returned no result: see its log")
    frames = result.get("frames")
    frames = frames if isinstance(frames, Mapping) else {}
    forecast = result.get("forecast")
    url = str(result.get("console_url") or "")
    error = str(result.get("error") or "")
    failed = result.get("failed") or _failed_frames(result)
    render_task_id = result.get("render_task_id")
    return Row(
        name=_name(result),
        outcome=_outcome(result, error),
        why=printable("; ".join(filter(None, (str(failed), _first_sentence(error)))), _MAX_WHY_CHARS),
        url=url if len(url) <= _MAX_URL_CHARS and url.isprintable() and _URL.fullmatch(url) else "",
        done=_count(frames.get("done")),
        failed=_count(frames.get("failed")),
        total=_count(frames.get("total")),
        cost=_decimal(result.get("cost")),
        forecast=_decimal(forecast.get("cost") if isinstance(forecast, Mapping) else forecast),
        duration_seconds=_seconds(result.get("duration_seconds")),
        render_task_id=render_task_id if isinstance(render_task_id, int) else None,
    )


def _first_sentence(error: str) -> str:
    """Return an error without its list of failed frames, and without what to do about a failure of frames."""
    line = error.splitlines()[0] if error else ""
    return line.partition(". Not retrying: ")[0]


def _name(result: Mapping[str, Any]) -> str:
    for value in (result.get("name"), scene_stem(str(result.get("scene") or ""))):
        if name := printable(str(value or ""), _MAX_NAME_CHARS):
            return name
    number = result.get("render_task_id")
    return f"render {printable(str(number), 20)}" if number else "unnamed"


def _outcome(result: Mapping[str, Any], error: str) -> RowOutcome:
    reason, state = (str(result.get(name) or "") for name in ("reason", "state"))
    if reason in _BY_REASON:
        return _BY_REASON[reason]
    status = TaskStatus.__members__.get(state, TaskStatus.UNKNOWN)
    if error and status not in _REFUSALS:
        return RowOutcome.FAILED
    if not state:
        return RowOutcome.RENDERING if result.get("render_task_id") else RowOutcome.NOT_SUBMITTED
    return _BY_STATE.get(status) or _BY_PHASE.get(status.phase, RowOutcome.FAILED)


def _failed_frames(result: Mapping[str, Any]) -> str:
    groups = result.get("failed_frames")
    if not isinstance(groups, list):
        return ""
    return "; ".join(
        f"{group.get('layer')} {group.get('frames')}: {group.get('reason') or 'failed'}"
        for group in groups
        if isinstance(group, Mapping)
    )


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 < value <= MAX_COUNT else 0


def _decimal(value: Any) -> Decimal | None:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and abs(amount) < Decimal(10) ** 12 else None


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < 10**9 else None
