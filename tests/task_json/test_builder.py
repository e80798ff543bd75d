import inspect
import json
import re
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_renderbus.task_json import build_task_json, builder, scenes
from airflow_provider_renderbus.task_json.schema import validate
from airflow_provider_renderbus.task_json.software import SOFTWARE, software_id
from tests.task_json.shapes import SCENES, described

BLENDER = {"software": "Blender", "version": "4.2", "scene": "/mnt/sh010.blend", "frames": "1-24[1]"}
MAYA = {
    "software": "Maya",
    "version": "2024",
    "scene": "/mnt/sh010.ma",
    "frames": (1, 10, 2),
    "width": 1920,
    "height": 1080,
    "renderer": "arnold",
}
HOUDINI = {
    "software": "Houdini",
    "version": "20.5",
    "scene": "/mnt/sh.hip",
    "frames": 7,
    "rop_nodes": ["/out/mantra1"],
}
ANALYSED_MAYA = {
    **described("2000 Maya"),
    "task_info": {"cg_id": "2000", "input_cg_file": "a.ma", "ram": "128", "hardwareConfigId": "5"},
}


def refused(told, **given_arguments):
    with pytest.raises(ValueError, match=f"^{re.escape(told)}"):
        build_task_json(**given_arguments)


def test_blender_is_described():
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
        "task_info": {**builder.DEFAULTS, "cg_id": "2007", "input_cg_file": "/mnt/sh010.blend"},
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


def test_maya_is_described_by_layers():
    content = build_task_json(
        **MAYA, camera="persp", layers=["beauty", "shadow"], output="sh010", render_setup=True
    )
    assert content["layers"] == list(content["scene_info_render"]) == ["beauty", "shadow"]
    assert content["scene_info_render"]["shadow"] == {
        "renderable": "1",
        "env": {},
        "is_default_camera": "0",
        "option": "",
        "common": {
            "frames": "1-10[2]",
            "start": "1",
            "end": "10",
            "by_frame": "2",
            "width": "1920",
            "height": "1080",
            "renderer": "arnold",
            "image_format": "exr",
            "image_file_prefix": "sh010",
            "all_camera": ["persp"],
            "render_camera": ["persp"],
        },
    }
    assert (content["task_info"]["render_layer_type"], content["task_info"]["enable_layered"]) == ("1", "1")


def test_maya_without_layers_is_its_default_layer():
    content = build_task_json(**MAYA)
    assert content["layers"] == ["defaultRenderLayer"]
    assert content["scene_info_render"]["defaultRenderLayer"]["is_default_camera"] == "1"


def test_houdini_is_described_by_nodes():
    content = build_task_json(**HOUDINI, geo_nodes=["/out/sim"], width=1280, height=720)
    shared = {"render": "1", "frames": "7-7[1]", "width": "1280", "height": "720"}
    assert content["scene_info_render"] == {
        "rop_node": [{"node": "/out/mantra1", "option": "-1", **shared}],
        "geo_node": [{"node": "/out/sim", "option": "0", **shared}],
    }


def test_arguments_are_written_as_text():
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
        os_name="linux",
        ram_gb=128,
        gpu_num=1,
    )["task_info"]
    assert info == {
        **builder.DEFAULTS,
        "cg_id": "2007",
        "input_cg_file": "/mnt/sh010.blend",
        "project_name": "night",
        "input_project_path": "/mnt/project",
        "frames_per_task": "4",
        "pre_frames": "101:2,5-9[2]",
        "stop_after_test": "1",
        "job_stop_time": "3600",
        "task_stop_time": "0",
        "time_out": "1800",
        "tiles_type": "strip",
        "os_name": "0",
        "ram": "128",
        "graphics_cards_num": "1",
    }


@pytest.mark.parametrize("arguments", [BLENDER, MAYA, HOUDINI], ids=["Blender", "Maya", "Houdini"])
def test_what_is_built_passes_without_a_warning(arguments):
    assert validate("task.json", build_task_json(**arguments, test_frames="100", tiles=16)) == ()


@given(
    st.sampled_from([BLENDER, MAYA, HOUDINI]),
    st.integers(-1000, 1000),
    st.integers(0, 1000),
    st.integers(1, 10),
    st.integers(1, 10_000),
    st.integers(1, 10_000),
    st.fixed_dictionaries(
        {}, optional={"ram_gb": st.integers(1), "os_name": st.sampled_from(["linux", "windows"])}
    ),
)
def test_whatever_is_built_passes(arguments, start, length, step, width, height, more):
    size_and_frames = {"frames": (start, start + length, step), "width": width, "height": height}
    content = build_task_json(**(arguments | size_and_frames | more))
    for warning in validate("task.json", content):
        assert warning.startswith("task.json: $.task_info.ram: ")
    assert json.loads(json.dumps(content)) == content


