import inspect
import json
import re
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, strategies as st

from airflow_provider_renderbus.task_json import build_task_json
from airflow_provider_renderbus.task_json.arguments import CONVERTERS
from airflow_provider_renderbus.task_json.fields import DEFAULTS
from airflow_provider_renderbus.task_json.schema import validate
from airflow_provider_renderbus.task_json.software import BUILDABLE, SOFTWARE
from tests.task_json.builds import BUILDS
from tests.task_json.shapes import SCENES, make_task_json

BLENDER, MAYA, HOUDINI = ({"software": name, **BUILDS[name]} for name in ("Blender", "Maya", "Houdini"))
ANALYZED_MAYA = {
    **make_task_json("2000 Maya"),
    "task_info": {"cg_id": "2000", "input_cg_file": "a.ma", "ram": "128", "hardwareConfigId": "5"},
}


def assert_rejected(message, **given_arguments):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        build_task_json(**given_arguments)


def test_build_blender_returns_scene_and_defaults():
    content = build_task_json(
        **BLENDER,
        width=1920,
        height=1080,
        camera="Camera",
        image_format="PNG",
        output="sh010_",
        scene_names=["sh010"],
        plugins={"botaniq": "6.8"},
    )
    assert content == {
        "software_config": {"cg_name": "Blender", "cg_version": "4.2", "plugins": {"botaniq": "6.8"}},
        "task_info": {**DEFAULTS, "cg_id": "2007", "input_cg_file": "D:/shots/sh010.blend"},
        "scene_info_render": {
            "common": {
                "frames": "1-24[1]",
                "width": "1920",
                "height": "1080",
                "camera_name": "Camera",
                "Render_Format": "PNG",
                "Output_path": "sh010_",
                "scene_name": ["sh010"],
            }
        },
        "additional_info": {},
    }


def test_build_maya_with_layers_returns_an_object_per_layer():
    content = build_task_json(
        **MAYA, camera="persp", layers=["beauty", "shadow"], output="sh010", render_setup=True
    )
    assert content["layers"] == list(content["scene_info_render"]) == ["beauty", "shadow"]
    assert content["scene_info_render"]["shadow"] == {
        "renderable": "1",
        "env": {},
        "is_default_camera": "0",
        "option": {},
        "common": {
            "frames": "1-10[2]",
            "start": "1",
            "end": "10",
            "by_frame": "2",
            "width": "64",
            "height": "36",
            "renderer": "arnold",
            "image_format": "exr",
            "image_file_prefix": "sh010",
            "all_camera": ["persp"],
            "render_camera": ["persp"],
        },
    }
    assert (content["task_info"]["render_layer_type"], content["task_info"]["enable_layered"]) == ("1", "1")


def test_build_maya_without_layers_returns_the_default_layer():
    content = build_task_json(**MAYA)
    assert content["layers"] == ["defaultRenderLayer"]
    assert content["scene_info_render"]["defaultRenderLayer"]["is_default_camera"] == "1"


def test_build_houdini_returns_lists_of_nodes():
    content = build_task_json(**HOUDINI, geo_nodes=["/out/sim"], width=1280, height=720)
    shared = {"render": "1", "frames": "7-7[1]", "width": "1280", "height": "720"}
    assert content["scene_info_render"] == {
        "rop_node": [{"node": "/out/mantra1", "option": "-1", **shared}],
        "geo_node": [{"node": "/out/sim", "option": "0", **shared}],
    }


def test_build_all_arguments_returns_strings():
    info = build_task_json(
        **BLENDER,
        project_name="night",
        project_path=PurePosixPath("/mnt/project"),
        frames_per_task=4,
        test_frames="101:2,5-9[2]",
        pause_after_test_frames=True,
        frame_timeout=3600,
        task_timeout=0,
        warn_after=1800,
        tiles_type="strip",
        os_name="windows",
        ram_gb=128,
        gpu_num=1,
    )["task_info"]
    assert info == {
        **DEFAULTS,
        "cg_id": "2007",
        "input_cg_file": "D:/shots/sh010.blend",
        "project_name": "night",
        "input_project_path": "/mnt/project",
        "frames_per_task": "4",
        "pre_frames": "101:2,5-9[2]",
        "stop_after_test": "1",
        "job_stop_time": "3600",
        "task_stop_time": "0",
        "time_out": "1800",
        "tiles_type": "strip",
        "os_name": "1",
        "ram": "128",
        "graphics_cards_num": "1",
    }


