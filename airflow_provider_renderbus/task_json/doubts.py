"""Finds what is allowed in a task.json but will hardly render as it is meant: each doubt is a warning.

The schema checks one field at a time; this module checks what must fit together.
"""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.text import join_limited
from airflow_provider_renderbus.api.validation import excerpt
from airflow_provider_renderbus.task_json.frame_ranges import is_template, parse_ranges
from airflow_provider_renderbus.task_json.names import did_you_mean, has_extension, path_system, software_of
from airflow_provider_renderbus.task_json.software import BLENDER, MAX, MAYA, RENDERER_PLUGINS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from airflow_provider_renderbus.task_json.fields import Software

_LINUX, _WINDOWS = "0", "1"
_MAX_NEAR = 1000
_DEFAULT_LAYER = "defaultRenderLayer"


def find_doubts(content: Mapping[str, Any]) -> list[str]:
    """Return a line for each doubt about a task.json, with its JSON path. What is not valid has none."""
    info = _object(content, "task_info")
    software = software_of(info)
    if software is None:
        is_null = "cg_id" in info and info["cg_id"] is None
        return ["task.json: $.task_info.cg_id: should be the id of a software, got null"] if is_null else []
    scene = _object(content, "scene_info_render") or _object(content, "scene_info")
    doubts = [*_system_doubts(software, info), *_scene_file_doubts(software, info)]
    if software.cg_id == MAYA:
        layers = {name: layer for name in scene if (layer := _object(scene, name))}
        doubts += _plugin_doubts(layers, _object(_object(content, "software_config"), "plugins"))
        doubts += _layer_doubts(layers, info)
        doubts += _name_doubts("$.layers", content.get("layers"), list(scene))
        for name, layer in layers.items():
            if layer.get("renderable") != "0":
                doubts += _camera_doubts(f"[{excerpt(name)}]", layer, "render_camera")
    if software.cg_id == MAX:
        doubts += _camera_doubts("", scene, "renderable_camera")
    if software.cg_id == BLENDER:
        doubts += _frame_doubts(str(_object(scene, "common").get("frames", "")))
    return [f"task.json: {doubt}" for doubt in doubts]


def find_scene_doubts(content: Mapping[str, Any], server_paths: Iterable[str]) -> list[str]:
    """Return a line if the scene of a task.json is not among the files that are uploaded with it.

    :param server_paths: their paths in the input storage.
    """
    scene = str(_object(content, "task_info").get("input_cg_file", ""))
    scene_path, system = _storage_path(scene), path_system(scene)
    if system is None:
        return []
    scenes: list[str] = []
    for path in server_paths:
        if _storage_path(path) == scene_path:
            return []
        if PurePosixPath(path).suffix.lower() == PurePosixPath(scene_path).suffix and len(scenes) < _MAX_NEAR:
            scenes.append(path)
    # On Windows it has a drive in place of a folder.
    near = did_you_mean(scene, scenes) if system == "linux" else ""
    expected = "should be among assets if it was not uploaded before"
    return [f"task.json: $.task_info.input_cg_file: {expected}, got {excerpt(scene)}{near}"]


def _storage_path(path: str) -> str:
    """Return a path so that it is the same on a machine of the farm and in the input storage."""
    text = unicodedata.normalize("NFC", path).casefold().replace("\\", "/").lstrip("/")
    return f"{text[0]}{text[2:]}" if text[1:2] == ":" else text


def missing_plugin(renderer: str, plugins: Mapping[str, Any]) -> str | None:
    """Return the plug-in that a renderer of Maya needs, None if it is there or none is known."""
    needed = RENDERER_PLUGINS.get(renderer)
    is_there = needed is None or any(needed.lower() in plugin.lower() for plugin in plugins)
    return None if is_there else needed


def _system_doubts(software: Software, info: Mapping[str, Any]) -> Iterator[str]:
    system, scene = info.get("os_name"), str(info.get("input_cg_file", ""))
    path = "$.task_info.os_name"
    if system == _LINUX and software.has_linux is False:
        yield f"{path}: should be '1', got '0': the farm has no Linux machines for {software.name}"
    elif system == _WINDOWS and path_system(scene) == "linux":
        yield (
            f"{path}: should fit the path of the scene, got '1' and {excerpt(scene)}: a Windows machine has "
            "no such path. Name the scene by a drive (D:/...), and so its place on the farm in upload.json"
        )
    elif system == _LINUX and path_system(scene) == "windows":
        yield (
            f"{path}: should fit the path of the scene, got '0' and {excerpt(scene)}: a Linux machine has no "
            "such path"
        )


def _scene_file_doubts(software: Software, info: Mapping[str, Any]) -> Iterator[str]:
    scene = str(info.get("input_cg_file", ""))
    name = scene.replace("\\", "/").rpartition("/")[2]
    if software.extensions and "." in name and not is_template(scene) and not has_extension(software, scene):
        extensions = " or ".join(f".{extension}" for extension in software.extensions)
        yield (
            f"$.task_info.input_cg_file: should end in {extensions} for {software.name}, got {excerpt(scene)}"
        )


def _plugin_doubts(layers: Mapping[str, Any], plugins: Mapping[str, Any]) -> Iterator[str]:
    rendering = [layer for layer in layers.values() if layer.get("renderable") != "0"]
    for renderer in dict.fromkeys(str(_object(layer, "common").get("renderer", "")) for layer in rendering):
        missing = missing_plugin(renderer, plugins)
        if missing is not None:
            yield (
                f"$.software_config.plugins: should have {missing!r} with its version for the renderer "
                f"{excerpt(renderer)}"
            )


def _layer_doubts(layers: Mapping[str, Any], info: Mapping[str, Any]) -> Iterator[str]:
    """Without layers on, the render script reads size and renderer of the default layer only."""
    default = _object(_object(layers, _DEFAULT_LAYER), "common")
    if info.get("enable_layered") == "1" or not default:
        return
    for name, layer in layers.items():
        for field in ("width", "height", "renderer"):
            is_other = _object(layer, "common").get(field) != default.get(field)
            if layer.get("renderable") != "0" and is_other:
                yield (
                    f"$.task_info.enable_layered: should be '1', or the layer {excerpt(name)} gets the "
                    f"{field} of {_DEFAULT_LAYER}"
                )
                return


def _camera_doubts(place: str, holder: Mapping[str, Any], field: str) -> Iterator[str]:
    """Compare cameras with those that an analysis has listed, if it has."""
    common = _object(holder, "common")
    known = common.get("all_camera")
    if isinstance(known, list) and known:
        yield from _name_doubts(f"$.scene_info_render{place}.common.{field}", common.get(field), known)


def _name_doubts(path: str, names: Any, known: Sequence[Any]) -> Iterator[str]:
    for name in names if isinstance(names, list) else ():
        if isinstance(name, str) and name not in known:
            listed = join_limited([excerpt(each) for each in known], ", ")
            near = did_you_mean(name, [each for each in known if isinstance(each, str)])
            yield f"{path}: should be among {listed}, got {excerpt(name)}{near}"


def _frame_doubts(frames: str) -> Iterator[str]:
    try:
        is_negative = any(each.start < 0 for each in parse_ranges("frames", frames))
    except ValueError:
        return
    if is_negative:
        yield (
            "$.scene_info_render.common.frames: should not be negative for Blender, got "
            f"{excerpt(frames)}: the farm's render script splits frames at '-'"
        )


def _object(content: Mapping[str, Any], field: str) -> dict[str, Any]:
    value = content.get(field)
    return value if isinstance(value, dict) else {}
