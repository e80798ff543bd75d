"""What is allowed but doubtful is a warning: of the builder, and of each check of a file."""

import copy

import pytest

from airflow_provider_renderbus.task_json import build_task_json
from airflow_provider_renderbus.task_json.doubts import find_doubts, find_scene_doubts
from airflow_provider_renderbus.task_json.schema import validate
from tests.task_json.builds import BUILDS
from tests.task_json.shapes import make_task_json


@pytest.mark.parametrize(
    ("software", "scene", "os_name"),
    [
        ("Maya", "/mnt/a.ma", "0"),
        ("Maya", "D:/a.ma", "1"),
        ("Maya", "//server/share/a.ma", "1"),
        ("Maya", "{{ params.scene }}", "1"),
        ("Houdini", "/mnt/a.hip", "0"),
        ("Katana", "/mnt/a.katana", "0"),
        ("Arnold Standalone", "/mnt/a.ass", "0"),
        ("Nuke", "D:/a.nk", "1"),
        ("Blender", "D:/a.blend", "1"),
        ("Unreal Engine", "D:\\a.uproject", "1"),
    ],
)
def test_build_os_name_follows_from_software_and_path(software, scene, os_name):
    content = build_task_json(software=software, **(BUILDS[software] | {"scene": scene}))
    assert content["task_info"]["os_name"] == os_name
    assert content["task_info"]["input_cg_file"] == scene.replace("\\", "/")
    assert validate("task.json", content) == ()


@pytest.mark.parametrize(
    ("software", "more", "warning"),
    [
        (
            "Blender",
            {"scene": "/mnt/a.blend"},
            "os_name: should fit the path of the scene, got '1' and '/mnt/a",
        ),
        ("Maya", {"scene": "/mnt/a.ma", "os_name": "windows"}, "os_name: should fit the path of the scene"),
        ("Maya", {"scene": "D:/a.ma", "os_name": "linux"}, "os_name: should fit the path of the scene"),
        ("Maya", {"plugins": None}, "plugins: should have 'mtoa' with its version for the renderer 'arnold'"),
        ("Maya", {"renderer": "vray"}, "plugins: should have 'vrayformaya' with its version"),
        ("Maya", {"renderer": "redshift"}, "plugins: should have 'redshift' with its version"),
        ("Blender", {"frames": "-5-5"}, "frames: should not be negative for Blender, got '-5-5[1]'"),
        (
            "Blender",
            {"scene": "D:/a.blnd"},
            "input_cg_file: should end in .blend for Blender, got 'D:/a.blnd'",
        ),
    ],
)
def test_build_doubtful_pair_is_a_warning_of_builder_and_check(software, more, warning):
    with pytest.warns(UserWarning, match=r"^task.json: \$\.") as caught:
        content = build_task_json(software=software, **(BUILDS[software] | more))
    assert warning in str(caught[0].message)
    assert caught[0].filename == __file__
    assert [str(each.message) for each in caught] == list(validate("task.json", content))


@pytest.mark.parametrize("plugins", [{"mtoa": "5"}, {"MtoA": "5"}])
def test_renderer_with_its_plugin_has_no_doubt(plugins):
    build_task_json(software="Maya", **(BUILDS["Maya"] | {"plugins": plugins}), tiles=4)
    redshift = {"renderer": "redshift", "plugins": {"redshift_GPU": "3.5"}}
    build_task_json(software="Maya", **(BUILDS["Maya"] | redshift))
    build_task_json(software="Maya", **(BUILDS["Maya"] | {"renderer": "mayaSoftware", "plugins": None}))


def test_tiles_without_the_renderers_plugin_are_rejected():
    with pytest.raises(
        ValueError, match=r"^plugins: must have 'mtoa' for the renderer arnold, or its tiles fail"
    ):
        build_task_json(software="Maya", **(BUILDS["Maya"] | {"plugins": None}), tiles=4)


def test_linux_for_windows_software_in_a_file_is_a_warning():
    content = make_task_json("2007 Blender")
    content["task_info"]["os_name"] = "0"
    assert validate("task.json", content) == (
        "task.json: $.task_info.os_name: should be '1', got '0': the farm has no Linux machines for Blender",
    )


def test_layer_that_differs_while_layers_are_off_is_a_warning():
    content = make_task_json("2000 Maya")
    content["scene_info_render"] = copy.deepcopy(content["scene_info_render"])
    content["scene_info_render"]["beauty"]["common"]["width"] = "64"
    assert validate("task.json", content) == ()
    content["scene_info_render"]["beauty"]["renderable"] = "1"
    (warning,) = validate("task.json", content)
    assert (
        "enable_layered: should be '1', or the layer 'beauty' gets the width of defaultRenderLayer" in warning
    )
    content["task_info"]["enable_layered"] = "1"
    assert validate("task.json", content) == ()