@pytest.mark.parametrize("software", BUILDS)
def test_build_every_software_is_valid_without_warnings(software):
    content = build_task_json(software=software, **BUILDS[software], test_frames="100")
    assert validate("task.json", content) == ()
    assert content["task_info"]["cg_id"] == str(
        {each.name: each.cg_id for each in SOFTWARE.values()}[software]
    )


def test_builds_have_every_documented_software():
    assert list(BUILDS) == [each.name for each in BUILDABLE.values()]


@given(
    st.sampled_from([name for name in BUILDS if "width" in BUILDS[name] or name in {"Blender", "Houdini"}]),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(1, 10),
    st.integers(1, 10_000),
    st.integers(1, 10_000),
    st.fixed_dictionaries({}, optional={"ram_gb": st.integers(1, 4096), "gpu_num": st.integers(1, 8)}),
)
def test_build_any_result_is_valid(software, start, length, step, width, height, more):
    size_and_frames = {"frames": range(start, start + length + 1, step), "width": width, "height": height}
    content = build_task_json(software=software, **(BUILDS[software] | size_and_frames | more))
    for warning in validate("task.json", content):
        assert warning.startswith("task.json: $.task_info.ram: ")
    assert json.loads(json.dumps(content)) == content


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"software": None},
            "software: must be one of Maya, 3ds Max, Arnold Standalone, Houdini, Cinema 4D, ",
        ),
        (
            {"software": "KeyShot"},
            f"software: must be one of {', '.join(BUILDS)}, got 'KeyShot'; nothing is documented",
        ),
        ({"software": "Povray"}, "software: must be a name or id of a software"),
        ({"version": None}, "version: version must be given for Blender"),
        ({"version": 4.2}, "version: must be a non-empty string, got 4.2"),
        ({"scene": ""}, "scene: must be a non-empty string, got ''"),
        ({"frames": None}, "frames: frames must be given for Blender"),
        ({"frames": "1..9"}, "frames: must be frames such as"),
        ({"width": 1920}, "height: height must be given for Blender"),
        ({"width": "1920", "height": 1080}, "width: must be an integer from 1 to 65536, got '1920'"),
        ({"width": 1920, "height": 0}, "height: must be an integer from 1 to 65536, got 0"),
        (
            {"layers": ["beauty"]},
            "layers: must be omitted for Blender (it is for Maya, Clarisse); use overrides",
        ),
        (
            {"rop_nodes": ["/out/x"]},
            "rop_nodes: must be omitted for Blender (it is for Houdini); use overrides",
        ),
        ({"scene_names": "Scene"}, "scene_names: must be a list of strings, got 'Scene'"),
        ({"scene_names": []}, "scene_names: must have at least one item, got []"),
        ({"plugins": ["mtoa"]}, "plugins: must be a mapping of names to versions"),
        ({"plugins": {"mtoa": 5}}, "plugins: must be a mapping of names to versions"),
        ({"frames_per_task": 0}, "frames_per_task: must be an integer from 1 to 100000, got 0"),
        ({"task_timeout": -1}, "task_timeout: must be an integer from 0 to 31536000, got -1"),
        ({"ram_gb": True}, "ram_gb: must be an integer from 1 to 4096, got True"),
        ({"os_name": "macos"}, "os_name: must be one of 'linux', 'windows', got 'macos'"),
        ({"tiles_type": ["block"]}, "tiles_type: must be one of 'block', 'strip', got ['block']"),
        ({"tiles": 4, "frames_per_task": 2}, "tiles: tiles and frames_per_task cannot both be more than 1"),
        ({"pause_after_test_frames": 1}, "pause_after_test_frames: must be one of True, False, got 1"),
        (
            {"pause_after_test_frames": True},
            "pause_after_test_frames: test_frames must be given too",
        ),
        ({"test_frames": "11"}, "test_frames: must be three digits 0 or 1"),
        ({"test_frames": 100}, "test_frames: must be three digits 0 or 1"),
        ({"test_frames": "000:x"}, "test_frames: must be frames such as"),
        ({"test_frames": "000:1,25-26"}, "test_frames: must be among the frames 1-24[1], got frame 25"),
        ({"overrides": ["ram"]}, "overrides: must be a JSON object, got list"),
        ({"overrides": {"x": {1}}}, "overrides: must be a mapping of JSON values"),
        ({"base": "{"}, "base: must be JSON"),
        ({"base": "/nowhere/task.json"}, "base: cannot read /nowhere/task.json"),
        ({"base": {}}, "task.json: $.scene_info_render: must be an object, got nothing"),
        ({"base": ANALYZED_MAYA}, "software: must be Maya as in base, got 'Blender'"),
        (
            {"scene": "D:/sh010.ma"},
            "scene: must be a scene file of Blender (.blend), got 'D:/sh010.ma' of Maya",
        ),
        ({"os_name": "linux"}, "os_name: must be 'windows' for Blender, got 'linux': the farm has no Linux"),
        (
            {"renderer": "arnold"},
            "renderer: must be omitted for Blender (it is for Maya, 3ds Max, Cinema 4D)",
        ),
        (
            {"image_format": "EXRR"},
            "image_format: must be a name that exists, got 'EXRR'; did you mean 'OPEN_EXR'",
        ),
        ({"camera": ["a", "b"]}, "camera: must be a string for Blender, got ['a', 'b']"),
        (
            {"width": "{{ params.width }}", "height": 1080},
            "width: must be an integer from 1 to 65536, got '{{ params.width }}'; a template is not rendered",
        ),
    ],
)
def test_build_invalid_argument_is_rejected_by_name(arguments, message):
    assert_rejected(message, **(BLENDER | arguments))


