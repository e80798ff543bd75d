"""What is rendered, for each software: built, and changed by `base`."""

import re

import pytest

from airflow_provider_renderbus.task_json import build_task_json
from airflow_provider_renderbus.task_json.schema import validate
from airflow_provider_renderbus.task_json.software import BUILDABLE
from tests.task_json.builds import BUILDS
from tests.task_json.shapes import SCENES, make_task_json


def build(software, **more):
    return build_task_json(software=software, **(BUILDS[software] | more))


def scene(content):
    return content.get("scene_info_render") or content["scene_info"]


def test_build_max_names_camera_renderer_and_output_file():
    content = build("3ds Max", camera=["Camera001", "Camera002"], output="E:/out/shot.tga")
    common = scene(content)["common"]
    assert common["all_camera"] == common["renderable_camera"] == ["Camera001", "Camera002"]
    assert (common["output_file"], common["output_file_basename"]) == ("E:/out/shot.tga", "shot")
    assert common["output_file_type"] == ".tga"
    assert scene(content)["renderer"] == {"name": "vray", "renderer": "vray"}
    assert scene(build("3ds Max"))["common"]["output_file"] == "sh010.exr"
    assert content["task_info"]["version"] == "2"


@pytest.mark.parametrize(
    ("more", "output"),
    [
        ({"scene": "D:/p/sh010.v003.max"}, ("sh010.v003.exr", "sh010.v003", ".exr")),
        ({"scene": "D:/p/sh010.v003.max", "image_format": "png"}, ("sh010.v003.png", "sh010.v003", ".png")),
        ({"output": "//srv/out/sh010.v003"}, ("//srv/out/sh010.v003.exr", "sh010.v003", ".exr")),
        ({"output": "sh010.v003.PNG"}, ("sh010.v003.PNG", "sh010.v003", ".PNG")),
        ({"output": "sh010.####.tga", "image_format": "exr"}, ("sh010.####.exr", "sh010.####", ".exr")),
        ({"output": "D:\\out\\sh010_.vrimg"}, ("D:/out/sh010_.vrimg", "sh010_", ".vrimg")),
    ],
)
def test_build_max_output_may_have_dots_and_backslashes(more, output):
    common = scene(build("3ds Max", **more))["common"]
    fields = ("output_file", "output_file_basename", "output_file_type")
    assert tuple(common[field] for field in fields) == output


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("C:\\Users\\td\\beauty_.jpg", "beauty_", ".jpg"), ("C:/Users/td/beauty_.exr", "beauty_", ".exr")),
        (("E:/out/beauty.JPS", "beauty", ".jps"), ("E:/out/beauty.exr", "beauty", ".exr")),
        (("", "", ""), ("", "", ".exr")),
    ],
)
def test_base_of_max_keeps_the_name_of_its_output_file(before, after):
    fields = ("output_file", "output_file_basename", "output_file_type")
    base = make_task_json("2001 3ds Max")
    base["scene_info_render"] = {
        **base["scene_info_render"],
        "common": {**base["scene_info_render"]["common"], **dict(zip(fields, before, strict=True))},
    }
    common = scene(build_task_json(base=base, image_format="exr"))["common"]
    assert tuple(common[field] for field in fields) == after


@pytest.mark.parametrize("output", ["D:/out/", "D:\\out\\", ".", "D:/.."])
def test_build_max_output_without_the_name_of_a_file_is_rejected(output):
    with pytest.raises(ValueError, match=r"^output: must end in the name of a file, got "):
        build("3ds Max", output=output)


def test_build_cinema_4d_has_all_fields_that_its_render_script_reads():
    common = scene(build("Cinema 4D", output="out/sh010", image_format="jpg"))["common"]
    assert common["regular_image_format"] == common["multi_pass_format"] == "JPEG"
    assert common["regular_image_saveimage_path"] == "out/sh010"
    assert (common["multipass_save_enabled"], common["multipass_saveimage_path"]) == ("0", "")
    assert scene(build("Cinema 4D"))["common"]["regular_image_saveimage_path"] == "sh010"


def test_build_arnold_has_frames_only():
    content = build("Arnold Standalone")
    assert scene(content) == {"common": {"frames": "1-4[1]"}}
    assert content["software_config"]["cg_name"] == "Arnold Standalone"


