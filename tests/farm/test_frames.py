"""Frames as files of a farm: where they lie, in what size and format, and the way there and back."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from airflow_provider_renderbus.farm import Farm, ManualClock
from airflow_provider_renderbus.farm.pictures import frame_renderer as studio
from airflow_provider_renderbus.farm.pictures.formats import split_into_tiles
from airflow_provider_renderbus.farm.pictures.passes import FAR, FOG_DENSITY, FOG_START
from tests.farm.raw_client import FILES, SUBMIT, Caller, job, maya
from tests.farm.test_chunks import SHAPES, scene
from tests.farm.test_server import wait_for

LONG = 1_000_000
SIZE = ("48", "20")


def resized(node):
    """The same scene_info with a size wherever it has frames."""
    if isinstance(node, list):
        return [resized(item) for item in node]
    if not isinstance(node, dict):
        return node
    size = {"width": SIZE[0], "height": SIZE[1]} if "frames" in node else {}
    return {key: resized(value) for key, value in node.items()} | size


def pictures(caller, number):
    """The paths of a task's frames, by layer."""
    leaves = caller.leaves(number) or [caller.info(number)]
    root = caller.farm.output_root
    return {leaf["layerName"]: sorted((root / leaf["outputFileName"]).iterdir()) for leaf in leaves}


@pytest.mark.parametrize("software", SHAPES)
def test_every_scene_info_gives_pictures_of_the_size_asked_for(caller, software):
    scene_info, expected = SHAPES[software]
    number = caller.submit(scene(resized(scene_info)))
    caller.farm.advance(LONG)
    made = pictures(caller, number)
    assert set(made) == set(expected)
    for paths in made.values():
        for path in paths:
            with Image.open(path) as image:
                image.load()
                expected_size = (320, 180) if software == "V-Ray Standalone" else (48, 20)
                assert (image.format, image.size) == ("PNG", expected_size)


def test_layers_are_passes_that_composite_frame_by_frame(caller):
    layers = ("beauty", "colour", "shadow", "depth")
    task_json = maya(layers, "1-3[1]")
    for layer in task_json["scene_info_render"].values():
        layer["common"].update(width="96", height="54", Render_Format="TIFF")
    number = caller.submit(task_json)
    caller.farm.advance(LONG)
    made = pictures(caller, number)
    for frames in zip(*(made[layer] for layer in layers), strict=True):
        beauty, colour, shadow, depth = (np.asarray(Image.open(path)).astype(float) for path in frames)
        near = np.exp(np.maximum(depth / 65535 * FAR - FOG_START, 0) * -FOG_DENSITY)[..., None]
        comp = colour * (1 - (1 - shadow / 255) * near * near * (3 - 2 * near))
        assert np.abs(np.rint(comp) - beauty).max() <= 1
    assert [path.name for path in made["depth"]] == [f"shot_depth_{frame:04d}.tif" for frame in (1, 2, 3)]


def test_a_format_too_shallow_for_depth_becomes_png(caller):
    task_json = maya(("beauty", "depth"), "1")
    for layer in task_json["scene_info_render"].values():
        layer["common"]["Render_Format"] = "JPEG"
    number = caller.submit(task_json)
    caller.farm.advance(LONG)
    names = {path.suffix for paths in pictures(caller, number).values() for path in paths}
    assert names == {".jpg", ".png"}


@pytest.mark.parametrize("kind", ["block", "strip"])
def test_tiles_are_parts_of_the_frame_that_is_merged_of_them(caller, kind):
    number = caller.submit(job("t.blend", "7", "60", "41", tiles="4", tiles_type=kind))
    caller.farm.advance(LONG)
    storage = caller.farm.connections_file.parent
    name = caller.info(number)["outputFileName"]
    whole = np.asarray(Image.open(caller.farm.output_root / name / "t_0007.png")).astype(int)
    for place, tile in enumerate(split_into_tiles(60, 41, 4, kind), 1):
        part = np.asarray(Image.open(storage / "tiles" / name / f"t_0007_{place}.png")).astype(int)
        same = np.abs(part - whole[tile.top : tile.bottom, tile.left : tile.right]) <= 2
        assert same.mean() > 0.999


def test_tiles_that_cannot_be_cut_are_refused(caller):
    for changes in ({"tiles": "1000"}, {"tiles": "2", "tiles_type": "spiral"}):
        number = caller.create()
        caller.upload(number, job(**changes))
        code, message = caller.refused(SUBMIT, taskId=number)
        assert (code, "tiles" in message) == (600, True)


def test_each_frame_has_a_thumbnail_and_nothing_is_left_in_the_making(caller):
    number = caller.submit(job(frames="1-5[1]"))
    caller.farm.advance(LONG)
    storage = caller.farm.connections_file.parent
    made = storage / "thumbnails" / caller.info(number)["outputFileName"]
    assert [path.name for path in sorted(made.iterdir())] == [
        path.name for path in pictures(caller, number)[""]
    ]
    assert list((storage / "scratch").iterdir()) == []


def test_names_fit_a_file_system_whatever_scene_and_layer_are_called(caller):
    task_json = maya(("衣" * 300, "/out/../x\n"), "1")
    task_json["task_info"]["input_cg_file"] = f"D:\\{'帽' * 300}.ma"
    number = caller.submit(task_json)
    caller.farm.advance(LONG)
    assert caller.info(number)["failedFrames"] == 0
    made = pictures(caller, number)
    assert all(len(path.name.encode()) <= 255 and path.parent.parent == caller.farm.output_root
               for paths in made.values() for path in paths)  # fmt: skip
    assert len(made) == 2