def test_camera_and_layer_that_the_scene_does_not_have_are_warnings():
    content = make_task_json("2000 Maya")
    content["layers"] = ["defaultRenderLayer", "beuaty"]
    content["scene_info_render"] = copy.deepcopy(content["scene_info_render"])
    content["scene_info_render"]["defaultRenderLayer"]["common"]["render_camera"] = ["cameraShap1"]
    content["scene_info_render"]["beauty"]["common"]["render_camera"] = ["of a layer that is off"]
    layer, camera = validate("task.json", content)
    assert "$.layers: should be among 'defaultRenderLayer', 'beauty', got 'beuaty'; did you mean 'b" in layer
    assert "$.scene_info_render['defaultRenderLayer'].common.render_camera: should be among" in camera
    assert camera.endswith("'perspShape', 'cameraShape1', got 'cameraShap1'; did you mean 'cameraShape1'?")
    content = make_task_json("2001 3ds Max")
    content["scene_info_render"] = copy.deepcopy(content["scene_info_render"])
    content["scene_info_render"]["common"]["renderable_camera"] = ["Camera01"]
    (warning,) = validate("task.json", content)
    assert "common.renderable_camera: should be among 'Camera001', 'Camera002', got 'Camera01'" in warning
    content["scene_info_render"]["common"]["all_camera"] = []
    assert validate("task.json", content) == ()


@pytest.mark.parametrize(
    ("scene", "server_paths", "end"),
    [
        (
            "/mnt/sh01.blend",
            ["/mnt/tex.png", "/mnt/sh010.blend"],
            "got '/mnt/sh01.blend'; did you mean '/mnt/sh010.blend'?",
        ),
        ("/mnt/sh010.blend", ["/mnt/tex.png"], "got '/mnt/sh010.blend'"),
        ("D:/p/a.max", ["/D/p/b.max"], "got 'D:/p/a.max'"),
        ("/mnt/a.ma", [], "got '/mnt/a.ma'"),
    ],
)
def test_scene_that_is_not_uploaded_is_a_warning(scene, server_paths, end):
    (warning,) = find_scene_doubts({"task_info": {"input_cg_file": scene}}, server_paths)
    assert "input_cg_file: should be among assets if it was not uploaded before, " in warning
    assert warning.endswith(end)


@pytest.mark.parametrize(
    ("scene", "server_path"),
    [
        ("/mnt/a.blend", "/mnt/a.blend"),
        ("D:\\p\\a.max", "/D/p/a.max"),
        ("d:/P/A.max", "/D/p/a.MAX"),
        ("\\\\srv\\share\\a.ma", "srv/share/a.ma"),
        ("/mnt/cafe\u0301.ma", "/mnt/caf\u00e9.ma"),
        ("a.ma", "/mnt/a.ma"),
        ("{{ params.scene }}", "/mnt/a.ma"),
        ("", "/mnt/a.ma"),
    ],
)
def test_scene_that_is_uploaded_has_no_doubt(scene, server_path):
    assert find_scene_doubts({"task_info": {"input_cg_file": scene}}, [server_path]) == []


@pytest.mark.parametrize(
    ("software", "camera"), [("2000 Maya", "cameraShap1"), ("2001 3ds Max", ["Camera001", "Camera1"])]
)
def test_build_camera_that_is_not_in_base_is_a_warning(software, camera):
    with pytest.warns(UserWarning, match=r"^camera: '\w+' is not in base, which has .*; did you mean "):
        build_task_json(base=make_task_json(software), camera=camera)


def test_null_id_passes_with_a_warning():
    content = make_task_json("2012 KeyShot")
    content["task_info"]["cg_id"] = None
    (warning,) = validate("task.json", content)
    assert warning == "task.json: $.task_info.cg_id: should be the id of a software, got null"


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"task_info": []},
        {"task_info": {"cg_id": "2000"}, "scene_info_render": []},
        {"task_info": {"cg_id": "2000"}, "scene_info_render": {"a": {"common": {"renderer": []}}, "b": 1}},
        {"task_info": {"cg_id": "2000"}, "layers": [[], None], "scene_info": {"a": {"common": {}}}},
        {"task_info": {"cg_id": "2001"}, "scene_info": {"common": {"all_camera": [1, []]}}},
        {"task_info": {"cg_id": "2007"}, "scene_info": {"common": 1}},
        {"task_info": {"cg_id": "2007"}, "scene_info": {"common": {"frames": {}}}},
        {"task_info": {"cg_id": "2007", "input_cg_file": 7, "os_name": []}},
    ],
)
def test_doubts_of_invalid_content_do_not_raise(content):
    assert find_doubts(content) == []
