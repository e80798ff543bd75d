"""Builds a task.json for Blender, Maya or Houdini, or changes one that an analysis wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_renderbus.api.call import drop_none
from airflow_provider_renderbus.task_json import fields, scenes
from airflow_provider_renderbus.task_json.files import deep_merge, load_json
from airflow_provider_renderbus.task_json.frame_ranges import format_frames
from airflow_provider_renderbus.task_json.schema import validate
from airflow_provider_renderbus.task_json.software import HOUDINI, MAYA, software_id, software_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from pathlib import PurePath

    from airflow_provider_renderbus.task_json.frame_ranges import Frames

# Source: the defaults of task_info in the vendor's documentation and in its released client.
DEFAULTS = {
    "project_name": "",
    "input_project_path": "",
    "frames_per_task": "1",
    "pre_frames": "000",
    "stop_after_test": "2",
    "job_stop_time": "259200",
    "task_stop_time": "0",
    "time_out": "43200",
    "tiles": "1",
    "tiles_type": "block",
    "is_layer_rendering": "1",
    "enable_layered": "0",
    "render_layer_type": "0",
    "is_distribute_render": "0",
    "distribute_render_node": "3",
    "is_picture": "0",
    "os_name": "1",
    "ram": "64",
    "channel": "4",
    "graphics_cards_num": "2",
}


def build_task_json(
    *,
    software: str | int | None = None,
    version: str | None = None,
    scene: str | PurePath | None = None,
    frames: Frames | None = None,
    width: int | None = None,
    height: int | None = None,
    camera: str | None = None,
    image_format: str | None = None,
    output: str | None = None,
    scene_names: Sequence[str] | None = None,
    layers: Sequence[str] | None = None,
    renderer: str | None = None,
    render_setup: bool | None = None,
    rop_nodes: Sequence[str] | None = None,
    geo_nodes: Sequence[str] | None = None,
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
    os_name: Literal["linux", "windows"] | None = None,
    ram_gb: int | None = None,
    gpu_num: int | None = None,
    base: Mapping[str, Any] | str | PathLike[str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a task.json for Blender, Maya or Houdini, or a changed copy of one that an analysis wrote.

    Arguments that are omitted get the farm's default, or keep the value of `base`. Account, platform, task
    id, project id and machines are added before the upload
    (:func:`airflow_provider_renderbus.task_json.files.complete_task_json`).

    :param software: the software, by name ("Blender") or id (2007).
    :param version: its version, e.g. "4.2".
    :param scene: path of the scene file on the machine that uploads it.
    :param frames: one frame, a string such as "1-10[2],15", or start, end and step.
    :param width: width of a frame in pixels. Required for Maya.
    :param height: height of a frame in pixels. Required for Maya.
    :param camera: name of the camera to render; the scene's own if omitted (Blender, Maya).
    :param image_format: image format as the software names it, e.g. "PNG" (Blender) or "exr" (Maya, where it
        is the default).
    :param output: path of the frames (Blender) or prefix of their names (Maya).
    :param scene_names: scenes of the file to render (Blender).
    :param layers: render layers; all other layers of `base` are switched off (Maya).
    :param renderer: name of the renderer, e.g. "arnold" (Maya, where it is required).
    :param render_setup: whether the layers are those of Render Setup (Maya).
    :param rop_nodes: paths of nodes to render, e.g. "/out/mantra1"; other nodes of `base` are switched off
        (Houdini, where these or `geo_nodes` are required).
    :param geo_nodes: paths of nodes to simulate (Houdini).
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
    :param os_name: operating system of the machines, "linux" or "windows".
    :param ram_gb: memory of a machine in GB.
    :param gpu_num: GPU cards of a machine.
    :param base: a task.json to start from: a mapping, JSON text or a path. It may be for any software, but
        what a software other than the three renders can be changed by `overrides` only.
    :param overrides: merged into the result, object by object; may hold any field of task.json.
    :raises ValueError: an argument is missing or invalid, or `base` is not a valid task.json.
    """
    base_content = {}
    if base is not None:
        base_content = load_json("base", base)
        validate("task.json", base_content)
    cg_id = _resolve_software(software, base_content)
    scene_args = drop_none(
        frames=None if frames is None else format_frames("frames", frames),
        width=fields.int_text("width", width),
        height=fields.int_text("height", height),
        camera=fields.str_or_path("camera", camera),
        image_format=fields.str_or_path("image_format", image_format),
        output=fields.str_or_path("output", output),
        scene_names=fields.str_list("scene_names", scene_names),
        layers=fields.str_list("layers", layers),
        renderer=fields.str_or_path("renderer", renderer),
        render_setup=fields.choice_text("render_setup", render_setup, {False: "0", True: "1"}),
        rop_nodes=fields.str_list("rop_nodes", rop_nodes),
        geo_nodes=fields.str_list("geo_nodes", geo_nodes),
    )
    software_config = drop_none(
        cg_name=None if base_content else software_name(cg_id),
        cg_version=fields.str_or_path("version", version),
        plugins=fields.plugin_versions("plugins", plugins),
    )
    task_info = drop_none(
        cg_id=None if base_content else str(cg_id),
        input_cg_file=fields.str_or_path("scene", scene),
        input_project_path=fields.str_or_path("project_path", project_path),
        project_name=fields.str_or_path("project_name", project_name),
        frames_per_task=fields.int_text("frames_per_task", frames_per_task),
        pre_frames=fields.pre_frames("test_frames", test_frames, scene_args.get("frames")),
        stop_after_test=fields.choice_text(
            "pause_after_test_frames", pause_after_test_frames, {True: "1", False: "2"}
        ),
        job_stop_time=fields.int_text("frame_timeout", frame_timeout),
        task_stop_time=fields.int_text("task_timeout", task_timeout, minimum=0),
        time_out=fields.int_text("warn_after", warn_after),
        tiles=fields.int_text("tiles", tiles),
        tiles_type=fields.choice_text("tiles_type", tiles_type, {"block": "block", "strip": "strip"}),
        render_layer_type=scene_args.get("render_setup"),
        os_name=fields.choice_text("os_name", os_name, {"linux": "0", "windows": "1"}),
        ram=fields.int_text("ram_gb", ram_gb),
        graphics_cards_num=fields.int_text("gpu_num", gpu_num),
    )
    _check_supported(cg_id, scene_args)
    if not base_content:
        _check_required(cg_id, {"version": version, "scene": scene, **scene_args})
    changes = {
        "software_config": software_config,
        "task_info": task_info,
        **_scene_info(cg_id, scene_args, base_content),
    }
    result = deep_merge(base_content or _defaults(cg_id), changes)
    _check_combinations(task_info, result["task_info"])
    return deep_merge(result, {} if overrides is None else load_json("overrides", overrides))


