"""Keeps what is known of a render in an XCom, from its id to its end, also if its Airflow task fails.

A failed Airflow task returns nothing. A report of the run reads these records instead
(:mod:`airflow_provider_renderbus.reports`).
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.errors import InsufficientFunds
from airflow_provider_renderbus.api.validation import parse_task_id
from airflow_provider_renderbus.compat import AirflowSkipException
from airflow_provider_renderbus.metrics import count_renders
from airflow_provider_renderbus.renders.results import Outcome
from airflow_provider_renderbus.renders.submit import BelowMinFunds
from airflow_provider_renderbus.shot_names import shot_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_renderbus.renders.results import WaitResult

log = logging.getLogger(__name__)

RECORD_KEY = "renderbus_render"
"""Key of the XCom."""
MAX_RENDERS = 100
"""Renders of one Airflow task that a record names."""
_MAX_ERROR_CHARS = 1000
_MAX_REASONS_CHARS = 300
_FIELDS = ("render_task_id", "scene", "state", "frames", "cost", "duration_seconds", "console_url")
_FORECAST_FIELDS = ("cost", "low", "high")
_MAX_FOLDERS = 3


def push_start(operator: Any, context: Any, render_task_ids: Iterable[int]) -> None:
    """Record renders whose end is not known yet.

    :param operator: an operator or sensor.
    :param context: of its Airflow task.
    :param render_task_ids: ids of the renders.
    """
    operator.recorded_ids = list(render_task_ids)
    renders = [
        {"render_task_id": render_task_id, "console_url": operator.hook.console_url(render_task_id)}
        for render_task_id in operator.recorded_ids
    ]
    _push(operator, context, "started", renders)


def push_success(operator: Any, context: Any, returned: Any) -> None:
    """Record the end of an Airflow task that has succeeded, if it has returned results of renders."""
    results = returned if isinstance(returned, list) else [returned]
    renders = [result for result in results if isinstance(result, dict) and "render_task_id" in result]
    if renders and all("state" in result for result in renders):
        _push(operator, context, "succeeded", renders)
        count_renders("succeeded", renders)


def push_failure(operator: Any, context: Any, error: BaseException) -> None:
    """Record why an Airflow task fails, with what is known of its renders."""
    ended: WaitResult | None = getattr(operator, "ended_wait", None)
    result = ended.result if ended else None
    renders = result if isinstance(result, list) else [result] if result else _named_renders(operator)
    outcome = "skipped" if isinstance(error, AirflowSkipException) else "failed"
    reason = ""
    if isinstance(error.__cause__, InsufficientFunds | BelowMinFunds):
        reason = "insufficient_funds"
    elif ended and ended.outcome is Outcome.OVER_BUDGET:
        reason = Outcome.OVER_BUDGET.value
    _push(operator, context, outcome, renders, str(error) or type(error).__name__, reason)
    if result:
        count_renders("failed", renders)


def _named_renders(operator: Any) -> list[dict[str, Any]]:
    """Return the renders that an operator was given or has submitted, as far as their ids are valid."""
    given = getattr(operator, "recorded_ids", ()) or getattr(operator, "render_task_id", None)
    ids = given if isinstance(given, list | tuple) else [given]
    renders = []
    for each in ids:
        with contextlib.suppress(ValueError):
            renders.append({"render_task_id": parse_task_id("render_task_id", each)})
    return renders


def _push(
    operator: Any,
    context: Any,
    outcome: str,
    renders: Iterable[Mapping[str, Any]],
    error: str = "",
    reason: str = "",
) -> None:
    """Push a record; a failure of that must not fail the Airflow task."""
    try:
        ti = context["ti"]
        record = {
            "task_id": ti.task_id,
            "map_index": ti.map_index,
            "outcome": outcome,
            "name": getattr(operator, "shot", None) or _name(operator),
            "error": error[:_MAX_ERROR_CHARS],
            "reason": reason,
            "renders": [_shortened(render) for render in list(renders)[:MAX_RENDERS]],
        }
        ti.xcom_push(key=RECORD_KEY, value=record)
    except Exception as failure:  # noqa: BLE001 - see above
        log.warning("A report of this run will lack details of this task: %r", failure)


def _name(operator: Any) -> str | None:
    return shot_name(getattr(operator, "labels", None), getattr(operator, "task_json", None))


def _shortened(render: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a result that a report shows, in a size that does not grow with the frames."""
    fields = {name: render[name] for name in _FIELDS if render.get(name) is not None}
    if folders := render.get("output_folders"):
        fields["output_folders"] = list(folders)[:_MAX_FOLDERS]
    if forecast := render.get("forecast"):
        fields["forecast"] = {name: forecast.get(name) for name in _FORECAST_FIELDS}
    if groups := render.get("failed_frames"):
        lines = [f"{group['layer']} {group['frames']}: {group['reason'] or 'failed'}" for group in groups]
        fields["failed"] = "; ".join(lines)[:_MAX_REASONS_CHARS]
    return fields
