"""How jobs are cut into what the farm calls frames, for every shape of scene_info."""

from __future__ import annotations

import pytest

from airflow_provider_renderbus.farm.pictures.task_json import parse_task_json
from airflow_provider_renderbus.farm.simulation.chunks import main_chunks
from tests.farm.raw_client import FILES, job


def scene(scene_info, **info):
    return {"task_info": {"input_cg_file": "shot.x", **info}, "scene_info": scene_info}


def node(name, frames="1-2[1]", **fields):
    return {"node": name, "frames": frames, "option": "", "render": "1", **fields}


SHAPES = {
    "Blender": ({"common": {"frames": "1-3[1]", "scene_name": []}}, {"": ["1", "2", "3"]}),
    "Cinema 4D": ({"renderer": {"name": "p"}, "common": {"frames": "1", "all_camera": []}}, {"": ["1"]}),
    "Maya": (
        {
            "beauty": {"renderable": "1", "common": {"frames": "1"}},
            "shadow": {"renderable": "1", "common": {"frames": "2"}},
            "off": {"renderable": "0", "common": {"frames": "3"}},
        },
        {"beauty": ["1"], "shadow": ["2"]},
    ),
    "Maya, one layer": ({"a": {"renderable": "1", "common": {"frames": "1"}}}, {"": ["1"]}),
    "Houdini": (
        {
            "rop_node": [node("/out/a"), node("/out/b", render="0")],
            "geo_node": [node("/out/geo", "110-200[1]")],
            "distributedsim_node": [],
        },
        {"/out/a": ["1", "2"], "/out/geo": ["110-200[1]"]},
    ),
    "Arnold": ({"common": {"frames": "5-9[4]"}}, {"": ["5", "9"]}),
    "V-Ray Standalone": ({}, {"": ["0"]}),
    "Clarisse": (
        {"image_node": [
            {"name": "a", "frames": "1", "renderable": "1", "layers": []},
            {"name": "b", "frames": "2", "renderable": "1", "layers": [{"name": "l", "frames": "9"}]},
        ]},
        {"a": ["1"], "b": ["2"]},
    ),
    "Unreal": (
        {"all_movie_pipline_queue": [
            {"renderable": "1", "render_job": [
                {"name": "one", "frames": "1"},
                {"name": "two", "frames": "2"},
            ]},
            {"renderable": "0", "render_job": [{"name": "three", "frames": "3"}]},
        ]},
        {"one": ["1"], "two": ["2"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("software", SHAPES)
def test_every_scene_info_gives_its_leaves_and_frames(software):
    scene_info, expected = SHAPES[software]
    jobs = parse_task_json(scene(scene_info))
    assert {one.layer: [piece.name for piece in main_chunks(one)] for one in jobs} == expected


@pytest.mark.parametrize("software", SHAPES)
def test_every_leaf_makes_its_files(open_client, software):
    scene_info, expected = SHAPES[software]
    client = open_client()
    number = client.submit(scene(scene_info))
    client.farm.advance(1_000_000)
    leaves = client.leaves(number) or [client.task_info(number)]
    for leaf in leaves:
        assert leaf["taskStatus"] == 25
        files = client.call(FILES, treePath=f"/{leaf['outputFileName']}")
        indexes = expected[leaf["layerName"]]
        assert len(files) == (91 if indexes == ["110-200[1]"] else len(indexes))


def test_a_simulation_is_one_piece_and_told_as_such(open_client):
    client = open_client()
    number = client.submit(scene({"geo_node": [node("/out/geo", "1-10[1]")]}))
    info = client.task_info(number)
    assert (info["taskType"], info["totalFrames"], info["framesRange"]) == ("GopRender", 1, "1-10[1]")
    (frame,) = client.frames(number)["items"]
    assert (frame["frameIndex"], frame["frameType"]) == ("1-10[1]", 8)


@pytest.mark.parametrize(
    ("frames", "size", "indexes"),
    [
        ("1-10[1]", 3, ["1-3[1]", "4-6[1]", "7-9[1]", "10"]),
        ("1-9[2]", 2, ["1-3[2]", "5-7[2]", "9"]),
        ("1-3,7,9-10", 4, ["1-3[1]", "7-9[2]", "10"]),
        ("5,1", 4, ["5", "1"]),
    ],
)
def test_frames_are_grouped_for_one_machine(frames, size, indexes):
    (read,) = parse_task_json(job(frames=frames, frames_per_task=str(size)))
    pieces = main_chunks(read)
    assert [piece.name for piece in pieces] == indexes
    assert [frame for piece in pieces for frame in piece.frames] == list(read.frames)


def test_a_frame_of_tiles_is_merged_after_them(open_client):
    client = open_client(frame_seconds=[160, 160], machines=20)
    number = client.submit(job(frames="0", tiles="16", tiles_type="block"))
    info = client.task_info(number)
    assert (info["totalFrames"], info["taskKeyValueVo"]["tiles"]) == (17, "16")
    client.farm.advance(60)
    frames = client.frames(number)["items"]
    assert [(frame["frameIndex"], frame["frameBlock"]) for frame in frames[:2]] == [
        ("0-1", "1"),
        ("0-2", "2"),
    ]
    assert [frame["frameStatus"] for frame in frames] == [2] * 16 + [1]
    client.farm.advance(10)
    assert client.frame_states(number)["0"] == 2
    client.farm.advance(16)
    assert client.task_state(number) == 25
    assert [path.name for path in client.farm.output_root.rglob("*.png")] == ["sh010_0000.png"]


def test_a_frame_is_not_merged_without_its_tiles(open_client):
    client = open_client(renders=[{"fail_frames": "2", "fail_times": 1}])
    number = client.submit(job(frames="1-2[1]", tiles="2"))
    client.farm.advance(10_000)
    assert client.frame_states(number) == {"1-1": 4, "1-2": 4, "1": 4, "2-1": 5, "2-2": 5, "2": 5}
    client.call("/api/render/handle/recommitTasks", taskIds=[number])
    client.farm.advance(10_000)
    assert client.task_state(number) == 25


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pre_frames": "1"}, "pre_frames: must be like .*, got '1'"),
        ({"pre_frames": "000:x"}, "frames: must be ranges .*, got 'x'"),
        ({"tiles": "0"}, "tiles: must be 1 to 1000, got 0"),
        ({"frames_per_task": "-1"}, "frames_per_task: must be .*, got -1"),
        ({"task_stop_time": "9" * 30}, "task_stop_time: must be"),
    ],
)
def test_what_cannot_be_cut_is_told(change, message):
    with pytest.raises(ValueError, match=message):
        parse_task_json(job(**change))


def test_a_scene_that_is_switched_off_is_told():
    with pytest.raises(ValueError, match="is disabled"):
        parse_task_json(scene({"a": {"renderable": "0", "common": {"frames": "1"}}}))
