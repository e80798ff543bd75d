"""Splits a job into chunks: what one machine renders at a time, called a frame in the farm's answers.

A chunk is one frame, several frames (``frames_per_task``), one tile of a frame, the merge of a frame's tiles,
a whole simulation, or the single step of a preprocessing or photon pass. Chunks are rendered stage by stage:
priority frames first, and a merge after its tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.pictures.ranges import parse_priority_frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_renderbus.farm.pictures.task_json import Job

MAIN_STAGE = 2
"""The first stage after the priority frames."""
MERGE_TIME_FRACTION = 0.1
"""Time of a merge, as a fraction of the frame's time."""


class FrameType(IntEnum):
    """``frameType`` of the farm's answers."""

    PREPROCESS = 1
    PHOTON = 2
    PRIORITY = 4
    MAIN = 5
    PRIORITY_MERGED = 6
    MAIN_MERGED = 7
    SIMULATION = 8


MERGED_TYPES = frozenset({FrameType.PRIORITY_MERGED, FrameType.MAIN_MERGED})


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one machine renders at a time.

    :param name: ``frameIndex``.
    :param type: ``frameType``.
    :param stage: chunks of lower stages are rendered first.
    :param frames: frame numbers, which determine the time.
    :param time_fraction: fraction of the frames' time that this chunk takes.
    :param has_files: whether it produces the files of its frames.
    :param tile: number of the tile, ``frameBlock``; "" for whole frames.
    """

    name: str
    type: FrameType
    stage: int
    frames: tuple[int, ...]
    time_fraction: float = 1.0
    has_files: bool = True
    tile: str = ""


def single_chunk(frame_type: FrameType) -> tuple[Chunk, ...]:
    """Return the only chunk of a preprocessing or photon pass, which produces no file."""
    return (Chunk("0", frame_type, MAIN_STAGE, (0,), has_files=False),)


@lru_cache(maxsize=256)
def main_chunks(job: Job) -> tuple[Chunk, ...]:
    """Split a job into chunks. The merge of a frame follows its tiles."""
    if job.is_simulation:
        return (Chunk(job.frames_range, FrameType.SIMULATION, MAIN_STAGE, job.frames),)
    priority = frozenset(parse_priority_frames(job.priority_frames, job.frames))
    others = [frame for frame in job.frames if frame not in priority]
    return (
        *_split(job, sorted(priority), 0, FrameType.PRIORITY, FrameType.PRIORITY_MERGED),
        *_split(job, others, MAIN_STAGE, FrameType.MAIN, FrameType.MAIN_MERGED),
    )


def _split(
    job: Job, frames: Sequence[int], stage: int, frame_type: FrameType, merged_type: FrameType
) -> Iterator[Chunk]:
    if job.tiles == 1:
        for name, group in _group_frames(frames, job.frames_per_chunk):
            yield Chunk(name, frame_type, stage, group)
        return
    for frame in frames:
        for tile in range(1, job.tiles + 1):
            yield Chunk(f"{frame}-{tile}", frame_type, stage, (frame,), 1 / job.tiles, tile=str(tile))
        yield Chunk(str(frame), merged_type, stage + 1, (frame,), MERGE_TIME_FRACTION)


def _group_frames(frames: Sequence[int], size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Split frames into groups of at most a size, each with a constant step, named ``6`` or ``7-9[1]``."""
    start = 0
    while start < len(frames):
        end = start + 1
        step = frames[end] - frames[start] if end < len(frames) else 0
        while end < min(start + size, len(frames)) and 0 < step == frames[end] - frames[end - 1]:
            end += 1
        group = tuple(frames[start:end])
        yield str(group[0]) if len(group) == 1 else f"{group[0]}-{group[-1]}[{step}]", group
        start = end