@pytest.mark.parametrize("argument", ["width", "height", "renderer"])
def test_build_maya_without_size_or_renderer_is_rejected(argument):
    assert_rejected(f"{argument}: {argument} must be given for Maya", **(MAYA | {argument: None}))


def test_build_houdini_without_nodes_or_with_camera_is_rejected():
    assert_rejected(
        "rop_nodes: rop_nodes or geo_nodes or distributed_sims must be given for Houdini",
        **(HOUDINI | {"rop_nodes": None}),
    )
    assert_rejected(
        "camera: must be omitted for Houdini (it is for Maya, 3ds Max, Blender)", **HOUDINI, camera="cam1"
    )


def test_build_overrides_are_merged_object_by_object():
    overrides = {"task_info": {"is_picture": "1"}, "scene_info_render": {"common": {"samples": ["64"]}}}
    content = build_task_json(**BLENDER, overrides=overrides)
    assert content["task_info"] == build_task_json(**BLENDER)["task_info"] | {"is_picture": "1"}
    assert content["scene_info_render"]["common"] == {"frames": "1-24[1]", "samples": ["64"]}


def test_build_results_share_no_objects():
    overrides = {"scene_info_render": {"common": {"samples": ["64"]}}}
    first = build_task_json(**MAYA, camera="persp", overrides=overrides)
    first["scene_info_render"]["common"]["samples"].append("x")
    for name, value in first["scene_info_render"]["defaultRenderLayer"]["common"].items():
        if isinstance(value, list):
            value.append(name)
    first["task_info"]["ram"] = "x"
    second = build_task_json(**MAYA, camera="persp", overrides=overrides)
    assert second["scene_info_render"]["defaultRenderLayer"]["common"]["all_camera"] == ["persp"]
    assert second["scene_info_render"]["common"] == {"samples": ["64"]}
    assert second["task_info"]["ram"] == "64"


@pytest.mark.parametrize("software", SCENES)
def test_build_base_without_arguments_is_unchanged(software):
    base = make_task_json(software, "scene_info")
    assert build_task_json(base=base) == base
    assert build_task_json(base=base, ram_gb=128)["task_info"] == base["task_info"] | {"ram": "128"}
    assert build_task_json(base=base, overrides={"x": "1"}) == base | {"x": "1"}


@pytest.mark.parametrize("as_given", [lambda path: path, str, Path.read_text])
def test_build_base_accepts_path_and_text(tmp_path, as_given):
    file = tmp_path / "task.json"
    file.write_text(json.dumps(ANALYZED_MAYA), "utf-8")
    assert build_task_json(base=as_given(file)) == ANALYZED_MAYA


