from __future__ import annotations

import pytest

from airflow_provider_renderbus.farm.pictures.ranges import parse_frames
from airflow_provider_renderbus.farm.pictures.task_json import MAX_STEM_LENGTH, parse_task_json
from tests.farm.raw_client import job


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("1-5[1]", (1, 2, 3, 4, 5)),
        ("1-10[4]", (1, 5, 9)),
        ("7", (7,)),
        ("1-3", (1, 2, 3)),
        ("-2-1[1]", (-2, -1, 0, 1)),
        ("-4--2[2]", (-4, -2)),
        ("5,1-3[1], 2-4[1]", (5, 1, 2, 3, 4)),
    ],
)
def test_parse_frames_valid_range_returns_numbers(text, frames):
    assert parse_frames(text) == frames


@pytest.mark.parametrize("text", ["", "a", "1-", "5-1[1]", "1-5[1", "1-5[-1]", "1-999999999999[1]", "1,,2"])
def test_parse_frames_invalid_range_raises(text):
    with pytest.raises(ValueError, match=r"^frames: must be .*, got"):
        parse_frames(text)


@pytest.mark.parametrize(
    ("path", "scene", "stem"),
    [
        ("/mnt/shots/sh010.blend", "sh010.blend", "sh010"),
        (r"D:\shots\sh020.v2.ma", "sh020.v2.ma", "sh020.v2"),
        ("衣帽间.max", "衣帽间.max", "衣帽间"),
        ("noending", "noending", "noending"),
        ("", "scene", "scene"),
        ("/", "scene", "scene"),
        ("a/..", "..", "."),
        ("a\nb\ud800.blend", "a\nb\ud800.blend", "a_b_"),
        ("x" * 300 + ".blend", "x" * 300 + ".blend", "x" * MAX_STEM_LENGTH),
    ],
)
def test_parse_task_json_scene_path_gives_scene_and_stem(path, scene, stem):
    task_json = job()
    task_json["task_info"]["input_cg_file"] = path
    parsed = parse_task_json(task_json)[0]
    assert (parsed.scene, parsed.stem) == (scene, stem)


@pytest.mark.parametrize(
    ("scene_info", "frames"),
    [
        ({"common": {"frames": "1-3[1]"}}, (1, 2, 3)),
        ({"masterLayer": {"renderable": "1", "common": {"frames": "4-5[1]"}}}, (4, 5)),
        ({"rop_node": [{"node": "/out/geo", "frames": "7"}]}, (7,)),
        ({}, (0,)),
    ],
)
def test_parse_task_json_software_layouts_give_frames(scene_info, frames):
    assert parse_task_json({"task_info": {}, "scene_info": scene_info})[0].frames == frames


@pytest.mark.parametrize(
    ("scene", "jobs"),
    [
        (
            {"rendernodes": {"Render": {"frames": "1"}, "Off": {"frames": "2", "renderable": "0"}}},
            [("", (1,))],
        ),
        (
            {
                "image_node": [
                    {
                        "name": "image",
                        "frames": "1",
                        "renderable": "0",
                        "layers": [
                            {"name": "image.a", "frames": "2", "renderable": "1"},
                            {"name": "image.b", "frames": "3", "renderable": "0"},
                            {"name": "image.c", "frames": "4", "renderable": "1"},
                        ],
                    }
                ]
            },
            [("image.a", (2,)), ("image.c", (4,))],
        ),
        (
            {
                "image_node": [
                    {
                        "name": "i",
                        "frames": "1",
                        "layers": [
                            {"name": "i.a", "frames": "2", "renderable": "1"},
                            {"name": "i.b", "frames": "3"},
                        ],
                    }
                ]
            },
            [("i", (1,)), ("i.a", (2,))],
        ),
        (
            {
                "all_movie_pipline_queue": [
                    {
                        "name": "/Game/Queue",
                        "renderable": "1",
                        "render_job": [
                            {"job_name": "One", "frames": "1", "is_enable": "1"},
                            {"job_name": "Two", "frames": "2", "is_enable": "1"},
                            {"job_name": "Off", "frames": "3", "is_enable": "0"},
                        ],
                    },
                    {"name": "off", "renderable": "0", "render_job": [{"job_name": "x", "frames": "4"}]},
                ],
                "all_game_map": ["/Game/Map"],
            },
            [("One", (1,)), ("Two", (2,))],
        ),
    ],
    ids=["Katana", "Clarisse", "Clarisse image", "Unreal"],
)
def test_parse_task_json_what_is_switched_on_is_rendered(scene, jobs):
    parsed = parse_task_json({"task_info": {}, "scene_info_render": scene})
    assert [(each.layer, each.frames) for each in parsed] == jobs


@pytest.mark.parametrize(("option", "on_one_machine"), [("0", True), ("-1", False)])
def test_parse_task_json_nuke_video_is_rendered_by_one_machine(option, on_one_machine):
    node = {"node": "Write1", "frames": "1-4[1]", "renderable": "1", "option": option}
    (parsed,) = parse_task_json({"task_info": {}, "scene_info": {"write_nodes": [node]}})
    assert parsed.is_simulation is on_one_machine


@pytest.mark.parametrize(
    "field",
    [{"output_file_type": ".tga"}, {"file_type": "tga"}, {"format_type": ["TGA", "EXR"]}, {"format": "tga"}],
    ids=lambda field: next(iter(field)),
)
def test_parse_task_json_format_of_each_software_decides_the_extension(field):
    (parsed,) = parse_task_json({"task_info": {}, "scene_info": {"common": {"frames": "1", **field}}})
    assert parsed.extension == "tga"


def test_parse_task_json_null_project_is_none():
    assert parse_task_json({"task_info": {"project_name": None}})[0].project == ""


def test_parse_task_json_empty_scene_info_render_uses_scene_info():
    scene_info = {"common": {"frames": "2", "width": "64", "height": "36"}}
    parsed = parse_task_json({"task_info": {}, "scene_info_render": {}, "scene_info": scene_info})[0]
    assert (parsed.frames, parsed.width, parsed.height) == ((2,), 64, 36)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": "0"}, "size: must be .*, got 0x18"),
        ({"width": "1000000", "height": "1000000"}, "size: must be .*, got 1000000x1000000"),
        ({"width": "wide"}, "width: must be an integer, got 'wide'"),
        ({"cg_id": "Blender"}, "cg_id: must be an integer, got 'Blender'"),
        ({"ram": None}, "ram: must be an integer, got 'None'"),
    ],
)
def test_parse_task_json_invalid_value_raises(change, message):
    with pytest.raises(ValueError, match=message):
        parse_task_json(job(**change))[0]


@pytest.mark.parametrize(("image_format", "max_side"), [("WEBP", 16_383), ("Targa", 65_535), ("jpg", 65_500)])
@pytest.mark.parametrize("side", ["width", "height"])
def test_parse_task_json_side_over_format_limit_raises(image_format, max_side, side):
    task_json = job()
    common = task_json["scene_info_render"]["common"]
    common |= {"Render_Format": image_format, side: str(max_side)}
    assert parse_task_json(task_json)
    common[side] = str(max_side + 1)
    with pytest.raises(ValueError, match=f"size: must be at most {max_side} pixels per side "):
        parse_task_json(task_json)
    assert parse_task_json(task_json | {"scene_info_render": {"common": common | {"Render_Format": "PNG"}}})


@pytest.mark.parametrize("task_json", [{}, {"task_info": []}, {"task_info": {}, "scene_info": [1]}])
def test_parse_task_json_missing_objects_raises(task_json):
    with pytest.raises(ValueError, match="must have the objects"):
        parse_task_json(task_json)[0]
