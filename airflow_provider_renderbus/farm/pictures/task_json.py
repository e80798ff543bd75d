"""Parses an uploaded task.json into jobs: the layers of a scene, their frames and sizes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.pictures.formats import (
    DEFAULT_EXTENSION,
    EXTENSIONS,
    FORMAT_KEYS,
    MAX_SIDE,
    SIXTEEN_BIT,
    split_into_tiles,
)
from airflow_provider_renderbus.farm.pictures.passes import Pass, pass_of_layer
from airflow_provider_renderbus.farm.pictures.ranges import MAX_FRAMES, parse_frames, parse_priority_frames
from airflow_provider_renderbus.farm.pictures.render_checks import cameras_of, check_cameras, find_problems
from airflow_provider_renderbus.farm.software import MAYA

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_renderbus.farm.software import FarmSoftware

MAX_INT = 10**9
MAX_PIXELS = 64_000_000
MAX_TILES = 1000
MAX_LAYERS = 100
MAX_STEM_LENGTH = 50
MAX_NAME_BYTES = 200  # of a file name, without frame number and extension
SWITCHES = ("renderable", "render", "is_enable")
"""Keys by which a layer, node, image or job is switched off."""
IMAGES, LAYERS_OF_IMAGES = "image_node", "layers"
"""Clarisse's lists. A layer is rendered for itself if it is switched on, also of an image that is not."""
ON_ONE_MACHINE = "0"
"""The value of ``option`` for which one machine renders all frames of one of Nuke's write nodes."""
SIMULATION_LISTS = {"geo_node", "distributedsim_node"}
"""Houdini's lists of simulation nodes. One machine renders all frames of such a node as one task."""
DEFAULT_LAYER = "defaultRenderLayer"
FIELDS_OF_DEFAULT_LAYER = ("width", "height", "renderer")
"""Fields of a Maya layer that count only if ``enable_layered`` is on, else those of the default layer."""
PAUSE_VALUE = "1"
"""The value of ``stop_after_test`` that pauses after the priority frames."""


