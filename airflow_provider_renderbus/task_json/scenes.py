"""Builds the object scene_info_render, which says what is rendered, for each software.

Each function applies arguments of the builder, already converted to JSON values, to a scene and returns the
new scene. The scene is empty or comes from an analysis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.task_json.files import deep_merge
from airflow_provider_renderbus.task_json.frame_ranges import parse_ranges
from airflow_provider_renderbus.task_json.software import BLENDER, HOUDINI, MAYA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Scene = Mapping[str, Any]

RENDER, SIMULATE = "-1", "0"
"""Values of a Houdini node's field `option`."""

_BLENDER_FIELDS = {
    "frames": "frames",
    "width": "width",
    "height": "height",
    "camera": "camera_name",
    "image_format": "Render_Format",
    "output": "Output_path",
    "scene_names": "scene_name",
}
_MAYA_FIELDS = {
    "frames": "frames",
    "width": "width",
    "height": "height",
    "image_format": "image_format",
    "output": "image_file_prefix",
    "renderer": "renderer",
}
_HOUDINI_FIELDS = {"frames": "frames", "width": "width", "height": "height"}
_HOUDINI_NODES = {"rop_nodes": ("rop_node", RENDER), "geo_nodes": ("geo_node", SIMULATE)}


def blender(scene: Scene, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scene of Blender."""
    return deep_merge(scene, {"common": _to_fields(arguments, _BLENDER_FIELDS)})


def maya(scene: Scene, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scene of Maya: an object per layer. If `layers` are given, all others are switched off."""
    layers = arguments.get("layers")
    changes: dict[str, Any] = {"common": _to_fields(arguments, _MAYA_FIELDS)}
    if "frames" in arguments:
        ranges = parse_ranges("frames", arguments["frames"])
        start, end = min(each.start for each in ranges), max(each.end for each in ranges)
        changes["common"] |= {"start": str(start), "end": str(end), "by_frame": str(ranges[0].step)}
    cameras = [arguments["camera"]] if "camera" in arguments else []
    if cameras:
        changes["is_default_camera"] = "0"
        changes["common"]["render_camera"] = [*cameras]
    if layers is not None:
        changes["renderable"] = "1"
        scene = {name: deep_merge(layer, {"renderable": "0"}) for name, layer in scene.items()}
    changed = layers or scene or ["defaultRenderLayer"]
    return {
        **scene,
        **{name: deep_merge(scene.get(name) or _new_layer(cameras), changes) for name in changed},
    }


def houdini(scene: Scene, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scene of Houdini: lists of nodes.

    If `rop_nodes` or `geo_nodes` are given, they get frames and size, and the other nodes of their list are
    switched off. Otherwise the ROP nodes that render get frames and size.

    :raises ValueError: there is no node to render.
    """
    changes = {"render": "1", **_to_fields(arguments, _HOUDINI_FIELDS)}
    result: dict[str, Any] = {"rop_node": [], "geo_node": [], **scene}
    rendering = [name for name, node in _nodes_by_name(result["rop_node"]) if node.get("render") != "0"]
    selected = {argument: arguments[argument] for argument in _HOUDINI_NODES if argument in arguments}
    if not selected and not rendering:
        raise ValueError("rop_nodes: rop_nodes or geo_nodes must be given, since base renders no node")
    for argument, names in (selected or {"rop_nodes": rendering}).items():
        field, option = _HOUDINI_NODES[argument]
        nodes = {name: deep_merge(node, {"render": "0"}) for name, node in _nodes_by_name(result[field])}
        for name in names:
            nodes[name] = deep_merge(nodes.get(name) or {"node": name, "option": option}, changes)
        result[field] = list(nodes.values())
    return result


def _nodes_by_name(nodes: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str | int, Mapping[str, Any]]]:
    return ((node.get("node", index), node) for index, node in enumerate(nodes))


def _new_layer(cameras: list[str]) -> dict[str, Any]:
    common = {"image_format": "exr", "image_file_prefix": "", "all_camera": cameras, "render_camera": []}
    return {"renderable": "1", "env": {}, "is_default_camera": "1", "option": "", "common": common}


def _to_fields(arguments: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    return {field: arguments[argument] for argument, field in fields.items() if argument in arguments}


SCENE_BUILDERS: Mapping[int, Callable[[Scene, Mapping[str, Any]], dict[str, Any]]] = {
    BLENDER: blender,
    MAYA: maya,
    HOUDINI: houdini,
}
"""The function that builds a scene, by id of the software."""

SUPPORTED_ARGUMENTS = {
    BLENDER: (*_BLENDER_FIELDS,),
    MAYA: (*_MAYA_FIELDS, "camera", "layers", "render_setup"),
    HOUDINI: (*_HOUDINI_FIELDS, *_HOUDINI_NODES),
}
"""The builder's arguments about the scene that a software supports, by id of the software."""
