"""What the farm reads from an uploaded task.json: which frames of what scene, and how large."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_FRAMES = 20_000
MOST_PIXELS = 64_000_000
LONGEST_STEM = 50
RANGE = re.compile(r"(-?\d+)(?:-(-?\d+)(?:\[(\d+)\])?)?")


@dataclass(frozen=True, slots=True)
class Job:
    """A job as task.json describes it.

    :param scene: the name of the scene file, with its ending.
    :param frames: the numbers of its frames, in the order in which they are rendered.
    :param frames_range: the frames as task.json gives them.
    :param width: of a frame, pixels.
    :param height: of a frame, pixels.
    :param camera: the camera that is rendered, "" where none is named.
    :param cg_id: the number of the software.
    :param project: the project's name.
    :param ram: memory of a machine, GB.
    :param warn_after: seconds after which the user is warned.
    """

    scene: str
    frames: tuple[int, ...]
    frames_range: str
    width: int
    height: int
    camera: str
    cg_id: int
    project: str
    ram: int
    warn_after: int

    @property
    def stem(self) -> str:
        """The scene's name without its ending, as it stands in the names of output files."""
        stem = self.scene.rpartition(".")[0] or self.scene
        return "".join(letter if letter.isprintable() else "_" for letter in stem)[:LONGEST_STEM]


NO_JOB = Job("", (), "", 0, 0, "", 0, "", 0, 0)
"""The job of a task that was not submitted."""


def read_job(task_json: Mapping[str, Any]) -> Job:
    """Read a task.json.

    :param task_json: its content.
    :return: the job. A scene without frames is one frame, one without a size is rendered in 320x180.
    :raises ValueError: it cannot be rendered; the message says why.
    """
    info = task_json.get("task_info")
    scene = task_json.get("scene_info_render") or task_json.get("scene_info") or {}
    if not isinstance(info, dict) or not isinstance(scene, dict):
        raise ValueError("expected the objects task_info and scene_info_render or scene_info")
    common = _holder_of_frames(scene) or {}
    frames_range = str(common.get("frames", "0"))
    width, height = _number(common, "width", 320), _number(common, "height", 180)
    if width < 1 or height < 1 or width * height > MOST_PIXELS:
        raise ValueError(f"{width}x{height} pixels; expected 1x1 to {MOST_PIXELS} pixels in all")
    return Job(
        scene=re.split(r"[/\\]", str(info.get("input_cg_file", "")).rstrip("/\\"))[-1] or "scene",
        frames=read_frames(frames_range),
        frames_range=frames_range,
        width=width,
        height=height,
        camera=str(common.get("camera_name", "")),
        cg_id=_number(info, "cg_id", 0),
        project=str(info.get("project_name", "")),
        ram=_number(info, "ram", 64),
        warn_after=_number(info, "time_out", 43_200),
    )


def read_frames(text: str) -> tuple[int, ...]:
    """Read frames such as ``1-10[2],15``: ranges with a step, joined by commas.

    :return: the numbers of the frames, each once.
    :raises ValueError: the text is not of this form, or names more than 20,000 frames.
    """
    frames: dict[int, None] = {}
    for part in text.split(","):
        match = RANGE.fullmatch(part.strip())
        if not match:
            raise ValueError(f"frames {text[:80]!r}; expected ranges such as 1-10[1], joined by commas")
        first = int(match[1])
        numbers = range(first, int(match[2] or first) + 1, max(int(match[3] or 1), 1))
        if not numbers or len(numbers) + len(frames) > MOST_FRAMES:
            raise ValueError(f"frames {text[:80]!r}; expected 1 to {MOST_FRAMES} frames, start before end")
        frames.update(dict.fromkeys(numbers))
    return tuple(frames)


def _holder_of_frames(scene: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the first object that has frames: where it stands differs from software to software."""
    if "frames" in scene:
        return scene
    for value in scene.values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and (found := _holder_of_frames(item)):
                return found
    return None


def _number(fields: Mapping[str, Any], name: str, default: int) -> int:
    value = fields.get(name, default)
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} is {str(value)[:80]!r}; expected a whole number") from None
