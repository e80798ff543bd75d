"""Adds console URL and failed frames, with the reasons in their logs, to the result of a finished render.

A report fits a message and an XCom however many frames have failed: frames are ranges per layer and reason,
and only a few logs are read. What was not read is not claimed to be known.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.api.frame_names import describe_frames
from airflow_provider_renderbus.api.states import FrameStatus, TaskStatus
from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.renders.failed_frames import FAILED_STATUSES
from airflow_provider_renderbus.renders.results import layer_summaries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from airflow_provider_renderbus.api.models.frames import FrameState, LogPage
    from airflow_provider_renderbus.clients.flows import Flow
    from airflow_provider_renderbus.renders.client import RenderClient
    from airflow_provider_renderbus.renders.results import WaitResult

log = logging.getLogger(__name__)

MAX_LOGS = 10
"""Logs that are read for a report."""
MAX_MESSAGE_BYTES = 4_000
"""Size of a message with a report."""
MAX_REPORT_BYTES = 8_000
"""Size of the failed frames in a result, which has to fit an XCom with the rest of it."""
_LOGS_PER_LAYER = 3
_MAX_LINES, _MAX_CHARACTERS = 10, 1000
_MAX_REASON_CHARS = 160
_MIN_BYTES = 1_000
# A line of a log that says what went wrong; else the last one is taken.
_ERROR_LINE = re.compile(
    r"error|fatal|fail|out of memory|exception|cannot|can't|not found|missing|killed|abort|denied|exceeded",
    re.IGNORECASE,
)


class FailedFrames(NamedTuple):
    """Failed frames of a layer for one reason.

    :param layer: name of the layer.
    :param render_task_id: id of its leaf.
    :param names: names of the frames.
    :param reason: what their logs say, in the words of one of them; "" if no log was read.
    :param logs_read: how many logs of these frames were read.
    :param log: the end of one of them.
    """

    layer: str
    render_task_id: int
    names: Sequence[str]
    reason: str = ""
    logs_read: int = 0
    log: str = ""

    @property
    def line(self) -> str:
        """The frames and the reason, for a message."""
        frames = f"{self.layer} {describe_frames(self.names)}"
        if not self.logs_read:
            return f"{frames}: {self.reason or 'failed'} (log not read)"
        return f"{frames}: {self.reason} ({self.logs_read} log{'s' if self.logs_read > 1 else ''} read)"

    def to_dict(self) -> dict[str, Any]:
        """Return small JSON."""
        return {
            "layer": self.layer,
            "render_task_id": self.render_task_id,
            "frames": describe_frames(self.names),
            "count": len(self.names),
            "reason": self.reason,
            "logs_read": self.logs_read,
            "log": self.log,
        }


@dataclass(slots=True)
class Report:
    """The failed frames of a render, by layer and reason.

    :param groups: frames for one reason each.
    :param logs: ends of the logs that were read, by id of the frame.
    :param frames: failed frames by name of the layer.
    """

    groups: list[FailedFrames] = field(default_factory=list)
    logs: dict[int, str] = field(default_factory=dict)
    frames: dict[str, tuple[FrameState, ...]] = field(default_factory=dict)


def add_failure_report(
    client: RenderClient, wait_result: WaitResult, folder: Path | None = None
) -> WaitResult:
    """Add ``console_url`` and ``failed_frames`` to each summary of a result, and to its message.

    :param folder: where a file with all failed frames is written, if any has failed.
    """
    if wait_result.result is None:
        return wait_result
    summaries = wait_result.result if isinstance(wait_result.result, list) else [wait_result.result]
    lines: list[str] = []
    results = []
    for summary in summaries:
        result, report_lines = _add_report(client, summary, MAX_REPORT_BYTES // len(summaries), folder)
        results.append(result)
        lines += report_lines
    return replace(
        wait_result,
        message=_fit_message(wait_result.message, lines),
        result=results if isinstance(wait_result.result, list) else results[0],
    )


def build_report(client: RenderClient, layers: Sequence[Mapping[str, Any]]) -> Report:
    """List the failed frames of layers, and read some of their logs.

    :param layers: as in the result of a render.
    """
    report = Report()
    for layer in layers:
        failed = client.run(flows.list_frame_states(layer["render_task_id"], FAILED_STATUSES))
        if failed:
            report.frames[layer["name"]] = failed
    logs_per_layer = max(1, min(_LOGS_PER_LAYER, MAX_LOGS // max(1, len(report.frames))))
    ids = {layer["name"]: layer["render_task_id"] for layer in layers}
    for name, failed in report.frames.items():
        for status in (FrameStatus.ERROR, FrameStatus.TIMEOUT):
            frames = [frame for frame in failed if frame.status is status]
            samples = _samples(frames, min(logs_per_layer, MAX_LOGS - len(report.logs)))
            logs = {frame.name: text for frame in samples if (text := _read_log(client, frame)) is not None}
            report.logs |= {frame.id: logs[frame.name] for frame in samples if frame.name in logs}
            known = "timed out" if status is FrameStatus.TIMEOUT else ""
            report.groups += _group(name, ids[name], [frame.name for frame in frames], logs, known)
    return report


def write_report(report: Report, task_id: int, folder: Path) -> Path:
    """Write a file with all failed frames to a folder, and return its path.

    :raises OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{task_id}_failed_frames.json"
    new = path.with_name(f".{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        file.write(f'{{"render_task_id": {task_id}, "failed_frames": [')
        separator = "\n"
        for layer, frames in report.frames.items():
            for frame in frames:
                entry = {
                    "layer": layer,
                    "frame": frame.name,
                    "id": frame.id,
                    "status": frame.status.name,
                    "recommits": frame.recommits,
                    "log": report.logs.get(frame.id),
                }
                file.write(f"{separator}{json.dumps(entry, ensure_ascii=False)}")
                separator = ",\n"
        file.write("\n]}\n")
    return new.replace(path)


def _add_report(
    client: RenderClient, summary: dict[str, Any], max_bytes: int, folder: Path | None
) -> tuple[dict[str, Any], list[str]]:
    """Return the summary of a render with its report, and the lines of its message."""
    task_id = summary["render_task_id"]
    url = client.console_url(task_id)
    report = Report()
    lines = [f"Render {task_id} in the web console: {url}"]
    has_failed = summary["state"] == TaskStatus.FAILED.name
    # The triggerer of an earlier version sends no layers.
    layers = summary.get("layers") or []
    if summary["frames"]["failed"] or has_failed:
        try:
            layers = layers or layer_summaries(client.run(flows.get_task(task_id)))
            report = build_report(client, layers)
        except Exception as error:  # noqa: BLE001 - the result of the render is not to be lost for its details
            log.warning("Render %s: could not list its failed frames: %s", task_id, error)
    # Marked, so that no text of the farm begins a line.
    lines += [f"- {group.line}" for group in report.groups]
    if report.groups and folder is not None:
        try:
            lines.insert(1, f"All failed frames: {write_report(report, task_id, folder)}")
        except OSError as error:
            log.warning("Render %s: could not write the file of its failed frames: %s", task_id, error)
    if has_failed and not report.groups:
        lines.append(
            "The farm names no failed frame and gives no reason: see the render's logs in the web console"
        )
    failed = {
        name: describe_frames((frame.name for frame in frames), 60) for name, frames in report.frames.items()
    }
    return {
        **summary,
        "layers": [{**layer, "failed_frames": failed.get(layer["name"], "")} for layer in layers],
        "console_url": url,
        "failed_frames": _fit_result(report.groups, max_bytes),
    }, lines


def _samples(frames: Sequence[FrameState], count: int) -> list[FrameState]:
    """Return a number of frames: the first, the last, and some between."""
    if count < 1 or not frames:
        return []
    steps = max(1, min(count, len(frames)) - 1)
    picked = [round(step * (len(frames) - 1) / steps) for step in range(min(count, len(frames)))]
    return [frames[index] for index in dict.fromkeys(picked)]


def _group(
    layer: str, leaf_id: int, names: Sequence[str], logs: Mapping[str, str], known: str
) -> Iterator[FailedFrames]:
    """Yield the failed frames of a layer by reason; those of unread logs apart if the read ones differ.

    :param logs: ends of logs by name of the frame.
    :param known: what is known without a log.
    """
    by_reason: dict[str, dict[str, str]] = {}
    for name, text in logs.items():
        # Frame numbers, times and sizes differ in logs of one kind.
        by_reason.setdefault(re.sub(r"[0-9]+", "#", _reason(text)), {})[name] = text
    if len(by_reason) == 1:
        texts = list(logs.values())
        yield FailedFrames(layer, leaf_id, names, _reason(texts[0]), len(texts), texts[-1])
        return
    for same in by_reason.values():
        texts = list(same.values())
        yield FailedFrames(layer, leaf_id, list(same), _reason(texts[0]), len(texts), texts[-1])
    if rest := [name for name in names if name not in logs]:
        yield FailedFrames(layer, leaf_id, rest, known)


def _reason(text: str) -> str:
    """Return the line of a log that says best what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    best = next((line for line in reversed(lines) if _ERROR_LINE.search(line)), lines[-1] if lines else "")
    return printable(best, _MAX_REASON_CHARS) or "its log is empty"


def _read_log(client: RenderClient, frame: FrameState) -> str | None:
    """Return the end of a frame's log, None if it cannot be read."""
    try:
        return client.run(log_end(frame.id))
    except RenderbusError as error:
        log.warning("Frame %s: its log could not be read: %s", printable(frame.name), error)
        return None


def log_end(frame_id: int) -> Flow[str]:
    """Read the last lines of a frame's log."""
    pages: list[LogPage] = yield [calls.show_log(frame_id)]
    last = pages[0].page_count or 1
    if last > 1:
        # The documents count pages from 0 and the vendor's client from 1, so either can be the last.
        pages = yield [calls.show_log(frame_id, page_num) for page_num in (last - 1, last)]
    lines = next((page.lines for page in reversed(pages) if page.lines), ())
    return "\n".join(printable(line, _MAX_CHARACTERS) for line in lines[-_MAX_LINES:])[-_MAX_CHARACTERS:]


def _fit_message(message: str, lines: Sequence[str]) -> str:
    """Return a message with as many lines as fit, and the number of others."""
    shown = [_cut(message, MAX_MESSAGE_BYTES - _MIN_BYTES)]
    size = len(shown[0].encode())
    for index, line in enumerate(lines):
        size += len(line.encode()) + 1
        if size > MAX_MESSAGE_BYTES - 100:
            shown.append(f"and {len(lines) - index:,} more lines: see the web console")
            break
        shown.append(line)
    return "\n".join(shown)


def _fit_result(groups: Iterable[FailedFrames], max_bytes: int) -> list[dict[str, Any]]:
    """Return as many groups as fit, the last ones without logs."""
    result: list[dict[str, Any]] = []
    rest = list(groups)
    size = 0
    for group in rest:
        entry = group.to_dict()
        if size + _size(entry) > max_bytes:
            entry["log"] = ""
        size += _size(entry)
        if size > max_bytes:
            break
        result.append(entry)
    return result


def _size(entry: Mapping[str, Any]) -> int:
    return len(json.dumps(entry)) + 2


def _cut(text: str, max_bytes: int) -> str:
    encoded = text.encode()
    return text if len(encoded) <= max_bytes else f"{encoded[:max_bytes].decode(errors='ignore')}…"