@dataclass(frozen=True, slots=True)
class Job:
    """The job of one layer of a scene. Most scenes have one layer.

    :param scene: file name of the scene.
    :param frames_range: the frames as in task.json.
    :param width: width of a frame in pixels.
    :param height: height of a frame in pixels.
    :param camera: names of the cameras to render, joined by commas; "" if task.json names none.
    :param cg_id: id of the software.
    :param project: name of the project.
    :param ram: memory of a machine in GB.
    :param warn_after: seconds after which the farm warns the user.
    :param layer: name of the layer, "" in a scene of one layer.
    :param is_simulation: whether one machine renders all frames as one task.
    :param frames_per_chunk: frames that one machine renders as one task.
    :param tiles: number of tiles per frame.
    :param tiles_type: ``block`` or ``strip``.
    :param extension: extension of the output files, which decides their format.
    :param priority_frames: the priority frames as in task.json.
    :param pause_after_priority_frames: whether the task pauses when they are done.
    :param frame_timeout: maximum seconds per frame, 0 for no limit.
    :param task_timeout: maximum seconds for the whole task, 0 for no limit.
    :param scene_path: path of the scene, as a machine opens it.
    :param problems: why no machine can render it, a line for each reason; "" if nothing prevents it.
    :param layer_in_scene: name of the layer, node or job, also if it is the only one.
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
    scene_path: str = ""
    problems: str = ""
    layer_in_scene: str = ""

    @property
    def frames(self) -> tuple[int, ...]:
        """Frame numbers in render order."""
        return parse_frames(self.frames_range)

    @property
    def stem(self) -> str:
        """Name of the scene without extension, as in the names of output files."""
        return _safe_name(self.scene.rpartition(".")[0] or self.scene)[:MAX_STEM_LENGTH]

    @property
    def render_pass(self) -> Pass:
        """The pass that the layer renders."""
        return pass_of_layer(self.layer)

    def file_name(self, frame: int, tile: str = "") -> str:
        """Return the file name of a frame or of one of its tiles."""
        name = f"{self.stem}_{_safe_name(self.layer)}" if self.layer else self.stem
        name = name.encode()[:MAX_NAME_BYTES].decode(errors="ignore")
        return f"{name}_{frame:04d}{tile and f'_{tile}'}.{self.extension}"


NO_JOB = Job("", "", 0, 0, "", 0, "", 0, 0)
"""The job of a task that is not submitted."""


def parse_task_json(
    task_json: Mapping[str, Any], software: Mapping[int, FarmSoftware] | None = None
) -> tuple[Job, ...]:
    """Parse a task.json.

    :param task_json: content of the file.
    :param software: the farm's software by id. If omitted, nothing is checked that keeps a job from being
        rendered.
    :return: one job per layer, node or image to render. A scene without frames has frame 0; a scene without a
        size is rendered in 320x180.
    :raises UnknownCameraError: a camera to render is not among those that the analysis found.
    :raises ValueError: the task cannot be rendered; the message says why.
    """
    info = task_json.get("task_info")
    scene = task_json.get("scene_info_render") or task_json.get("scene_info") or {}
    if not isinstance(info, dict) or not isinstance(scene, dict):
        raise ValueError("task.json: must have the objects task_info and scene_info_render or scene_info")
    layers = [*_find_layers("", "", scene), *_missing_layers(info, task_json, scene)]
    if scene and not layers and _has_frames(scene):
        raise ValueError("nothing to render: every layer, node or image is disabled")
    if len(layers) > MAX_LAYERS:
        raise ValueError(f"layers: must be at most {MAX_LAYERS}, got {len(layers)}")
    jobs = []
    for name, list_name, own_fields in layers or [("", "", {})]:
        fields = _layer_fields(info, scene, own_fields)
        job = _parse_layer(info, name, list_name, fields)
        if software is not None:
            check_cameras(fields)
            problems = find_problems(software.get(job.cg_id), task_json, scene, name, fields)
            job = replace(job, problems="\n".join(problems))
        jobs.append(job)
    if len(jobs) == 1:  # a scene of one layer is not a layered one
        return (replace(jobs[0], layer=""),)
    return tuple(jobs)


def _missing_layers(
    info: Mapping[str, Any], task_json: Mapping[str, Any], scene: Mapping[str, Any]
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield the layers of Maya that are to be rendered, but are not in the scene."""
    names = task_json.get("layers")
    if _is_maya(info) and isinstance(names, list):
        yield from ((name, "", {}) for name in names if isinstance(name, str) and name not in scene)