def test_build_vray_standalone_has_no_scene_and_distributes():
    content = build("V-Ray Standalone", distributed_nodes=6)
    assert content["scene_info"] == {}
    assert "scene_info_render" not in content
    info = content["task_info"]
    assert (info["is_distribute_render"], info["distribute_render_node"]) == ("1", "6")
    assert build("V-Ray Standalone")["task_info"]["is_distribute_render"] == "0"
    with pytest.raises(ValueError, match=r"^frames: must be omitted for V-Ray Standalone: the farm renders"):
        build("V-Ray Standalone", frames="1-4")


def test_build_houdini_simulates_nodes_in_order():
    content = build("Houdini", geo_nodes=["/out/a", "/out/b"], geo_nodes_in_order=True)
    orders = {node["node"]: node["geoDependencySort"] for node in scene(content)["geo_node"]}
    assert orders == {"/out/a": "1", "/out/b": "2"}
    assert (content["task_info"]["geo_node_dependency"], content["task_info"]["multi_node"]) == ("1", "0")
    without = build("Houdini", geo_nodes=["/out/a"])
    assert "geoDependencySort" not in scene(without)["geo_node"][0]
    assert "geo_node_dependency" not in without["task_info"]
    with pytest.raises(ValueError, match=r"^geo_nodes: must be given with geo_nodes_in_order"):
        build("Houdini", geo_nodes_in_order=True)


def test_build_houdini_distributes_a_simulation():
    content = build("Houdini", rop_nodes=None, distributed_sims={"/out/sim": 4})
    assert scene(content)["distributedsim_node"] == [
        {"node": "/out/sim", "render": "1", "option": "1", "frames": "7-7[1]", "num_slices": "4"}
    ]
    info = content["task_info"]
    assert (info["is_distribute_render"], info["distribute_render_node"]) == ("1", "4")


@pytest.mark.parametrize(
    "sims", [{"/out/sim": 17}, {"/out/sim": 0}, {"/out/sim": "4"}, {}, ["/out/sim"], {"": 4}]
)
def test_build_houdini_invalid_slices_are_rejected(sims):
    with pytest.raises(ValueError, match=r"^distributed_sims: must be "):
        build("Houdini", distributed_sims=sims)


@pytest.mark.parametrize(
    ("layer", "image"),
    [
        ("project://scene/cam.beauty", "project://scene/cam"),
        ("build://sh_0080===build://shadow", "build://sh_0080"),
    ],
)
def test_build_clarisse_layer_is_put_into_its_image(layer, image):
    (node,) = scene(build("Clarisse", layers=[layer]))["image_node"]
    assert (node["name"], node["renderable"]) == (image, "0")
    assert [(each["name"], each["renderable"]) for each in node["layers"]] == [(layer, "1")]


def test_build_clarisse_image_is_rendered_itself():
    (node,) = scene(build("Clarisse", layers=None, images=["project://scene/cam"]))["image_node"]
    assert (node["name"], node["renderable"], node["layers"]) == ("project://scene/cam", "1", [])
    with pytest.raises(ValueError, match=r"^layers: must be names with their image like "):
        build("Clarisse", layers=["beauty"])


@pytest.mark.parametrize(
    ("more", "file_type", "option"),
    [
        ({"output": "D:/out/a.mov"}, "mov", "0"),
        ({"image_format": "mov"}, "mov", "0"),
        ({"output": "D:/out/a.####.exr"}, "exr", "-1"),
        ({"image_format": "EXR"}, "exr", "-1"),
        ({"output": "D:/out/a.%04d", "image_format": "mov"}, "mov", "0"),
    ],
)
def test_build_nuke_video_is_rendered_by_one_machine(more, file_type, option):
    (node,) = scene(build("Nuke", **more))["write_nodes"]
    assert (node["file_type"], node["option"], node["render_mode"]) == (file_type, option, "0")


@pytest.mark.parametrize("output", ["D:/out/a.%04d", "D:/out/a.v003", "D:/v1.2/a"])
def test_build_nuke_version_and_frame_number_are_no_file_type(output):
    (node,) = scene(build("Nuke", output=output))["write_nodes"]
    assert (node["option"], "file_type" in node) == ("-1", False)


