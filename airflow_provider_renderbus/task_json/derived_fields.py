"""Fields of a scene that follow from arguments, but are not just their values.

Each function changes a layer, node, image, job or scene in place. It gets the builder's arguments as JSON
values, and the path of the scene file if the thing is new, "" if it is from a base.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.validation import excerpt
from airflow_provider_renderbus.task_json.frame_ranges import parse_ranges
from airflow_provider_renderbus.task_json.names import normalize
from airflow_provider_renderbus.task_json.software import (
    CINEMA_4D,
    HOUDINI,
    MAX,
    MAYA,
    NUKE,
    RENDERERS_WITH_OPTIONS,
    SOFTWARE,
    UNREAL,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VIDEO_TYPES = ("mov", "mp4", "avi", "mxf")
"""File types of Nuke for which one machine renders all frames."""
_ALL_FRAMES_ON_ONE_MACHINE, _FRAME_BY_FRAME = "0", "-1"
_DEFAULT_MAX_TYPE = "exr"


def _maya(layer: dict[str, Any], arguments: Mapping[str, Any], _: str) -> None:
    common = layer["common"]
    if "frames" in arguments:
        ranges = parse_ranges("frames", arguments["frames"])
        common["start"] = str(min(each.start for each in ranges))
        common["end"] = str(max(each.end for each in ranges))
        common["by_frame"] = str(ranges[0].step)
    if "camera" in arguments:
        layer["is_default_camera"] = "0"
        _add_cameras(common, common["render_camera"])
    if "renderer" in arguments:
        has_options = arguments["renderer"] in RENDERERS_WITH_OPTIONS
        if has_options != isinstance(layer.get("option"), dict):
            layer["option"] = {} if has_options else ""


def _max(scene: dict[str, Any], arguments: Mapping[str, Any], new_scene: str) -> None:
    common = scene.setdefault("common", {})
    if "camera" in arguments:
        _add_cameras(common, common["renderable_camera"])
    if "renderer" in arguments:
        scene["renderer"]["renderer"] = arguments["renderer"]
    if new_scene or "output" in arguments or "image_format" in arguments:
        _set_max_output(common, arguments, new_scene)


def _set_max_output(common: dict[str, Any], arguments: Mapping[str, Any], new_scene: str) -> None:
    output = str(arguments.get("output") or common.get("output_file") or _stem(new_scene)).replace("\\", "/")
    folder, slash, name = output.rpartition("/")
    if not name.strip(".") and "output" in arguments:
        raise ValueError(f"output: must end in the name of a file, got {excerpt(arguments['output'])}")
    current = str(common.get("output_file_type", ""))
    suffix = _file_type(name, MAX)
    if current.startswith(".") and name.lower().endswith(current.lower()):
        suffix = current
    stem = name[: len(name) - len(suffix)]
    given = arguments.get("image_format") or suffix or current or _DEFAULT_MAX_TYPE
    file_type = f".{given.lstrip('.')}"
    # A scene that names no output file keeps none.
    common["output_file"] = f"{folder}{slash}{stem}{file_type}" if stem else ""
    common["output_file_basename"], common["output_file_type"] = stem, file_type


def _cinema_4d(scene: dict[str, Any], arguments: Mapping[str, Any], new_scene: str) -> None:
    common = scene.setdefault("common", {})
    if new_scene:
        common.setdefault("regular_image_saveimage_path", _stem(new_scene))
        common.setdefault("multi_pass_format", arguments["image_format"])


def _houdini(node: dict[str, Any], arguments: Mapping[str, Any], _: str) -> None:
    name = node.get("node")
    if arguments.get("geo_nodes_in_order") and name in arguments["geo_nodes"]:
        node["geoDependencySort"] = str(arguments["geo_nodes"].index(name) + 1)
    if name in arguments.get("distributed_sims", ()):
        node["num_slices"] = arguments["distributed_sims"][name]


def _nuke(node: dict[str, Any], arguments: Mapping[str, Any], _: str) -> None:
    if "image_format" in arguments or "output" in arguments:
        suffix = _file_type(str(node.get("out_file", "")), NUKE).lstrip(".").lower()
        file_type = str(arguments.get("image_format") or suffix or node.get("file_type", ""))
        if file_type:
            node["file_type"] = file_type
        is_video = file_type.lower() in VIDEO_TYPES
        node["option"] = _ALL_FRAMES_ON_ONE_MACHINE if is_video else _FRAME_BY_FRAME


def _unreal(job: dict[str, Any], arguments: Mapping[str, Any], new_scene: str) -> None:
    sequence = job.get("job_sequence")
    if new_scene and sequence:
        job["job_name"] = sequence.rpartition("/")[2]
        job["job_num"] = str(arguments["sequences"].index(sequence))


def _add_cameras(common: dict[str, Any], cameras: list[str]) -> None:
    known = common.setdefault("all_camera", [])
    common["all_camera"] = [*known, *(camera for camera in cameras if camera not in known)]


def _file_type(path: str, cg_id: int) -> str:
    """Return the extension of an image file with its dot; "" if a dot is before a version or frame number."""
    suffix = PurePosixPath(path).suffix
    return suffix if normalize(suffix) in SOFTWARE[cg_id].formats else ""


def _stem(path: str) -> str:
    """Return the name of a scene file without its extension, as the vendor's packages name output files."""
    return PurePosixPath(path.replace("\\", "/")).stem


DERIVATIONS: Mapping[int, Callable[[dict[str, Any], Mapping[str, Any], str], None]] = {
    MAYA: _maya,
    MAX: _max,
    CINEMA_4D: _cinema_4d,
    HOUDINI: _houdini,
    NUKE: _nuke,
    UNREAL: _unreal,
}
"""The function for each software, by its id."""
