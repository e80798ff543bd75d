"""What a finished render tells the DAGs that are scheduled by its Asset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Asset

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.providers.common.compat.sdk import Context

_TOLD = ("number", "state", "frames", "cost", "outputs", "url")


def announce(context: Context, outlets: Iterable[Any], result: Any) -> None:
    """Put number, state, frames, cost, output folders and address of a render into the events of its Assets.

    :param context: of the Airflow task.
    :param outlets: what the operator updates.
    :param result: what it returns; only that of a single render is told.
    """
    if not isinstance(result, dict):
        return
    for outlet in outlets:
        if isinstance(outlet, Asset):
            context["outlet_events"][outlet].extra.update({name: result[name] for name in _TOLD})