def test_build_nuke_has_concurrent_tasks():
    content = build("Nuke")
    assert content["concurrent_tasks"] == content["task_info"]["concurrent_tasks"] == "1"


@pytest.mark.parametrize("software", ["Katana", "Clarisse"])
def test_build_software_without_tiles_rejects_them(software):
    with pytest.raises(ValueError, match=rf"^tiles: must be omitted for {software}: the farm does not split"):
        build(software, tiles=4)
    with pytest.raises(ValueError, match=rf"^distributed_nodes: must be omitted for {software}: "):
        build(software, distributed_nodes=3)
    assert build(software, tiles=1)["task_info"]["tiles"] == "1"


def test_build_unreal_has_a_job_per_sequence():
    content = build(
        "Unreal Engine", sequences=["/Game/Sequences/One", "/Game/Sequences/Two"], image_format="jpeg"
    )
    (queue,) = scene(content)["all_movie_pipline_queue"]
    jobs = [
        (job["job_name"], job["job_num"], job["job_map"], job["format_type"]) for job in queue["render_job"]
    ]
    assert jobs == [
        ("One", "0", "/Game/Levels/Sample", ["JPG"]),
        ("Two", "1", "/Game/Levels/Sample", ["JPG"]),
    ]
    assert content["software_config"]["cg_inst_dir"] == "C:/Program Files/Epic Games/UE_5.4"
    assert scene(content)["render_mod"] == "mrq"


@pytest.mark.parametrize("version", ["5.4", "5.4.4", "UE5.4", "UE_5.4.4", "5.4.4-35576357+++UE5"])
def test_build_unreal_names_the_folder_of_the_release(version):
    config = build("Unreal Engine", version=version)["software_config"]
    assert config["cg_inst_dir"] == "C:/Program Files/Epic Games/UE_5.4"


def frames_of(node):
    """Yield the frames of everything in a scene, with whether it is switched on."""
    if isinstance(node, dict):
        switches = {node.get(switch, "1") for switch in ("renderable", "render", "is_enable")}
        if "frames" in node:
            yield node["frames"], switches == {"1"}
        elif isinstance(node.get("common"), dict):
            yield node["common"]["frames"], switches == {"1"}
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from frames_of(each)


ANALYZED = [f"{each.cg_id} {each.name}" for each in BUILDABLE.values() if each.groups]


@pytest.mark.parametrize("software", ANALYZED)
def test_base_frames_are_set_on_what_renders(software):
    software = {"2003 Arnold Standalone": "2003 Arnold"}.get(software, software)
    base = make_task_json(software)
    changed = build_task_json(base=base, frames="3-9[2]")
    before, after = list(frames_of(scene(base))), list(frames_of(scene(changed)))
    assert len(before) == len(after)
    for (old, is_on), (new, _) in zip(before, after, strict=True):
        # Maya's render script can read size and renderer of a layer that is off.
        assert new == ("3-9[2]" if is_on or software == "2000 Maya" else old)
    assert validate("task.json", changed) == ()
    assert scene(base) == SCENES[software]


@pytest.mark.parametrize("software", BUILDS)
def test_base_that_the_builder_made_is_changed(software):
    base = build(software)
    more = {} if software == "V-Ray Standalone" else {"frames": range(30, 33)}
    size = {"width": 128, "height": 72} if "width" in BUILDS[software] else {}
    changed = build_task_json(base=base, frames_per_task=2, ram_gb=128, **more, **size)
    assert changed["task_info"] == base["task_info"] | {"frames_per_task": "2", "ram": "128"}
    assert {frames for frames, is_on in frames_of(scene(changed)) if is_on} == (
        {"30-32[1]"} if more else set()
    )
    assert '"128"' not in re.sub("ram", "", str(base))
    assert str(scene(changed)).count("'72'") == bool(size)
    assert validate("task.json", changed) == ()


