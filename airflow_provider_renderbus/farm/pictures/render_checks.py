"""Finds what the farm's machines cannot render of a task.json. Nothing here opens a scene.

Sources: the documents, and what the render scripts of the farm's machines read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.pictures.formats import FORMAT_KEYS
from airflow_provider_renderbus.farm.software import (
    ARNOLD,
    BLENDER,
    CINEMA_4D,
    CLARISSE,
    HOUDINI,
    KATANA,
    MAX,
    MAYA,
    NUKE,
    RENDERER_PLUGINS,
    UNREAL,
    FarmSoftware,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

LINUX, WINDOWS = "0", "1"
MAX_SHOWN = 80
"""Characters of a wrong value that a log shows."""
_IN_COMMON = ("common",)
FRAMES_IN: dict[int, tuple[str, ...]] = {
    **dict.fromkeys((MAX, ARNOLD, CINEMA_4D, BLENDER), _IN_COMMON),
    HOUDINI: ("rop_node", "geo_node", "distributedsim_node"),
    CLARISSE: ("image_node",),
    NUKE: ("write_nodes",),
    KATANA: ("rendernodes",),
    UNREAL: ("all_movie_pipline_queue",),
}
"""Fields of the scene, one of which must exist. V-Ray Standalone has none, and Maya has its layers."""
READ_FIELDS: dict[int, tuple[str, ...]] = {
    MAYA: ("frames", "width", "height", "renderer"),
    MAX: ("frames", "width", "height"),
    HOUDINI: ("node", "frames", "option", "render"),
    CINEMA_4D: (
        "frames",
        "width",
        "height",
        "regular_image_format",
        "regular_image_saveimage_path",
        "multi_pass_format",
        "multipass_saveimage_path",
        "multipass_save_enabled",
    ),
    CLARISSE: ("name", "frames", "renderable"),
    NUKE: ("node", "frames", "renderable", "render_mode", "option", "width", "height"),
    KATANA: ("frames", "renderable", "aov"),
    UNREAL: ("frames", "width", "height", "job_map", "job_sequence", "format_type"),
}
"""Fields of a layer, node or job, or of ``common``, that must not be missing."""
# How Blender's analysis writes the name of a camera.
_BLENDER_CAMERA = re.compile(r'<bpy_struct, Object\("(.+?)"\).*>')
_NEGATIVE = re.compile(r"(?:^|[-,])\s*-")
# What may follow the name of a renderer of 3ds Max and Cinema 4D, such as vray5.
_RENDERER_SUFFIX = r"(\d|adv|bridge|gpu|hardware|next|render|rt).*"


class UnknownCameraError(ValueError):
    """A camera to render that the scene does not have."""


def find_problems(
    software: FarmSoftware | None,
    task_json: Mapping[str, Any],
    scene: Mapping[str, Any],
    layer: str,
    fields: Mapping[str, Any],
) -> Iterator[str]:
    """Yield a line for each thing in a task.json that keeps a layer from being rendered.

    :param software: the farm's software with the id of the task, None if the farm has none.
    :param scene: its scene.
    :param layer: name of the layer, node or job, "" for a scene as a whole.
    :param fields: the fields of that layer, node or job.
    """
    info, config = _object(task_json, "task_info"), _object(task_json, "software_config")
    if software is None:
        yield f"task_info.cg_id: must be the id of a software of this farm, got {_shown(info.get('cg_id'))}"
        return
    yield from _software_problems(software, config)
    yield from _machine_problems(software, info)
    yield from _scene_problems(software, scene, layer, fields)
    yield from _format_problems(software, fields)
    yield from _renderer_problems(software, scene, fields, _plugins(config))


def _software_problems(software: FarmSoftware, config: Mapping[str, Any]) -> Iterator[str]:
    name, version = config.get("cg_name"), config.get("cg_version")
    if _letters(name) not in {_letters(each) for each in (software.name, *software.aliases)}:
        yield f"software_config.cg_name: must be {software.name!r} as in cg_id, got {_shown(name)}"
    if version not in software.versions:
        yield _not_one_of("software_config.cg_version", software.versions, version)
    if not isinstance(config.get("plugins"), dict | None):
        yield f"software_config.plugins: must be an object, got {_shown(config['plugins'])}"
    for plugin, plugin_version in _plugins(config).items():
        own = {each.lower(): versions for each, versions in software.plugins.items()}
        if plugin.lower() not in own:
            yield _not_one_of("software_config.plugins", software.plugins, plugin)
        elif plugin_version not in own[plugin.lower()]:
            yield _not_one_of(f"software_config.plugins.{plugin}", own[plugin.lower()], plugin_version)


def _machine_problems(software: FarmSoftware, info: Mapping[str, Any]) -> Iterator[str]:
    scene_file = str(info.get("input_cg_file", ""))
    system = str(info.get("os_name", WINDOWS))
    if system not in {LINUX, WINDOWS}:
        yield f"task_info.os_name: must be '0' or '1', got {_shown(info['os_name'])}"
    if system == LINUX and not software.has_linux:
        yield f"task_info.os_name: must be '1': the farm has no Linux machines for {software.name}"
    if not scene_file.lower().endswith(tuple(f".{each}" for each in software.extensions)):
        extensions = " or ".join(f".{each}" for each in software.extensions)
        yield (
            f"task_info.input_cg_file: must end in {extensions} for {software.name}, got {_shown(scene_file)}"
        )
    if software.cg_id == KATANA and str(info.get("tiles", "1")) != "1":
        yield "task_info.tiles: must be '1': Katana renders no tiles"
    if software.cg_id == KATANA and str(info.get("is_distribute_render", "0")) == "1":
        yield "task_info.is_distribute_render: must be '0': Katana renders a frame on one machine"


def _scene_problems(
    software: FarmSoftware, scene: Mapping[str, Any], layer: str, fields: Mapping[str, Any]
) -> Iterator[str]:
    places = FRAMES_IN.get(software.cg_id, ())
    if places and not any(isinstance(scene.get(place), dict | list) for place in places):
        yield f"the scene: must have {' or '.join(places)} for {software.name}"
        return
    if software.cg_id == MAYA and layer not in scene:
        yield f"layers: must be layers of the scene, got {_shown(layer)}"
        return
    for name in READ_FIELDS.get(software.cg_id, ("frames",) if places else ()):
        if name not in fields:
            yield f"{name}: is missing, but the render script of {software.name} reads it"
    if software.cg_id == BLENDER and _NEGATIVE.search(str(fields.get("frames", ""))):
        yield (
            "frames: must not be negative, for the render script of Blender splits them at '-', got "
            f"{_shown(fields['frames'])}"
        )


def _format_problems(software: FarmSoftware, fields: Mapping[str, Any]) -> Iterator[str]:
    for name in FORMAT_KEYS:
        given = fields.get(name)
        for each in given if isinstance(given, list) else [given]:
            # Some renderers add words, such as "exr (multichannel)".
            image_format = str(each or "").lstrip(".").partition(" ")[0].upper()
            if image_format and software.formats and image_format not in software.formats:
                yield _not_one_of(name, software.formats, each)


def _renderer_problems(
    software: FarmSoftware, scene: Mapping[str, Any], fields: Mapping[str, Any], plugins: Mapping[str, Any]
) -> Iterator[str]:
    if software.cg_id == MAYA:
        renderer = fields.get("renderer")
        if renderer is not None and renderer not in software.renderers:
            yield _not_one_of("renderer", software.renderers, renderer)
        needed = RENDERER_PLUGINS.get(str(renderer))
        if needed and not any(needed.lower() in plugin.lower() for plugin in plugins):
            yield f"software_config.plugins: must have {needed!r} for the renderer {_shown(renderer)}"
    elif software.renderers:
        name = _letters(_object(scene, "renderer").get("name"))
        if not any(re.fullmatch(f"{known}({_RENDERER_SUFFIX})?", name) for known in software.renderers):
            yield _not_one_of("renderer.name", software.renderers, _object(scene, "renderer").get("name"))


def cameras_of(fields: Mapping[str, Any]) -> list[str]:
    """Return the names of the cameras to render: Blender has one, Maya and 3ds Max have a list."""
    name = str(fields.get("camera_name") or "")
    if match := _BLENDER_CAMERA.fullmatch(name):
        return [match[1]]
    names = name or fields.get("render_camera") or fields.get("renderable_camera") or []
    return [str(each) for each in (names if isinstance(names, list) else [names])]


def check_cameras(fields: Mapping[str, Any]) -> None:
    """Check that the cameras to render are among those that the analysis found, if it found any.

    :raises UnknownCameraError: one of them is not.
    """
    known = fields.get("all_camera")
    for camera in cameras_of(fields):
        if isinstance(known, list) and known and camera not in known:
            raise UnknownCameraError(
                f"render_camera: must be among {', '.join(map(str, known))}, got {_shown(camera)}"
            )


def _plugins(config: Mapping[str, Any]) -> dict[str, Any]:
    return _object(config, "plugins")


def _object(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = content.get(name)
    return value if isinstance(value, dict) else {}


def _letters(name: Any) -> str:
    return "".join(filter(str.isalnum, str(name).casefold()))


def _not_one_of(name: str, choices: Iterable[str], value: Any) -> str:
    return f"{name}: must be one of {', '.join(choices)}, got {_shown(value)}"


def _shown(value: Any) -> str:
    return repr(value)[:MAX_SHOWN]
