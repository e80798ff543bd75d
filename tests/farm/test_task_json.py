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
def test_frames_are_read(text, frames):
    assert parse_frames(text) == frames


@pytest.mark.parametrize("text", ["", "a", "1-", "5-1[1]", "1-5[1", "1-5[-1]", "1-999999999999[1]", "1,,2"])
def test_other_frames_are_refused(text):
    with pytest.raises(ValueError, match=r"^frames .*; expected"):
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
def test_a_scene_is_named_by_its_file(path, scene, stem):
    task_json = job()
    task_json["task_info"]["input_cg_file"] = path
    read = parse_task_json(task_json)[0]
    assert (read.scene, read.stem) == (scene, stem)


@pytest.mark.parametrize(
    ("scene_info", "frames"),
    [
        ({"common": {"frames": "1-3[1]"}}, (1, 2, 3)),
        ({"masterLayer": {"renderable": "1", "common": {"frames": "4-5[1]"}}}, (4, 5)),
        ({"rop_node": [{"node": "/out/geo", "frames": "7"}]}, (7,)),
        ({}, (0,)),
    ],
)
def test_frames_are_found_where_each_software_puts_them(scene_info, frames):
    assert parse_task_json({"task_info": {}, "scene_info": scene_info})[0].frames == frames


def test_scene_info_counts_where_scene_info_render_is_empty():
    scene_info = {"common": {"frames": "2", "width": "64", "height": "36"}}
    read = parse_task_json({"task_info": {}, "scene_info_render": {}, "scene_info": scene_info})[0]
    assert (read.frames, read.width, read.height) == ((2,), 64, 36)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": "0"}, "0x18 pixels"),
        ({"width": "1000000", "height": "1000000"}, "1000000x1000000 pixels"),
        ({"width": "wide"}, "width is 'wide'"),
        ({"cg_id": "Blender"}, "cg_id is 'Blender'"),
        ({"ram": None}, "ram is 'None'"),
    ],
)
def test_what_cannot_be_rendered_is_told(change, message):
    with pytest.raises(ValueError, match=message):
        parse_task_json(job(**change))[0]


@pytest.mark.parametrize(("name", "longest"), [("WEBP", 16_383), ("Targa", 65_535), ("jpg", 65_500)])
@pytest.mark.parametrize("side", ["width", "height"])
def test_a_size_that_the_format_cannot_hold_is_told(name, longest, side):
    task_json = job()
    common = task_json["scene_info_render"]["common"]
    common |= {"Render_Format": name, side: str(longest)}
    assert parse_task_json(task_json)
    common[side] = str(longest + 1)
    with pytest.raises(ValueError, match=f"sides of at most {longest} "):
        parse_task_json(task_json)
    assert parse_task_json(task_json | {"scene_info_render": {"common": common | {"Render_Format": "PNG"}}})


@pytest.mark.parametrize("task_json", [{}, {"task_info": []}, {"task_info": {}, "scene_info": [1]}])
def test_a_task_json_without_its_objects_is_refused(task_json):
    with pytest.raises(ValueError, match="expected the objects"):
        parse_task_json(task_json)[0]