@pytest.mark.parametrize(
    ("software", "arguments", "on"),
    [
        ("2000 Maya", {"layers": ["beauty"]}, ["beauty"]),
        ("2004 Houdini", {"distributed_sims": {"/out/sim": 8}}, ["/out/mantra1", "/out/sim"]),
        ("2013 Clarisse", {"layers": ["project://scene/cam.two"]}, ["project://scene/cam.two"]),
        ("2013 Clarisse", {"images": ["project://scene/cam"]}, ["project://scene/cam"]),
        ("2015 Nuke", {"write_nodes": ["Write1"]}, ["Write1"]),
        ("2016 Katana", {"render_nodes": ["Render"]}, ["Render"]),
        ("2020 Unreal Engine", {"sequences": ["Two"]}, ["/Game/Queue", "/Game/Sequences/Two"]),
        (
            "2020 Unreal Engine",
            {"sequences": ["/Game/Sequences/One"]},
            ["/Game/Queue", "/Game/Sequences/One"],
        ),
        (
            "2020 Unreal Engine",
            {"queue": "/Game/Queue"},
            ["/Game/Queue", "/Game/Sequences/One", "/Game/Sequences/Two"],
        ),
    ],
)
def test_base_things_that_are_named_are_switched_on_and_others_off(software, arguments, on):
    def switched_on(node, key=""):
        if isinstance(node, dict):
            name = node.get("node") or node.get("name") or node.get("job_sequence") or key
            switches = [node[switch] for switch in ("renderable", "render", "is_enable") if switch in node]
            if switches == ["1"]:
                yield name
            for inner_key, inner in node.items():
                yield from switched_on(inner, inner_key)
        elif isinstance(node, list):
            for each in node:
                yield from switched_on(each)

    changed = build_task_json(base=make_task_json(software), **arguments)
    assert list(switched_on(scene(changed))) == on
    assert validate("task.json", changed) == ()


@pytest.mark.parametrize(
    ("software", "arguments", "message"),
    [
        (
            "2000 Maya",
            {"layers": ["beuaty"], "frames": 1, "width": 1, "height": 1, "renderer": "mentalRay"},
            "layers: 'beuaty' is not in base, which has 'defaultRenderLayer', 'beauty'; did you mean",
        ),
        (
            "2004 Houdini",
            {"rop_nodes": ["/out/mantra2"], "frames": 1},
            "rop_nodes: '/out/mantra2' is not in base, which has '/out/mantra1'; did you mean",
        ),
        (
            "2016 Katana",
            {"render_nodes": ["Beauty"], "frames": 1},
            "render_nodes: 'Beauty' is not in base, which has 'Render'",
        ),
    ],
)
def test_base_name_that_it_has_not_is_added_with_a_warning(software, arguments, message):
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}"):
        build_task_json(base=make_task_json(software), **arguments)


def test_base_without_layers_gets_layers_switched_on():
    base = build("Maya")
    base["task_info"] |= {"enable_layered": "0", "is_layer_rendering": "0"}
    with pytest.warns(UserWarning, match=r"^layers: 'beauty' is not in base"):
        changed = build_task_json(
            base=base, layers=["beauty"], frames=1, width=8, height=8, renderer="arnold"
        )
    assert changed["task_info"]["enable_layered"] == changed["task_info"]["is_layer_rendering"] == "1"
    assert changed["layers"] == ["defaultRenderLayer", "beauty"]
    tiled = build_task_json(base=base, tiles=4)
    assert tiled["task_info"]["enable_layered"] == "1"
    assert build_task_json(base=base, ram_gb=128)["task_info"]["enable_layered"] == "0"


def test_base_renderer_changes_the_type_of_maya_options():
    base = build("Maya")
    assert scene(base)["defaultRenderLayer"]["option"] == {}
    other = build_task_json(base=base, renderer="mayaSoftware")
    assert scene(other)["defaultRenderLayer"]["option"] == ""
    again = build_task_json(base=make_task_json("2000 Maya"), renderer="Arnold")
    assert scene(again)["defaultRenderLayer"]["option"] == {"aa_samples": "3", "log": ["1"]}


def test_base_of_simulations_only_gets_its_frames_changed():
    base = build("Houdini", rop_nodes=None, geo_nodes=["/out/a"])
    changed = build_task_json(base=base, frames="5-6")
    assert [node["frames"] for node in scene(changed)["geo_node"]] == ["5-6[1]"]


def test_base_nulls_of_the_vendors_packages_are_replaced():
    base = make_task_json("2004 Houdini")
    base["software_config"]["plugins"] = base["task_info"]["project_name"] = None
    changed = build_task_json(base=base, ram_gb=128)
    assert changed["software_config"]["plugins"] == {}
    assert changed["task_info"]["project_name"] == ""
