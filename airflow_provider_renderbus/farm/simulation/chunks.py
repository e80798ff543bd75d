"""How a job is cut into the pieces that machines render, which the farm's answers call frames.

A piece is one frame, several frames for one machine (``frames_per_task``), one tile of a frame, the frame
that is merged from its tiles, a whole simulation, or the single step of a preprocessing or photon pass.
Pieces are rendered stage by stage: priority frames first, and what is merged after its tiles.
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
"""A merged frame takes this part of a frame's time."""


class FrameType(IntEnum):
    """``frameType`` of the farm's answers."""

    PREPROCESS = 1
    PHOTON = 2
    PRIORITY = 4
    MAIN = 5
    PRIORITY_MERGED = 6
    MAIN_MERGED = 7
    SIMULATION = 8


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a machine renders in one go.

    :param index: its name, ``frameIndex``.
    :param type: its kind.
    :param stage: pieces of a lower stage are rendered before it.
    :param frames: the frames on which its time depends.
    :param share: the part of their time that it takes.
    :param files: whether it makes the files of these frames.
    :param block: the number of its tile, ``frameBlock``.
    """

    name: str
    type: FrameType
    stage: int
    frames: tuple[int, ...]
    time_fraction: float = 1.0
    has_files: bool = True
    tile: str = ""


def single_chunk(kind: FrameType) -> tuple[Chunk, ...]:
    """Return the pieces of a pass that prepares: it is one step and makes no file."""
    return (Chunk("0", kind, MAIN_STAGE, (0,), has_files=False),)


@lru_cache(maxsize=256)
def main_chunks(job: Job) -> tuple[Chunk, ...]:
    """Cut a job in its pieces. A merged frame follows its tiles in the list."""
    if job.is_simulation:
        return (Chunk(job.frames_range, FrameType.SIMULATION, MAIN_STAGE, job.frames),)
    first = frozenset(parse_priority_frames(job.priority_frames, job.frames))
    rest = [frame for frame in job.frames if frame not in first]
    return (
        *_split(job, sorted(first), 0, FrameType.PRIORITY, FrameType.PRIORITY_MERGED),
        *_split(job, rest, MAIN_STAGE, FrameType.MAIN, FrameType.MAIN_MERGED),
    )


def _split(
    job: Job, frames: Sequence[int], stage: int, plain: FrameType, merged: FrameType
) -> Iterator[Chunk]:
    if job.tiles == 1:
        for index, group in _group_frames(frames, job.frames_per_chunk):
            yield Chunk(index, plain, stage, group)
        return
    for frame in frames:
        for tile in range(1, job.tiles + 1):
            yield Chunk(f"{frame}-{tile}", plain, stage, (frame,), 1 / job.tiles, tile=str(tile))
        yield Chunk(str(frame), merged, stage + 1, (frame,), MERGE_TIME_FRACTION)


def _group_frames(frames: Sequence[int], size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Cut frames into groups of a size, each of an even step, and name each: ``6`` or ``7-9[1]``."""
    start = 0
    while start < len(frames):
        end = start + 1
        step = frames[end] - frames[start] if end < len(frames) else 0
        while end < min(start + size, len(frames)) and 0 < step == frames[end] - frames[end - 1]:
            end += 1
        group = tuple(frames[start:end])
        yield str(group[0]) if len(group) == 1 else f"{group[0]}-{group[-1]}[{step}]", group
        start = end
