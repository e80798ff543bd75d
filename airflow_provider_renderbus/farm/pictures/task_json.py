"""What the farm reads from an uploaded task.json: the layers of a scene, their frames, and how large."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.pictures.formats import (
    DEFAULT_EXTENSION,
    EXTENSIONS,
    MAX_SIDE,
    SIXTEEN_BIT,
    split_into_tiles,
)
from airflow_provider_renderbus.farm.pictures.passes import Pass, pass_of_layer
from airflow_provider_renderbus.farm.pictures.ranges import MAX_FRAMES, parse_frames, parse_priority_frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_INT = 10**9
MAX_PIXELS = 64_000_000
MAX_TILES = 1000
MAX_LAYERS = 100
MAX_STEM_LENGTH = 50
MAX_NAME_BYTES = 200  # bytes of a file's name, before the frame's number
FORMAT_KEYS = ("Render_Format", "regular_image_format", "image_format")
"""Where Blender, Cinema 4D and others say in what format they want their frames."""
SIMULATION_LISTS = {"geo_node", "distributedsim_node"}
"""Houdini's lists whose nodes are simulated by one machine in one go."""
PAUSE_VALUE = "1"
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
    is_simulation: bool = False
    frames_per_chunk: int = 1
    tiles: int = 1
    tiles_type: str = "block"
    extension: str = DEFAULT_EXTENSION
    priority_frames: str = "000"
    pause_after_priority_frames: bool = False
    frame_timeout: int = 0
    task_timeout: int = 0

    @property
    def frames(self) -> tuple[int, ...]:
        """The numbers of its frames, in the order in which they are rendered."""
        return parse_frames(self.frames_range)

    @property
    def stem(self) -> str:
        """The scene's name without its ending, as it stands in the names of output files."""
        return _safe_name(self.scene.rpartition(".")[0] or self.scene)[:MAX_STEM_LENGTH]

    @property
    def render_pass(self) -> Pass:
        """Which pass its pictures show."""
        return pass_of_layer(self.layer)

    def file_name(self, frame: int, tile: str = "") -> str:
        """Return the name of a frame's file, or of that of one of its tiles."""
        name = f"{self.stem}_{_safe_name(self.layer)}" if self.layer else self.stem
        name = name.encode()[:MAX_NAME_BYTES].decode(errors="ignore")
        return f"{name}_{frame:04d}{tile and f'_{tile}'}.{self.extension}"


NO_JOB = Job("", "", 0, 0, "", 0, "", 0, 0)
"""The job of a task that was not submitted."""


def parse_task_json(task_json: Mapping[str, Any]) -> tuple[Job, ...]:
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
    layers = list(_find_layers("", "", scene))
    if scene and not layers and _has_frames(scene):
        raise ValueError("nothing to render: every layer, node or image is switched off")
    if len(layers) > MAX_LAYERS:
        raise ValueError(f"{len(layers)} layers; expected at most {MAX_LAYERS}")
    if len(layers) < 2:  # noqa: PLR2004 - a scene of one layer is not a layered one
        layers = [("", kind, fields) for _, kind, fields in layers] or [("", "", {})]
    return tuple(_parse_layer(info, *layer) for layer in layers)


def _parse_layer(info: Mapping[str, Any], layer: str, kind: str, fields: Mapping[str, Any]) -> Job:
    frames_range = str(fields.get("frames", "0"))
    width, height = _parse_int(fields, "width", 320), _parse_int(fields, "height", 180)
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise ValueError(f"{width}x{height} pixels; expected 1x1 to {MAX_PIXELS} pixels in all")
    ending = _extension(layer, fields)
    longest = MAX_SIDE.get(ending, MAX_PIXELS)
    if max(width, height) > longest:
        raise ValueError(f"{width}x{height} pixels; expected sides of at most {longest} in a .{ending} file")
    priority = str(info.get("pre_frames", "000"))
    first = parse_priority_frames(priority, parse_frames(frames_range))
    count, kind_of_tiles = _parse_int(info, "tiles", 1, 1, MAX_TILES), str(info.get("tiles_type", "block"))
    split_into_tiles(width, height, count, kind_of_tiles)
    return Job(
        scene=re.split(r"[/\\]", str(info.get("input_cg_file", "")).rstrip("/\\"))[-1] or "scene",
        frames_range=frames_range,
        width=width,
        height=height,
        camera=str(fields.get("camera_name", "")),
        cg_id=_parse_int(info, "cg_id", 0),
        project=str(info.get("project_name", "")),
        ram=_parse_int(info, "ram", 64),
        warn_after=_parse_int(info, "time_out", 43_200),
        layer=layer,
        is_simulation=kind in SIMULATION_LISTS,
        frames_per_chunk=_parse_int(info, "frames_per_task", 1, 1, MAX_FRAMES),
        tiles=count,
        tiles_type=kind_of_tiles,
        extension=ending,
        priority_frames=priority,
        pause_after_priority_frames=bool(first) and str(info.get("stop_after_test", "2")) == PAUSE_VALUE,
        frame_timeout=_parse_int(info, "job_stop_time", 259_200),
        task_timeout=_parse_int(info, "task_stop_time", 0),
    )


def _extension(layer: str, fields: Mapping[str, Any]) -> str:
    """Return the ending of a layer's files: PNG for a format that is too shallow, or not made here."""
    asked = next((str(fields[name]) for name in FORMAT_KEYS if fields.get(name)), "")
    ending = EXTENSIONS.get(asked.upper(), DEFAULT_EXTENSION)
    return DEFAULT_EXTENSION if pass_of_layer(layer) is Pass.DEPTH and ending not in SIXTEEN_BIT else ending


def _safe_name(text: str) -> str:
    return "".join(letter if letter.isprintable() and letter not in "/\\:" else "_" for letter in text)


def _find_layers(name: str, kind: str, node: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
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
            yield from _find_layers(str(own or key), key, item)


def _has_frames(node: Any) -> bool:
    if isinstance(node, dict):
        return "frames" in node or any(_has_frames(value) for value in node.values())
    return isinstance(node, list) and any(_has_frames(item) for item in node)


def _parse_int(
    fields: Mapping[str, Any], name: str, default: int, least: int = 0, most: int = MAX_INT
) -> int:
    value = fields.get(name, default)
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} is {str(value)[:80]!r}; expected a whole number") from None
    if not least <= number <= most:
        raise ValueError(f"{name} is {number}; expected {least} to {most}")
    return number
