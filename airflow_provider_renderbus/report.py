"""What a person asks next when a render has ended: where it is, which frames failed, and with what log."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.clients.failures import failed_frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
    from airflow_provider_renderbus.waits.events import Event

log = logging.getLogger(__name__)


def in_full(hook: RenderbusHook, event: Event) -> Event:
    """Return an end of waiting with the address of each render and its failed frames in result and message.

    :param hook: the farm's hook.
    :param event: how the waiting ended.
    """
    if event.result is None:
        return event
    given = [event.result] if isinstance(event.result, dict) else event.result
    results = [_complete(hook, result) for result in given]
    lines = [event.message, *(line for result in results for line in _lines(result))]
    return dataclasses.replace(
        event, message="\n".join(lines), result=results[0] if isinstance(event.result, dict) else results
    )


def _complete(hook: RenderbusHook, result: dict[str, Any]) -> dict[str, Any]:
    number = result["number"]
    failed: list[dict[str, str]] = []
    if result["frames"]["failed"]:
        try:
            failed = [frame._asdict() for frame in hook.run(failed_frames(number))]
        except RenderbusError as problem:
            log.warning("The failed frames of task %s could not be asked for: %s", number, problem)
    return {**result, "url": hook.console_url(number), "failed_frames": failed}


def _lines(result: dict[str, Any]) -> Iterator[str]:
    frames = ", ".join(f"{count} {state}" for state, count in result["frames"].items())
    took = "" if result["seconds"] is None else f", {result['seconds']:g} s"
    yield f"task {result['number']}: {frames}, cost {result['cost']}{took}: {result['url']}"
    for frame in result["failed_frames"]:
        yield f"frame {frame['frame']} failed; the end of its log: {frame['log'] or 'none'}"