@pytest.mark.parametrize("number", SOFTWARE)
def test_software_has_a_number_and_a_name(number):
    name = SOFTWARE[number]
    for given_name in (number, str(number), name, name.upper(), name.replace(" ", "")):
        assert software_id("software", given_name) == number


@pytest.mark.parametrize("software", ["Povray", "", 0, 2099, True, 2007.0, None])
def test_other_software_is_refused(software):
    with pytest.raises(
        ValueError, match=r"^software: a software's name or number is wanted, one of Maya \(2000\), "
    ):
        software_id("software", software)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"software": None}, "software: Blender or Maya or Houdini is wanted where there is no base"),
        ({"software": "Nuke"}, "software: Blender or Maya or Houdini is wanted; for Nuke start from base"),
        ({"software": "Povray"}, "software: a software's name or number is wanted"),
        ({"version": None}, "version: it is wanted for Blender"),
        ({"version": 4.2}, "version: a text is wanted, not 4.2"),
        ({"scene": ""}, "scene: a text is wanted, not ''"),
        ({"frames": None}, "frames: it is wanted for Blender"),
        ({"frames": "1..9"}, "frames: frames such as"),
        ({"width": 1920}, "height: it is wanted for Blender"),
        ({"width": "1920", "height": 1080}, "width: a whole number of at least 1 is wanted, not '1920'"),
        ({"width": 1920, "height": 0}, "height: a whole number of at least 1 is wanted, not 0"),
        ({"layers": ["beauty"]}, "layers: it is for Maya, not for Blender; use overrides"),
        ({"rop_nodes": ["/out/x"]}, "rop_nodes: it is for Houdini, not for Blender; use overrides"),
        ({"scene_names": "Scene"}, "scene_names: a list of texts is wanted, not 'Scene'"),
        ({"scene_names": []}, "scene_names: at least one is wanted"),
        ({"plugins": ["mtoa"]}, "plugins: versions by name"),
        ({"plugins": {"mtoa": 5}}, "plugins: versions by name"),
        ({"frames_per_task": 0}, "frames_per_task: a whole number of at least 1 is wanted, not 0"),
        ({"task_timeout": -1}, "task_timeout: a whole number of at least 0 is wanted, not -1"),
        ({"ram_gb": True}, "ram_gb: a whole number of at least 1 is wanted, not True"),
        ({"os_name": "macos"}, "os_name: one of 'linux', 'windows' is wanted, not 'macos'"),
        ({"tiles_type": ["block"]}, "tiles_type: one of 'block', 'strip' is wanted, not ['block']"),
        ({"tiles": 4, "frames_per_task": 2}, "tiles: tiles and several frames_per_task exclude each other"),
        ({"pause_after_test_frames": 1}, "pause_after_test_frames: one of True, False is wanted, not 1"),
        (
            {"pause_after_test_frames": True},
            "pause_after_test_frames: there is no frame to pause after; give test_frames",
        ),
        ({"test_frames": "11"}, "test_frames: three digits 0 or 1"),
        ({"test_frames": 100}, "test_frames: three digits 0 or 1"),
        ({"test_frames": "000:x"}, "test_frames: frames such as"),
        ({"test_frames": "000:1,25-26"}, "test_frames: frame 25 is not among the frames 1-24[1]"),
        ({"overrides": ["ram"]}, "overrides: a JSON object is wanted, not a list"),
        ({"overrides": {"x": {1}}}, "overrides: a mapping of JSON values is wanted"),
        ({"base": "{"}, "base: JSON text is wanted"),
        ({"base": "/nowhere/task.json"}, "base: /nowhere/task.json cannot be read"),
        ({"base": {}}, "task.json: $.scene_info_render: an object is wanted, it is missing"),
        ({"base": ANALYSED_MAYA}, "software: base is for Maya, not for 'Blender'; leave software out"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments, told):
    refused(told, **(BLENDER | arguments))


@pytest.mark.parametrize("argument", ["width", "height", "renderer"])
def test_maya_wants_size_and_renderer(argument):
    refused(f"{argument}: it is wanted for Maya", **(MAYA | {argument: None}))


def test_houdini_wants_nodes_and_takes_no_camera():
    refused("rop_nodes: it is wanted for Houdini", **(HOUDINI | {"rop_nodes": None}))
    refused("camera: it is for Blender and Maya, not for Houdini", **HOUDINI, camera="cam1")


def test_overrides_are_merged_object_by_object():
    overrides = {"task_info": {"is_picture": "1"}, "scene_info_render": {"common": {"samples": ["64"]}}}
    content = build_task_json(**BLENDER, overrides=overrides)
    assert content["task_info"] == build_task_json(**BLENDER)["task_info"] | {"is_picture": "1"}
    assert content["scene_info_render"]["common"] == {"frames": "1-24[1]", "samples": ["64"]}