def _defaults(cg_id: int) -> dict[str, Any]:
    # Maya splits frames into tiles only if layers are on (the vendor's documentation of Maya's task.json).
    task_info = {**DEFAULTS, "enable_layered": "1"} if cg_id == MAYA else DEFAULTS
    return {"software_config": {"plugins": {}}, "task_info": task_info, "additional_info": {}}


def _resolve_software(software: str | int | None, base: Mapping[str, Any]) -> int:
    supported = ", ".join(map(software_name, scenes.SCENE_BUILDERS))
    argument_id = None if software is None else software_id("software", software)
    if base:
        base_id = base["task_info"].get("cg_id", "")
        cg_id = int(base_id) if base_id.isdecimal() else 0
        if argument_id not in {None, cg_id}:
            raise ValueError(f"software: must be {software_name(cg_id)} as in base, got {software!r}")
        return cg_id
    if argument_id is None:
        raise ValueError(f"software: must be one of {supported} if there is no base, got None")
    if argument_id not in scenes.SCENE_BUILDERS:
        raise ValueError(
            f"software: must be one of {supported}, got {software!r}; for {software_name(argument_id)} pass "
            "as base a task.json that an analysis wrote"
        )
    return argument_id


def _check_supported(cg_id: int, scene_args: Mapping[str, Any]) -> None:
    for argument in scene_args:
        supporting = [other for other, names in scenes.SUPPORTED_ARGUMENTS.items() if argument in names]
        if cg_id not in supporting:
            names = ", ".join(map(software_name, supporting))
            raise ValueError(
                f"{argument}: must be omitted for {software_name(cg_id)} (it is for {names}); use overrides"
            )


def _check_required(cg_id: int, arguments: Mapping[str, Any]) -> None:
    required = ["version", "scene", "frames"]
    if cg_id == MAYA:
        required += ["width", "height", "renderer"]
    if cg_id == HOUDINI and "geo_nodes" not in arguments:
        required += ["rop_nodes"]
    if "width" in arguments or "height" in arguments:
        required += ["width", "height"]
    for argument in required:
        if arguments.get(argument) is None:
            raise ValueError(f"{argument}: must be given for {software_name(cg_id)} if there is no base")


def _check_combinations(changes: Mapping[str, Any], task_info: Mapping[str, Any]) -> None:
    """Check the arguments against each other and against the base. A faulty base that is unchanged passes."""
    if changes.get("stop_after_test") == "1" and task_info.get("pre_frames", "000") == "000":
        raise ValueError("pause_after_test_frames: test_frames must be given too, e.g. '100'")
    tiled, packed = (task_info.get(field, "1") != "1" for field in ("tiles", "frames_per_task"))
    if tiled and packed and ("tiles" in changes or "frames_per_task" in changes):
        raise ValueError("tiles: tiles and frames_per_task cannot both be more than 1")


def _scene_info(cg_id: int, scene_args: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    if not scene_args:
        return {}
    base_scene = base.get("scene_info_render") or base.get("scene_info") or {}
    scene = scenes.SCENE_BUILDERS[cg_id](base_scene, scene_args)
    return {"scene_info_render": scene} | ({"layers": list(scene)} if cg_id == MAYA else {})