def send(farm, kind, local, remote, bid, tmp_path, keep="false"):
    """Run the transfer command with what the farm tells about itself."""
    host, _, port = farm.address.partition(":")
    args = {"E": "aspera", "H": host, "P": port, "S": bid, "U": "100001", "T": kind, "L": local, "R": remote}
    return subprocess.run(
        [
            *(sys.executable, "-m", "airflow_provider_renderbus.farm.transmitter.command"),
            *(text for flag, value in args.items() for text in (f"-{flag}", str(value))),
            *("-K", keep, "-r", "2", "-s", "1048576", "-C", "None"),
        ],
        input="y\n",
        text=True,
        capture_output=True,
        timeout=60,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        check=False,
    )


def test_a_job_goes_there_and_its_frames_come_back_by_the_transfer_command(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Farm(tmp_path / "farm", ManualClock()) as farm:
        caller = Caller(farm)
        config = caller.call("/api/render/transfer/getConfig")
        (line,) = next(e for e in config["resqEngines"] if e["engineName"] == "Aspera")["respTaskEngineLines"]
        assert f"{line['server']}:{line['port']}" == farm.address
        number = caller.create()
        described = tmp_path / "task.json"
        described.write_text(json.dumps(job("up.blend", "1-3[1]")))
        assert caller.refused(SUBMIT, taskId=number)[0] == 601
        sent = send(farm, "upload_path", described, f"/{number}/cfg/task.json", config["configBid"], tmp_path)
        assert sent.returncode == 0, sent.stderr
        caller.call(SUBMIT, taskId=number)
        farm.advance(LONG)
        name = caller.info(number)["outputFileName"]
        got = send(farm, "download_path", tmp_path / "got", name, config["outputBid"], tmp_path, "true")
        assert got.returncode == 0, got.stderr
        for path in pictures(caller, number)[""]:
            assert (tmp_path / "got" / name / path.name).read_bytes() == path.read_bytes()
    assert list(tmp_path.glob("renderbus-farms-*/*")) == []


@pytest.mark.parametrize("content", ["not json", "[]", '"\\ud800"', ""])
def test_a_configuration_that_is_none_counts_for_nothing(caller, content):
    number = caller.create()
    folder = caller.farm.connections_file.parent / "config" / "30201-100001" / str(number) / "cfg"
    folder.mkdir(parents=True)
    (folder / "task.json").write_text(content)
    assert caller.refused(SUBMIT, taskId=number)[0] == 601
    (folder / "task.json").unlink()
    (folder / "task.json").symlink_to(caller.farm.connections_file)
    assert caller.refused(SUBMIT, taskId=number)[0] == 601


@pytest.mark.parametrize("error", [ValueError, OverflowError, MemoryError, ZeroDivisionError])
def test_a_picture_that_cannot_be_made_is_a_failed_frame(opened, monkeypatch, error):
    def fail(*_):
        raise error("no picture")

    monkeypatch.setattr(studio, "save", fail)
    caller = opened()
    number = caller.submit()
    caller.farm.advance(LONG)
    info = caller.info(number)
    assert (info["taskStatus"], info["failedFrames"], info["renderConsume"]) == (30, 4, 0)


def test_time_goes_on_after_a_picture_that_cannot_be_made(tmp_path, monkeypatch):
    def fail(*_):
        raise ValueError("no picture")

    with Farm(tmp_path / "farm", speed=2000) as farm:
        monkeypatch.setattr(studio, "save", fail)
        caller = Caller(farm)
        wait_for(caller, caller.submit(), 30)
        monkeypatch.undo()
        wait_for(caller, caller.submit(), 25)


def test_links_in_the_output_are_not_told(opened):
    caller = opened()
    number = caller.submit()
    caller.farm.advance(LONG)
    folder = caller.farm.output_root / caller.info(number)["outputFileName"]
    told = caller.call(FILES, treePath=folder.name)
    (folder / "passwd").symlink_to("/etc/passwd")
    (folder / "nowhere").symlink_to(folder / "gone")
    (caller.farm.output_root / "etc").symlink_to("/etc")
    assert caller.call(FILES, treePath=folder.name) == told
    assert [entry["fileName"] for entry in caller.call(FILES, treePath="/")] == [folder.name]


def test_what_vanishes_while_it_is_listed_is_not_told(opened, monkeypatch):
    caller = opened()
    (caller.farm.output_root / "here").touch()
    gone = caller.farm.output_root / "gone"
    listed = type(gone).iterdir
    monkeypatch.setattr(type(gone), "iterdir", lambda folder: [*listed(folder), gone])
    assert [entry["fileName"] for entry in caller.call(FILES, treePath="/")] == ["here"]


def test_the_output_of_a_storage_below_a_link_is_listed(opened, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    caller = opened(tmp_path / "link" / "farm")
    number = caller.submit()
    caller.farm.advance(LONG)
    (top,) = caller.call(FILES, treePath="/")
    assert caller.call(FILES, taskId=number) == [top]
    assert len(caller.call(FILES, treePath=top["filePath"])) == 4
