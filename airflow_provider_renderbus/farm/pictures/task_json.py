"""What the farm reads from an uploaded task.json: the layers of a scene, their frames, and how large."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.pictures.formats import DEEP, DEFAULT, ENDINGS, LONGEST_SIDE, tiles
from airflow_provider_renderbus.farm.pictures.passes import Pass, pass_of
from airflow_provider_renderbus.farm.pictures.ranges import MOST_FRAMES, priority_frames, read_frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LARGEST_NUMBER = 10**9
MOST_PIXELS = 64_000_000
MOST_TILES = 1000
MOST_LAYERS = 100
LONGEST_STEM = 50
LONGEST_NAME = 200  # bytes of a file's name, before the frame's number
FORMATS = ("Render_Format", "regular_image_format", "image_format")
"""Where Blender, Cinema 4D and others say in what format they want their frames."""
SIMULATIONS = {"geo_node", "distributedsim_node"}
"""Houdini's lists whose nodes are simulated by one machine in one go."""
PAUSE = "1"
"""``stop_after_test``: pause after the priority frames."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one layer of a scene asks for; most scenes have one.

    :param scene: the name of the scene file, with its ending.
    :param frames_range: the frames as task.json gives them.
    :param width: of a frame, pixels.
    :param height: of a frame, pixels.
    :param camera: the camera that is rendered, "" where none is named.
    :param cg_id: the number of the software.
    :param project: the project's name.
    :param ram: memory of a machine, GB.
    :param warn_after: seconds after which the user is warned.
    :param layer: the layer's name, "" in a scene of one layer.
    :param simulation: one machine makes all frames in one go.
    :param frames_per_piece: frames rendered by one machine in one go.
    :param tiles: tiles a frame is cut in.
    :param tiles_type: how: ``block`` or ``strip``.
    :param ending: of its picture files, which tells their format.
    :param priority: the priority frames as task.json gives them.
    :param pause: pause after the priority frames.
    :param frame_limit: seconds that a frame may take, 0 for any time.
    :param task_limit: seconds that the whole task may take, 0 for any time.
    """

    scene: str
    frames_range: str
    width: int
    height: int
    camera: str
    cg_id: int
    project: str
    ram: int
    warn_after: int
    layer: str = ""
    simulation: bool = False
    frames_per_piece: int = 1
    tiles: int = 1
    tiles_type: str = "block"
    ending: str = DEFAULT
    priority: str = "000"
    pause: bool = False
    frame_limit: int = 0
    task_limit: int = 0

    @property
    def frames(self) -> tuple[int, ...]:
        """The numbers of its frames, in the order in which they are rendered."""
        return read_frames(self.frames_range)

    @property
    def stem(self) -> str:
        """The scene's name without its ending, as it stands in the names of output files."""
        return _in_names(self.scene.rpartition(".")[0] or self.scene)[:LONGEST_STEM]

    @property
    def shows(self) -> Pass:
        """Which pass its pictures show."""
        return pass_of(self.layer)

    def file_name(self, frame: int, tile: str = "") -> str:
        """Return the name of a frame's file, or of that of one of its tiles."""
        name = f"{self.stem}_{_in_names(self.layer)}" if self.layer else self.stem
        name = name.encode()[:LONGEST_NAME].decode(errors="ignore")
        return f"{name}_{frame:04d}{tile and f'_{tile}'}.{self.ending}"


NO_JOB = Job("", "", 0, 0, "", 0, "", 0, 0)
"""The job of a task that was not submitted."""


def read_jobs(task_json: Mapping[str, Any]) -> tuple[Job, ...]:
    """Read a task.json.

    :param task_json: its content.
    :return: a job for each layer, node or image that is to be rendered. A scene without frames is one
        frame, one without a size is rendered in 320x180.
    :raises ValueError: it cannot be rendered; the message says why.
    """
    info = task_json.get("task_info")
    scene = task_json.get("scene_info_render") or task_json.get("scene_info") or {}
    if not isinstance(info, dict) or not isinstance(scene, dict):
        raise ValueError("expected the objects task_info and scene_info_render or scene_info")
    layers = list(_layers("", "", scene))
    if scene and not layers and _has_frames(scene):
        raise ValueError("nothing to render: every layer, node or image is switched off")
    if len(layers) > MOST_LAYERS:
        raise ValueError(f"{len(layers)} layers; expected at most {MOST_LAYERS}")
    if len(layers) < 2:  # noqa: PLR2004 - a scene of one layer is not a layered one
        layers = [("", kind, fields) for _, kind, fields in layers] or [("", "", {})]
    return tuple(_job(info, *layer) for layer in layers)