def test_build_base_of_undocumented_software_accepts_overrides_only():
    base = make_task_json("2012 KeyShot")
    assert_rejected("frames: must be omitted for KeyShot (it is for Maya, 3ds Max, ", base=base, frames=1)
    overrides = {"scene_info_render": {"frames": "1-1[1]"}}
    assert build_task_json(base=base, overrides=overrides)["scene_info_render"]["frames"] == "1-1[1]"


def test_build_base_of_unknown_software_is_accepted():
    base = make_task_json("2012 KeyShot")
    base["task_info"]["cg_id"] = "2099"
    assert build_task_json(base=base, tiles=2)["task_info"]["cg_id"] == "2099"
    assert_rejected(
        "camera: must be omitted for software 2099 (it is for Maya, 3ds Max, Blender)", base=base, camera="c"
    )


def test_build_base_with_empty_scene_info_render_uses_scene_info():
    base = make_task_json("2007 Blender", "scene_info") | {"scene_info_render": {}}
    content = build_task_json(base=base, frames="3-5")
    assert content["scene_info_render"]["common"] == SCENES["2007 Blender"]["common"] | {"frames": "3-5[1]"}


def test_build_base_layers_not_named_are_switched_off():
    content = build_task_json(base=ANALYZED_MAYA, layers=["beauty"], frames=5)
    layers = content["scene_info_render"]
    assert [layers[name]["renderable"] for name in ("defaultRenderLayer", "beauty")] == ["0", "1"]
    assert layers["defaultRenderLayer"]["common"]["frames"] == "1-10[1]"
    assert layers["beauty"]["common"]["frames"] == "5-5[1]"
    assert content["layers"] == ["defaultRenderLayer", "beauty"]


def test_build_base_frames_are_set_on_every_layer():
    layers = build_task_json(base=ANALYZED_MAYA, frames=5)["scene_info_render"]
    assert [layer["common"]["frames"] for layer in layers.values()] == ["5-5[1]"] * 2
    assert [layer["renderable"] for layer in layers.values()] == ["1", "0"]


def test_build_base_nodes_not_named_are_switched_off():
    base = make_task_json("2004 Houdini")
    with pytest.warns(
        UserWarning, match=r"^rop_nodes: '/out/karma' is not in base, which has '/out/mantra1'$"
    ):
        nodes = build_task_json(base=base, rop_nodes=["/out/karma"], frames=5)["scene_info_render"]
    assert nodes["rop_node"] == [
        {"node": "/out/mantra1", "frames": "1-10[1]", "option": "-1", "render": "0"},
        {"node": "/out/karma", "option": "-1", "render": "1", "frames": "5-5[1]"},
    ]
    assert nodes["distributedsim_node"] == base["scene_info_render"]["distributedsim_node"]


def test_build_base_frames_are_set_on_nodes_that_render():
    off = {"node": "/out/off", "render": "0", "frames": "1-2[1]"}
    unnamed = {"render": "1", "frames": "1-2[1]"}
    base = make_task_json("2004 Houdini") | {"scene_info_render": {"rop_node": [off, unnamed, unnamed]}}
    nodes = build_task_json(base=base, frames=5)["scene_info_render"]["rop_node"]
    assert [node["frames"] for node in nodes] == ["1-2[1]", "5-5[1]", "5-5[1]"]
    assert_rejected(
        "rop_nodes: rop_nodes or geo_nodes or distributed_sims must be given, since base renders none",
        base=base | {"scene_info_render": {"rop_node": [off]}},
        frames=5,
    )


def test_build_combinations_are_checked_with_values_of_the_base():
    base = make_task_json("2007 Blender")
    base["task_info"] |= {"pre_frames": "100", "tiles": "4"}
    assert build_task_json(base=base, pause_after_test_frames=True)["task_info"]["stop_after_test"] == "1"
    assert_rejected("tiles: ", base=base, frames_per_task=2)
    base["task_info"]["stop_after_test"] = "1"
    assert build_task_json(base=base, ram_gb=128)["task_info"]["stop_after_test"] == "1"


def test_arguments_of_the_tables_are_parameters_of_the_builder():
    parameters = set(inspect.signature(build_task_json).parameters)
    assert set(CONVERTERS) == parameters - {"software", "base", "overrides"}
    assert {name for each in SOFTWARE.values() for name in each.scene_arguments()} <= parameters