def _layer_fields(
    info: Mapping[str, Any], scene: Mapping[str, Any], fields: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the fields of a layer, as the render script reads them.

    It reads size and renderer of a Maya layer only if layers are on, else those of the default layer.
    """
    default = scene.get(DEFAULT_LAYER)
    common = default.get("common") if isinstance(default, dict) else None
    if not _is_maya(info) or str(info.get("enable_layered")) == "1" or not isinstance(common, dict):
        return fields
    return {**fields, **{name: common[name] for name in FIELDS_OF_DEFAULT_LAYER if name in common}}


def _is_maya(info: Mapping[str, Any]) -> bool:
    return str(info.get("cg_id")) == str(MAYA)


def _parse_layer(info: Mapping[str, Any], layer: str, list_name: str, fields: Mapping[str, Any]) -> Job:
    frames_range = str(fields.get("frames", "0"))
    width, height = _parse_int(fields, "width", 320), _parse_int(fields, "height", 180)
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise ValueError(f"size: must be 1x1 to {MAX_PIXELS} pixels in total, got {width}x{height}")
    extension = _extension(layer, fields)
    max_side = MAX_SIDE.get(extension, MAX_PIXELS)
    if max(width, height) > max_side:
        raise ValueError(
            f"size: must be at most {max_side} pixels per side in a .{extension} file, got {width}x{height}"
        )
    priority = str(info.get("pre_frames", "000"))
    first = parse_priority_frames(priority, parse_frames(frames_range))
    scene_path = str(info.get("input_cg_file", ""))
    count, tiles_type = _parse_int(info, "tiles", 1, 1, MAX_TILES), str(info.get("tiles_type", "block"))
    split_into_tiles(width, height, count, tiles_type)
    return Job(
        scene=re.split(r"[/\\]", scene_path.rstrip("/\\"))[-1] or "scene",
        frames_range=frames_range,
        width=width,
        height=height,
        camera=", ".join(cameras_of(fields)),
        cg_id=_parse_int(info, "cg_id", 0),
        project=str(info.get("project_name") or ""),
        ram=_parse_int(info, "ram", 64),
        warn_after=_parse_int(info, "time_out", 43_200),
        layer=layer,
        is_simulation=list_name in SIMULATION_LISTS
        or (list_name == "write_nodes" and fields.get("option") == ON_ONE_MACHINE),
        frames_per_chunk=_parse_int(info, "frames_per_task", 1, 1, MAX_FRAMES),
        tiles=count,
        tiles_type=tiles_type,
        extension=extension,
        priority_frames=priority,
        pause_after_priority_frames=bool(first) and str(info.get("stop_after_test", "2")) == PAUSE_VALUE,
        frame_timeout=_parse_int(info, "job_stop_time", 259_200),
        task_timeout=_parse_int(info, "task_stop_time", 0),
        scene_path=scene_path,
        layer_in_scene=layer,
    )


def _extension(layer: str, fields: Mapping[str, Any]) -> str:
    """Return the file extension of a layer: PNG if the format is unsupported or too shallow for depth."""
    given = next((fields[name] for name in FORMAT_KEYS if fields.get(name)), "")
    image_format = str(given[0] if isinstance(given, list) else given).lstrip(".")
    extension = EXTENSIONS.get(image_format.upper(), DEFAULT_EXTENSION)
    if pass_of_layer(layer) is Pass.DEPTH and extension not in SIXTEEN_BIT:
        return DEFAULT_EXTENSION
    return extension


def _safe_name(text: str) -> str:
    return "".join(letter if letter.isprintable() and letter not in "/\\:" else "_" for letter in text)


def _find_layers(name: str, list_name: str, node: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield name, list name and fields of every node with frames.

    These are ``common`` (Blender, Cinema 4D, 3ds Max, Arnold), one object per layer (Maya) or node (Katana),
    or lists of nodes, images or jobs (Houdini, Nuke, Clarisse, Unreal). A node that is switched off is
    skipped with all its children, except the layers of an image.
    """
    if not isinstance(node, dict):
        return
    is_on = all(str(node.get(switch, 1)) != "0" for switch in SWITCHES)
    if list_name == LAYERS_OF_IMAGES:
        is_on = str(node.get("renderable")) == "1"
    common = node.get("common")
    has_frames = "frames" in node or isinstance(common, dict)
    if is_on and has_frames:
        yield name, list_name, common if isinstance(common, dict) else node
    if list_name != IMAGES and (has_frames or not is_on):
        return
    for key, value in node.items():
        for item in value if isinstance(value, list) else [value]:
            item_name = (
                item.get("name") or item.get("node") or item.get("job_name")
                if isinstance(item, dict)
                else None
            )
            yield from _find_layers(str(item_name or key), key, item)


def _has_frames(node: Any) -> bool:
    if isinstance(node, dict):
        return "frames" in node or any(_has_frames(value) for value in node.values())
    return isinstance(node, list) and any(_has_frames(item) for item in node)


def _parse_int(
    fields: Mapping[str, Any], name: str, default: int, minimum: int = 0, maximum: int = MAX_INT
) -> int:
    value = fields.get(name, default)
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name}: must be an integer, got {str(value)[:80]!r}") from None
    if not minimum <= number <= maximum:
        raise ValueError(f"{name}: must be {minimum} to {maximum}, got {number}")
    return number
