"""Builds a task.json, or changes one that an analysis wrote."""

from __future__ import annotations

import copy
import re
import warnings
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_renderbus.api.validation import excerpt
from airflow_provider_renderbus.task_json.arguments import CONVERTERS, check_test_frames
from airflow_provider_renderbus.task_json.doubts import find_doubts, missing_plugin
from airflow_provider_renderbus.task_json.fields import DEFAULTS, SOFTWARE_CONFIG, TASK_INFO, Software
from airflow_provider_renderbus.task_json.files import deep_merge, load_json, replace_nulls
from airflow_provider_renderbus.task_json.frame_ranges import is_template
from airflow_provider_renderbus.task_json.names import (
    did_you_mean,
    extension_software,
    known_name,
    path_system,
    software_id,
    software_of,
)
from airflow_provider_renderbus.task_json.scenes import change_scene
from airflow_provider_renderbus.task_json.schema import validate
from airflow_provider_renderbus.task_json.software import (
    BLENDER,
    BUILDABLE,
    MAYA,
    SOFTWARE,
    UNREAL,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike
    from pathlib import PurePath

    from airflow_provider_renderbus.task_json.frame_ranges import Frames

_LINUX, _WINDOWS = "0", "1"
_NOT_IN_SCENE = {"render_setup"}


def build_task_json(
    *,
    software: str | int | None = None,
    version: str | None = None,
    scene: str | PurePath | None = None,
    frames: Frames | None = None,
    width: int | None = None,
    height: int | None = None,
    camera: str | Iterable[str] | None = None,
    image_format: str | None = None,
    output: str | None = None,
    scene_names: Iterable[str] | None = None,
    layers: Iterable[str] | None = None,
    renderer: str | None = None,
    render_setup: bool | None = None,
    rop_nodes: Iterable[str] | None = None,
    geo_nodes: Iterable[str] | None = None,
    geo_nodes_in_order: bool | None = None,
    distributed_sims: Mapping[str, int] | None = None,
    write_nodes: Iterable[str] | None = None,
    render_nodes: Iterable[str] | None = None,
    images: Iterable[str] | None = None,
    queue: str | None = None,
    level: str | None = None,
    sequences: Iterable[str] | None = None,
    plugins: Mapping[str, str] | None = None,
    project_name: str | None = None,
    project_path: str | PurePath | None = None,
    frames_per_task: int | None = None,
    test_frames: str | None = None,
    pause_after_test_frames: bool | None = None,
    frame_timeout: int | None = None,
    task_timeout: int | None = None,
    warn_after: int | None = None,
    tiles: int | None = None,
    tiles_type: Literal["block", "strip"] | None = None,
    distributed_nodes: int | None = None,
    os_name: Literal["linux", "windows"] | None = None,
    ram_gb: int | None = None,
    gpu_num: int | None = None,
    base: Mapping[str, Any] | str | PathLike[str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a task.json, or a changed copy of one that an analysis wrote.

    Arguments that are omitted get the farm's default, or keep the value of `base`. Account, platform, task
    id, project id and machines are added before the upload
    (:func:`airflow_provider_renderbus.task_json.files.complete_task_json`). docs/software.md has the
    arguments of each software, and their fields.

    What is allowed but doubtful is a `UserWarning`: a Linux path for Windows machines, a renderer without its
    plug-in, a layer or camera that is not in `base`.

    :param software: the software, by name ("Blender", "C4d", "V-Ray") or id (2007).
    :param version: its version as the farm names it, e.g. "4.2".
    :param scene: path of the scene file, as a machine of the farm opens it.
    :param frames: one frame, a string such as "1-10[2],15", a list of frames, or a range as in Python, which
        ends before its end. A frame that is named twice is rendered once.
    :param width: width of a frame in pixels.
    :param height: height of a frame in pixels.
    :param camera: name of the camera to render, or several (Maya, 3ds Max); the scene's own if omitted.
    :param image_format: image format, e.g. "PNG" or "exr".
    :param output: path, or prefix of the names, of the frames.
    :param scene_names: scenes of the file to render (Blender).
    :param layers: render layers (Maya), or layers with the path of their image (Clarisse).
    :param renderer: name of the renderer, e.g. "arnold".
    :param render_setup: whether the layers are those of Render Setup (Maya).
    :param rop_nodes: paths of nodes to render, e.g. "/out/mantra1" (Houdini).
    :param geo_nodes: paths of nodes to simulate (Houdini).
    :param geo_nodes_in_order: whether each of the `geo_nodes` waits for the one before it (Houdini).
    :param distributed_sims: number of slices by path of a node that distributes a simulation (Houdini).
    :param write_nodes: names of nodes to render (Nuke).
    :param render_nodes: names of nodes to render (Katana).
    :param images: paths of images to render (Clarisse).
    :param queue: path of the queue of the Movie Render Queue (Unreal Engine).
    :param level: path of the level of a new job (Unreal Engine).
    :param sequences: paths of level sequences, or names of jobs, to render (Unreal Engine).
    :param plugins: versions of plug-ins by name.
    :param project_name: the project on the farm.
    :param project_path: the project's folder.
    :param frames_per_task: frames that one machine renders in one go.
    :param test_frames: frames to render before the rest: three digits 0 or 1 for first, middle and last,
        then optionally a colon and frames, e.g. "101" or "000:1,3-4[1]".
    :param pause_after_test_frames: whether the render pauses after the test frames until full speed is
        requested.
    :param frame_timeout: seconds that a frame may take.
    :param task_timeout: seconds that the whole render may take, 0 for no limit.
    :param warn_after: seconds after which the farm warns the user.
    :param tiles: number of tiles that a frame is split into; not together with `frames_per_task`.
    :param tiles_type: shape of the tiles, "block" or "strip".
    :param distributed_nodes: machines that share a frame or a simulation.
    :param os_name: operating system of the machines, "linux" or "windows"; if omitted, it follows from the
        software and the path of the scene.
    :param ram_gb: memory of a machine in GB.
    :param gpu_num: GPU cards of a machine.
    :param base: a task.json to start from: a mapping, JSON text or a path.
    :param overrides: merged into the result, object by object; may hold any field of task.json.
    :raises ValueError: an argument is missing or invalid, or `base` is not a valid task.json.
    """
    given = {name: value for name, value in locals().items() if value is not None}
    result, doubts = _build(given)
    for doubt in doubts:
        warnings.warn(doubt, stacklevel=2)
    return result


def _build(given: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a task.json and what is doubtful about it."""
    base = _load_base(given.pop("base", None))
    overrides = load_json("overrides", given.pop("overrides", {}))
    software = _resolve_software(given.pop("software", None), base)
    _check_supported(software, given)
    if not base:
        _check_required(software, given)
    values = {name: CONVERTERS[name](name, value) for name, value in given.items()}
    _use_known_names(software, values)
    _check_values(software, values)
    result = deep_merge(base or _defaults(software, values), _changes(software, values))
    _check_combinations(software, values, result)
    unknown: list[str] = []
    scene_values = {name: value for name, value in values.items() if name in software.scene_arguments()}
    if software.groups and (scene_values.keys() - _NOT_IN_SCENE or not base):
        base_scene = base.get("scene_info_render") or base.get("scene_info") or {}
        scene_file = result["task_info"].get("input_cg_file", "")
        scene, unknown = change_scene(software, base_scene, scene_values, scene_file)
        result |= {"scene_info_render": scene} | ({"layers": list(scene)} if software.cg_id == MAYA else {})
    result = deep_merge(result, overrides)
    return result, [*unknown, *find_doubts(result)]


def _load_base(base: Any) -> dict[str, Any]:
    if base is None:
        return {}
    content = load_json("base", base)
    validate("task.json", content)
    replace_nulls(content)
    return content


def _resolve_software(given: str | int | None, base: Mapping[str, Any]) -> Software:
    argument_id = None if given is None else software_id("software", given)
    if base:
        cg_id = base["task_info"].get("cg_id")
        software = software_of(base["task_info"]) or Software(0, f"software {cg_id}")
        if argument_id not in {None, software.cg_id}:
            raise ValueError(f"software: must be {software.name} as in base, got {given!r}")
        return software
    buildable = ", ".join(each.name for each in BUILDABLE.values())
    if argument_id is None:
        raise ValueError(f"software: must be one of {buildable} if there is no base, got None")
    if argument_id not in BUILDABLE:
        raise ValueError(
            f"software: must be one of {buildable}, got {given!r}; nothing is documented about task.json for "
            f"{SOFTWARE[argument_id].name}: pass one that exists as base"
        )
    return BUILDABLE[argument_id]


def _check_supported(software: Software, given: Mapping[str, Any]) -> None:
    for argument in given:
        takers = [each for each in SOFTWARE.values() if argument in each.scene_arguments()]
        reason = software.forbidden.get(argument, "")
        if reason and not (argument == "tiles" and given["tiles"] == 1):
            raise ValueError(f"{argument}: must be omitted for {software.name}: {reason}")
        if takers and software not in takers:
            names = ", ".join(each.name for each in takers)
            near = did_you_mean(argument, [name for name in software.scene_arguments() if name not in given])
            raise ValueError(
                f"{argument}: must be omitted for {software.name} (it is for {names}); use overrides{near}"
            )


def _check_required(software: Software, given: Mapping[str, Any]) -> None:
    size = ("width", "height") if "width" in given or "height" in given else ()
    for required in ("version", "scene", *software.required, *size):
        choices = (required,) if isinstance(required, str) else required
        if not any(argument in given for argument in choices):
            names = " or ".join(choices)
            raise ValueError(f"{choices[0]}: {names} must be given for {software.name} if there is no base")


def _use_known_names(software: Software, values: dict[str, Any]) -> None:
    """Replace names of renderer and image format by those that the software writes."""
    known = {"image_format": software.formats, "renderer": software.renderers}
    for argument, names in known.items():
        if argument in values and not is_template(values[argument]):
            # Maya finds a renderer, and its plug-in, by the bare name only.
            may_have_version = argument == "renderer" and software.cg_id != MAYA
            values[argument] = known_name(
                argument, values[argument], names, may_have_version=may_have_version
            )


def _check_values(software: Software, values: Mapping[str, Any]) -> None:
    scene_file = values.get("scene", "")
    owner = extension_software(scene_file)
    if software.extensions and owner not in {None, software} and not is_template(scene_file):
        extensions = " or ".join(f".{extension}" for extension in software.extensions)
        raise ValueError(
            f"scene: must be a scene file of {software.name} ({extensions}), got {excerpt(scene_file)} of "
            f"{owner.name}"
        )
    if values.get("os_name") == _LINUX and software.has_linux is False:
        raise ValueError(
            f"os_name: must be 'windows' for {software.name}, got 'linux': the farm has no Linux machines "
            "for it"
        )
    if values.get("geo_nodes_in_order") and "geo_nodes" not in values:
        raise ValueError("geo_nodes: must be given with geo_nodes_in_order, in their order")
    if software.cg_id == BLENDER and isinstance(values.get("camera"), list):
        raise ValueError(f"camera: must be a string for Blender, got {values['camera']!r}")
    if "test_frames" in values and "frames" in values:
        check_test_frames("test_frames", values["test_frames"], values["frames"])


def _defaults(software: Software, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a new file has before the arguments are applied."""
    software_config = {"cg_name": software.cg_name or software.name, "plugins": {}}
    if software.cg_id == UNREAL:  # where Epic's launcher installs it
        release = re.search(r"[0-9]+(?:\.[0-9]+)?", values["version"])
        folder = release[0] if release else values["version"]
        software_config["cg_inst_dir"] = f"C:/Program Files/Epic Games/UE_{folder}"
    is_linux = software.has_linux is not False and path_system(values["scene"]) == "linux"
    return {
        "software_config": software_config,
        "task_info": {
            **copy.deepcopy(DEFAULTS),
            "cg_id": str(software.cg_id),
            "os_name": _LINUX if is_linux else _WINDOWS,
            **software.task_info,
        },
        "additional_info": {},
        **software.top_level,
        # The farm reads the .vrscene only.
        **({} if software.groups else {"scene_info": {}}),
    }


def _changes(software: Software, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that the arguments set, but those of the scene."""
    software_config = {
        field.name: values[field.argument]
        for field in SOFTWARE_CONFIG
        if field.argument in values and not field.is_derived
    }
    task_info = {
        field.name: values[field.argument]
        for field in TASK_INFO
        if field.argument in values and not field.is_derived
    }
    if software.cg_id == MAYA and ("layers" in values or values.get("tiles", "1") != "1"):
        task_info |= {"enable_layered": "1", "is_layer_rendering": "1"}
    if "geo_nodes_in_order" in values:
        task_info |= {"geo_node_dependency": str(int(values["geo_nodes_in_order"])), "multi_node": "0"}
    slices = map(int, values.get("distributed_sims", {}).values())
    machines = int(values.get("distributed_nodes") or max(slices, default=0))
    if machines:
        is_distributed = "distributed_sims" in values or machines > 1
        task_info |= {
            "is_distribute_render": str(int(is_distributed)),
            "distribute_render_node": str(machines),
        }
    return {"software_config": software_config, "task_info": task_info}


def _check_combinations(software: Software, values: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """Check the arguments against each other and against the base. A faulty base that is unchanged passes."""
    task_info = result["task_info"]
    if values.get("pause_after_test_frames") == "1" and task_info.get("pre_frames", "000") == "000":
        raise ValueError("pause_after_test_frames: test_frames must be given too, e.g. '100'")
    tiled, packed = (task_info.get(field, "1") != "1" for field in ("tiles", "frames_per_task"))
    if tiled and packed and ("tiles" in values or "frames_per_task" in values):
        raise ValueError("tiles: tiles and frames_per_task cannot both be more than 1")
    if software.cg_id == MAYA and tiled and "renderer" in values:
        missing = missing_plugin(values["renderer"], result["software_config"].get("plugins") or {})
        if missing:
            raise ValueError(
                f"plugins: must have {missing!r} for the renderer {values['renderer']}, or its tiles fail"
            )
