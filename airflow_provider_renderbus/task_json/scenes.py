"""What is rendered, as each software's task.json says it under scene_info_render.

Each function lays arguments of the builder, already as JSON values, over a scene, which is empty or comes
from an analysis, and returns the new scene.
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
"""What Houdini's nodes are there for (`option`)."""

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


def blender(scene: Scene, given: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a scene of Blender."""
    return deep_merge(scene, {"common": _renamed(given, _BLENDER_FIELDS)})


def maya(scene: Scene, given: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a scene of Maya: an object a layer. Where `layers` are given, all others are switched off."""
    layers = given.get("layers")
    fields: dict[str, Any] = {"common": _renamed(given, _MAYA_FIELDS)}
    if "frames" in given:
        ranges = parse_ranges("frames", given["frames"])
        start, end = min(each.start for each in ranges), max(each.end for each in ranges)
        fields["common"] |= {"start": str(start), "end": str(end), "by_frame": str(ranges[0].step)}
    cameras = [given["camera"]] if "camera" in given else []
    if cameras:
        fields["is_default_camera"] = "0"
        fields["common"]["render_camera"] = [*cameras]
    if layers is not None:
        fields["renderable"] = "1"
        scene = {name: deep_merge(layer, {"renderable": "0"}) for name, layer in scene.items()}
    chosen = layers or scene or ["defaultRenderLayer"]
    return {**scene, **{name: deep_merge(scene.get(name) or _new_layer(cameras), fields) for name in chosen}}


def houdini(scene: Scene, given: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a scene of Houdini: lists of nodes.

    Where `rop_nodes` or `geo_nodes` are given, other nodes of their list are switched off, and frames and
    size are theirs; else frames and size are those of the rop nodes that render.

    :raises ValueError: there is no node to describe.
    """
    fields = {"render": "1", **_renamed(given, _HOUDINI_FIELDS)}
    described: dict[str, Any] = {"rop_node": [], "geo_node": [], **scene}
    rendering = [name for name, node in _by_name(described["rop_node"]) if node.get("render") != "0"]
    named = {argument: given[argument] for argument in _HOUDINI_NODES if argument in given}
    if not named and not rendering:
        raise ValueError("rop_nodes: base renders no node; give rop_nodes or geo_nodes")
    for argument, names in (named or {"rop_nodes": rendering}).items():
        field, option = _HOUDINI_NODES[argument]
        nodes = {name: deep_merge(node, {"render": "0"}) for name, node in _by_name(described[field])}
        for name in names:
            nodes[name] = deep_merge(nodes.get(name) or {"node": name, "option": option}, fields)
        described[field] = list(nodes.values())
    return described


def _by_name(nodes: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str | int, Mapping[str, Any]]]:
    return ((node.get("node", index), node) for index, node in enumerate(nodes))


def _new_layer(cameras: list[str]) -> dict[str, Any]:
    common = {"image_format": "exr", "image_file_prefix": "", "all_camera": cameras, "render_camera": []}
    return {"renderable": "1", "env": {}, "is_default_camera": "1", "option": "", "common": common}


def _renamed(given: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    return {field: given[argument] for argument, field in fields.items() if argument in given}


SCENE_BUILDERS: Mapping[int, Callable[[Scene, Mapping[str, Any]], dict[str, Any]]] = {
    BLENDER: blender,
    MAYA: maya,
    HOUDINI: houdini,
}
"""The software whose scenes can be described, with what describes them."""

SUPPORTED_ARGUMENTS = {
    BLENDER: (*_BLENDER_FIELDS,),
    MAYA: (*_MAYA_FIELDS, "camera", "layers", "render_setup"),
    HOUDINI: (*_HOUDINI_FIELDS, *_HOUDINI_NODES),
}
"""The arguments that tell what each of them renders."""