def test_a_result_shares_nothing_with_others():
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
def test_a_base_stays_as_it_is_where_nothing_is_asked(software):
    base = described(software, "scene_info")
    assert build_task_json(base=base) == base
    assert build_task_json(base=base, ram_gb=128)["task_info"] == base["task_info"] | {"ram": "128"}
    assert build_task_json(base=base, overrides={"x": "1"}) == base | {"x": "1"}


@pytest.mark.parametrize("as_given", [lambda path: path, str, Path.read_text])
def test_a_base_may_be_a_file(tmp_path, as_given):
    file = tmp_path / "task.json"
    file.write_text(json.dumps(ANALYSED_MAYA), "utf-8")
    assert build_task_json(base=as_given(file)) == ANALYSED_MAYA


def test_a_base_of_other_software_is_changed_by_overrides_only():
    base = described("2005 Cinema 4D")
    refused("frames: it is for Blender and Maya and Houdini, not for Cinema 4D", base=base, frames=1)
    overrides = {"scene_info_render": {"common": {"frames": "1-1[1]"}}}
    assert build_task_json(base=base, overrides=overrides)["scene_info_render"]["common"]["fps"] == "25"


def test_a_base_of_software_that_is_not_known_passes():
    base = described("2012 KeyShot")
    base["task_info"]["cg_id"] = "2099"
    assert build_task_json(base=base, tiles=2)["task_info"]["cg_id"] == "2099"
    refused("camera: it is for Blender and Maya, not for software 2099", base=base, camera="c")


def test_a_scene_of_a_base_is_taken_from_where_it_counts():
    base = described("2007 Blender", "scene_info") | {"scene_info_render": {}}
    content = build_task_json(base=base, frames=(3, 5))
    assert content["scene_info_render"]["common"] == SCENES["2007 Blender"]["common"] | {"frames": "3-5[1]"}


def test_layers_of_a_base_that_are_not_named_are_switched_off():
    content = build_task_json(base=ANALYSED_MAYA, layers=["beauty"], frames=5)
    layers = content["scene_info_render"]
    assert [layers[name]["renderable"] for name in ("masterLayer", "beauty")] == ["0", "1"]
    assert layers["masterLayer"]["common"]["frames"] == "1-10[1]"
    assert layers["beauty"]["common"]["frames"] == "5-5[1]"
    assert content["layers"] == ["masterLayer", "beauty"]


def test_frames_go_to_every_layer_of_a_base():
    layers = build_task_json(base=ANALYSED_MAYA, frames=5)["scene_info_render"]
    assert [layer["common"]["frames"] for layer in layers.values()] == ["5-5[1]"] * 2
    assert [layer["renderable"] for layer in layers.values()] == ["1", "0"]


def test_nodes_of_a_base_that_are_not_named_are_switched_off():
    base = described("2004 Houdini")
    nodes = build_task_json(base=base, rop_nodes=["/out/karma"], frames=5)["scene_info_render"]
    assert nodes["rop_node"] == [
        {"node": "/out/mantra1", "frames": "1-10[1]", "option": "-1", "render": "0"},
        {"node": "/out/karma", "option": "-1", "render": "1", "frames": "5-5[1]"},
    ]
    assert nodes["distributedsim_node"] == base["scene_info_render"]["distributedsim_node"]


def test_frames_go_to_the_nodes_of_a_base_that_render():
    off = {"node": "/out/off", "render": "0", "frames": "1-2[1]"}
    unnamed = {"render": "1", "frames": "1-2[1]"}
    base = described("2004 Houdini") | {"scene_info_render": {"rop_node": [off, unnamed, unnamed]}}
    nodes = build_task_json(base=base, frames=5)["scene_info_render"]["rop_node"]
    assert [node["frames"] for node in nodes] == ["1-2[1]", "5-5[1]", "5-5[1]"]
    refused(
        "rop_nodes: base renders no node", base=base | {"scene_info_render": {"rop_node": [off]}}, frames=5
    )


def test_the_base_counts_where_arguments_are_checked_together():
    base = described("2007 Blender")
    base["task_info"] |= {"pre_frames": "100", "tiles": "4"}
    assert build_task_json(base=base, pause_after_test_frames=True)["task_info"]["stop_after_test"] == "1"
    refused("tiles: ", base=base, frames_per_task=2)
    base["task_info"]["stop_after_test"] = "1"
    assert build_task_json(base=base, ram_gb=128)["task_info"]["stop_after_test"] == "1"


def test_each_argument_about_the_scene_is_one_of_the_builder():
    parameters = inspect.signature(build_task_json).parameters
    assert {
        argument for taken in scenes.SUPPORTED_ARGUMENTS.values() for argument in taken
    } <= parameters.keys()