def _job(info: Mapping[str, Any], layer: str, kind: str, fields: Mapping[str, Any]) -> Job:
    frames_range = str(fields.get("frames", "0"))
    width, height = _number(fields, "width", 320), _number(fields, "height", 180)
    if width < 1 or height < 1 or width * height > MOST_PIXELS:
        raise ValueError(f"{width}x{height} pixels; expected 1x1 to {MOST_PIXELS} pixels in all")
    ending = _ending(layer, fields)
    longest = LONGEST_SIDE.get(ending, MOST_PIXELS)
    if max(width, height) > longest:
        raise ValueError(f"{width}x{height} pixels; expected sides of at most {longest} in a .{ending} file")
    priority = str(info.get("pre_frames", "000"))
    first = priority_frames(priority, read_frames(frames_range))
    count, kind_of_tiles = _number(info, "tiles", 1, 1, MOST_TILES), str(info.get("tiles_type", "block"))
    tiles(width, height, count, kind_of_tiles)
    return Job(
        scene=re.split(r"[/\\]", str(info.get("input_cg_file", "")).rstrip("/\\"))[-1] or "scene",
        frames_range=frames_range,
        width=width,
        height=height,
        camera=str(fields.get("camera_name", "")),
        cg_id=_number(info, "cg_id", 0),
        project=str(info.get("project_name", "")),
        ram=_number(info, "ram", 64),
        warn_after=_number(info, "time_out", 43_200),
        layer=layer,
        simulation=kind in SIMULATIONS,
        frames_per_piece=_number(info, "frames_per_task", 1, 1, MOST_FRAMES),
        tiles=count,
        tiles_type=kind_of_tiles,
        ending=ending,
        priority=priority,
        pause=bool(first) and str(info.get("stop_after_test", "2")) == PAUSE,
        frame_limit=_number(info, "job_stop_time", 259_200),
        task_limit=_number(info, "task_stop_time", 0),
    )


def _ending(layer: str, fields: Mapping[str, Any]) -> str:
    """Return the ending of a layer's files: PNG for a format that is too shallow, or not made here."""
    asked = next((str(fields[name]) for name in FORMATS if fields.get(name)), "")
    ending = ENDINGS.get(asked.upper(), DEFAULT)
    return DEFAULT if pass_of(layer) is Pass.DEPTH and ending not in DEEP else ending


def _in_names(text: str) -> str:
    return "".join(letter if letter.isprintable() and letter not in "/\\:" else "_" for letter in text)


def _layers(name: str, kind: str, node: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield name, kind and fields of all that has frames: where it stands differs from software to software.

    It is ``common`` (Blender, Cinema 4D, Arnold), an object a layer (Maya), or lists of nodes, images or
    jobs (Houdini, Clarisse, Unreal). What says ``renderable`` or ``render`` 0 is left out with all in it.
    """
    if not isinstance(node, dict) or "0" in {str(node.get("renderable", 1)), str(node.get("render", 1))}:
        return
    common = node.get("common")
    if "frames" in node or isinstance(common, dict):
        yield name, kind, common if isinstance(common, dict) else node
        return
    for key, value in node.items():
        for item in value if isinstance(value, list) else [value]:
            own = item.get("name") or item.get("node") if isinstance(item, dict) else None
            yield from _layers(str(own or key), key, item)


def _has_frames(node: Any) -> bool:
    if isinstance(node, dict):
        return "frames" in node or any(_has_frames(value) for value in node.values())
    return isinstance(node, list) and any(_has_frames(item) for item in node)


def _number(
    fields: Mapping[str, Any], name: str, default: int, least: int = 0, most: int = LARGEST_NUMBER
) -> int:
    value = fields.get(name, default)
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} is {str(value)[:80]!r}; expected a whole number") from None
    if not least <= number <= most:
        raise ValueError(f"{name} is {number}; expected {least} to {most}")
    return number
