"""Building a task.json for Blender, Maya or Houdini, or changing one that an analysis made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_renderbus.api.call import drop_none
from airflow_provider_renderbus.task_json import fields, scenes
from airflow_provider_renderbus.task_json.files import deep_merge, load_json
from airflow_provider_renderbus.task_json.schema import validate
from airflow_provider_renderbus.task_json.software import HOUDINI, MAYA, software_id, software_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from pathlib import PurePath

    from airflow_provider_renderbus.task_json.frame_ranges import Frames

# Source: the defaults of task_info in the vendor's documents and in its released client.
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
    """Return a task.json for Blender, Maya or Houdini, or one that an analysis made, with changes.

    What is left out has the farm's default, or stays as `base` has it. Account, platform, task number,
    project id and machines are filled in before the upload (:func:`.completion.filled_in`).

    :param software: the software, by name ("Blender") or number (2007).
    :param version: its version, e.g. "4.2".
    :param scene: the scene file, as its path is on the machine from which it is uploaded.
    :param frames: one frame, a text such as "1-10[2],15", or start, end and step.
    :param width: of a frame, pixels. Maya wants it.
    :param height: of a frame, pixels. Maya wants it.
    :param camera: name of the camera to render; the scene's own where it is left out (Blender, Maya).
    :param image_format: of the frames, as the software names it, e.g. "PNG" (Blender) or "exr" (Maya, whose
        default that is).
    :param output: the frames' path (Blender) or the prefix of their names (Maya).
    :param scene_names: scenes of the file that are rendered (Blender).
    :param layers: render layers; all others of `base` are switched off (Maya).
    :param renderer: name of the renderer, e.g. "arnold" (Maya, which wants it).
    :param render_setup: whether the layers are those of Render Setup (Maya).
    :param rop_nodes: paths of nodes to render, e.g. "/out/mantra1"; others of `base` are switched off
        (Houdini, which wants these or `geo_nodes`).
    :param geo_nodes: paths of nodes to simulate (Houdini).
    :param plugins: versions of plug-ins by their names.
    :param project_name: the project on the farm.
    :param project_path: the project's folder.
    :param frames_per_task: frames that one machine renders in one go.
    :param test_frames: frames to render before the rest: three digits 0 or 1 for first, middle and last,
        then optionally a colon and frames, e.g. "101" or "000:1,3-4[1]".
    :param pause_after_test_frames: whether the render pauses after the test frames until full speed is
        requested.
    :param frame_timeout: seconds that a frame may take.
    :param task_timeout: seconds that the whole task may take, 0 for no limit.
    :param warn_after: seconds after which the user is warned.
    :param tiles: tiles that a frame is cut in; not together with `frames_per_task`.
    :param tiles_type: shape of the tiles, "block" or "strip".
    :param os_name: operating system of the machines, "linux" or "windows".
    :param ram_gb: memory of the machines, GB.
    :param gpu_num: GPU cards of a machine.
    :param base: a task.json to start from: a mapping, JSON text or a path. It may be for any software, but
        what a software other than the three renders is changed by `overrides` only.
    :param overrides: merged into the result, object by object: it may hold anything that task.json can.
    :raises ValueError: an argument is missing or is not what it takes, or `base` is no task.json.
    """
    present = {}
    if base is not None:
        present = load_json("base", base)
        validate("task.json", present)
    number = _software_number(software, present)
    rendered = drop_none(
        frames=fields.frames("frames", frames),
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
    config = drop_none(
        cg_name=None if present else software_name(number),
        cg_version=fields.str_or_path("version", version),
        plugins=fields.plugin_versions("plugins", plugins),
    )
    info = drop_none(
        cg_id=None if present else str(number),
        input_cg_file=fields.str_or_path("scene", scene),
        input_project_path=fields.str_or_path("project_path", project_path),
        project_name=fields.str_or_path("project_name", project_name),
        frames_per_task=fields.int_text("frames_per_task", frames_per_task),
        pre_frames=fields.test_frames("test_frames", test_frames, rendered.get("frames")),
        stop_after_test=fields.choice_text(
            "pause_after_test_frames", pause_after_test_frames, {True: "1", False: "2"}
        ),
        job_stop_time=fields.int_text("frame_timeout", frame_timeout),
        task_stop_time=fields.int_text("task_timeout", task_timeout, least=0),
        time_out=fields.int_text("warn_after", warn_after),
        tiles=fields.int_text("tiles", tiles),
        tiles_type=fields.choice_text("tiles_type", tiles_type, {"block": "block", "strip": "strip"}),
        render_layer_type=rendered.get("render_setup"),
        os_name=fields.choice_text("os_name", os_name, {"linux": "0", "windows": "1"}),
        ram=fields.int_text("ram_gb", ram_gb),
        graphics_cards_num=fields.int_text("gpu_num", gpu_num),
    )
    _check_rendered(number, rendered)
    if not present:
        _check_whole(number, {"version": version, "scene": scene, **rendered})
    described = {"software_config": config, "task_info": info, **_scene(number, rendered, present)}
    result = deep_merge(present or _defaults(number), described)
    _check_together(info, result["task_info"])
    return deep_merge(result, {} if overrides is None else load_json("overrides", overrides))


def _defaults(number: int) -> dict[str, Any]:
    # Maya cuts frames in tiles only where layers are on (the vendor's document of Maya's task.json).
    info = {**DEFAULTS, "enable_layered": "1"} if number == MAYA else DEFAULTS
    return {"software_config": {"plugins": {}}, "task_info": info, "additional_info": {}}


def _software_number(software: str | int | None, base: Mapping[str, Any]) -> int:
    described = " or ".join(map(software_name, scenes.SCENE_BUILDERS))
    given = None if software is None else software_id("software", software)
    if base:
        cg_id = base["task_info"].get("cg_id", "")
        number = int(cg_id) if cg_id.isdecimal() else 0
        if given not in {None, number}:
            raise ValueError(
                f"software: base is for {software_name(number)}, not for {software!r}; leave software out"
            )
        return number
    if given is None:
        raise ValueError(f"software: {described} is wanted where there is no base")
    if given not in scenes.SCENE_BUILDERS:
        start = f"for {software_name(given)} start from base, a file that an analysis made"
        raise ValueError(f"software: {described} is wanted; {start}")
    return given


def _check_rendered(number: int, rendered: Mapping[str, Any]) -> None:
    for argument in rendered:
        takers = [taker for taker, taken in scenes.SUPPORTED_ARGUMENTS.items() if argument in taken]
        if number not in takers:
            names = " and ".join(map(software_name, takers))
            raise ValueError(f"{argument}: it is for {names}, not for {software_name(number)}; use overrides")


def _check_whole(number: int, given: Mapping[str, Any]) -> None:
    wanted = ["version", "scene", "frames"]
    if number == MAYA:
        wanted += ["width", "height", "renderer"]
    if number == HOUDINI and "geo_nodes" not in given:
        wanted += ["rop_nodes"]
    if "width" in given or "height" in given:
        wanted += ["width", "height"]
    for argument in wanted:
        if given.get(argument) is None:
            raise ValueError(f"{argument}: it is wanted for {software_name(number)} where there is no base")


def _check_together(given: Mapping[str, Any], info: Mapping[str, Any]) -> None:
    no_priority = info.get("pre_frames", "000") == "000"
    if given.get("stop_after_test") == "1" and no_priority:
        raise ValueError(
            "pause_after_test_frames: there is no frame to pause after; give test_frames, e.g. '100'"
        )
    in_tiles, in_packs = (info.get(field, "1") != "1" for field in ("tiles", "frames_per_task"))
    if in_tiles and in_packs and ("tiles" in given or "frames_per_task" in given):
        raise ValueError("tiles: tiles and several frames_per_task exclude each other; leave one at 1")


def _scene(number: int, rendered: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    if not rendered:
        return {}
    scene = scenes.SCENE_BUILDERS[number](
        base.get("scene_info_render") or base.get("scene_info") or {}, rendered
    )
    return {"scene_info_render": scene} | ({"layers": list(scene)} if number == MAYA else {})
