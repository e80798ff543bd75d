"""Jobs are split into what the farm calls frames, for every layout of scene_info."""

from __future__ import annotations

import pytest

from airflow_provider_renderbus.farm.pictures.task_json import parse_task_json
from airflow_provider_renderbus.farm.simulation.chunks import main_chunks
from tests.farm.raw_client import FILES, job


def scene(scene_info, **info):
    return {"task_info": {"input_cg_file": "shot.x", **info}, "scene_info": scene_info}


def node(name, frames="1-2[1]", **fields):
    return {"node": name, "frames": frames, "option": "", "render": "1", **fields}


LAYOUTS = {
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


@pytest.mark.parametrize("software", LAYOUTS)
def test_main_chunks_of_every_software_layout(software):
    scene_info, expected = LAYOUTS[software]
    jobs = parse_task_json(scene(scene_info))
    assert {each.layer: [chunk.name for chunk in main_chunks(each)] for each in jobs} == expected


@pytest.mark.parametrize("software", LAYOUTS)
def test_every_leaf_produces_its_files(open_client, software):
    scene_info, expected = LAYOUTS[software]
    client = open_client(lenient=True)
    task_id = client.submit(scene(scene_info))
    client.farm.advance(1_000_000)
    leaves = client.leaves(task_id) or [client.task_info(task_id)]
    for leaf in leaves:
        assert leaf["taskStatus"] == 25
        files = client.call(FILES, treePath=f"/{leaf['outputFileName']}")
        names = expected[leaf["layerName"]]
        assert len(files) == (91 if names == ["110-200[1]"] else len(names))


def test_simulation_is_one_frame(open_client):
    client = open_client()
    task_id = client.submit(scene({"geo_node": [node("/out/geo", "1-10[1]")]}))
    info = client.task_info(task_id)
    assert (info["taskType"], info["totalFrames"], info["framesRange"]) == ("GopRender", 1, "1-10[1]")
    (frame,) = client.frames(task_id)["items"]
    assert (frame["frameIndex"], frame["frameType"]) == ("1-10[1]", 8)


@pytest.mark.parametrize(
    ("frames", "size", "names"),
    [
        ("1-10[1]", 3, ["1-3[1]", "4-6[1]", "7-9[1]", "10"]),
        ("1-9[2]", 2, ["1-3[2]", "5-7[2]", "9"]),
        ("1-3,7,9-10", 4, ["1-3[1]", "7-9[2]", "10"]),
        ("5,1", 4, ["5", "1"]),
    ],
)
def test_frames_per_task_groups_frames(frames, size, names):
    (parsed,) = parse_task_json(job(frames=frames, frames_per_task=str(size)))
    chunks = main_chunks(parsed)
    assert [chunk.name for chunk in chunks] == names
    assert [frame for chunk in chunks for frame in chunk.frames] == list(parsed.frames)


def test_tiles_are_merged_after_rendering(open_client):
    client = open_client(frame_seconds=[160, 160], machines=20)
    task_id = client.submit(job(frames="0", tiles="16", tiles_type="block"))
    info = client.task_info(task_id)
    assert (info["totalFrames"], info["taskKeyValueVo"]["tiles"]) == (17, "16")
    client.farm.advance(60)
    frames = client.frames(task_id)["items"]
    assert [(frame["frameIndex"], frame["frameBlock"]) for frame in frames[:2]] == [
        ("0-1", "1"),
        ("0-2", "2"),
    ]
    assert [frame["frameStatus"] for frame in frames] == [2] * 16 + [1]
    client.farm.advance(10)
    assert client.frame_states(task_id)["0"] == 2
    client.farm.advance(16)
    assert client.task_state(task_id) == 25
    assert [path.name for path in client.farm.output_root.rglob("*.png")] == ["sh010_0000.png"]


def test_failed_tiles_prevent_merge_until_recommit(open_client):
    client = open_client(renders=[{"fail_frames": "2", "fail_times": 1}])
    task_id = client.submit(job(frames="1-2[1]", tiles="2"))
    client.farm.advance(10_000)
    assert client.frame_states(task_id) == {"1-1": 4, "1-2": 4, "1": 4, "2-1": 5, "2-2": 5, "2": 5}
    client.call("/api/render/handle/recommitTasks", taskIds=[task_id])
    client.farm.advance(10_000)
    assert client.task_state(task_id) == 25


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
def test_parse_task_json_invalid_chunk_settings_raise(change, message):
    with pytest.raises(ValueError, match=message):
        parse_task_json(job(**change))


def test_parse_task_json_disabled_scene_raises():
    with pytest.raises(ValueError, match="is disabled"):
        parse_task_json(scene({"a": {"renderable": "0", "common": {"frames": "1"}}}))
