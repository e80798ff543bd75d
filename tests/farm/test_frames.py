"""Frames as files: folder, size and format, upload and download."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from airflow_provider_renderbus.farm import Farm, ManualClock
from airflow_provider_renderbus.farm.pictures import frame_renderer
from airflow_provider_renderbus.farm.pictures.formats import split_into_tiles
from airflow_provider_renderbus.farm.pictures.passes import FAR, FOG_DENSITY, FOG_START
from airflow_provider_renderbus.farm.storage.storage import Storage
from dev.harness.embedded_farm import StockedFarm, put_scene
from tests.farm.raw_client import FILES, SUBMIT, RawClient, job, maya_job
from tests.farm.test_chunks import LAYOUTS, scene
from tests.farm.test_server import wait_for

LONG = 1_000_000
SIZE = ("48", "20")


def resized(node):
    """A copy of scene_info with a size wherever it has frames."""
    if isinstance(node, list):
        return [resized(item) for item in node]
    if not isinstance(node, dict):
        return node
    size = {"width": SIZE[0], "height": SIZE[1]} if "frames" in node else {}
    return {key: resized(value) for key, value in node.items()} | size


def pictures(client, task_id):
    """Paths of a task's frames by layer."""
    leaves = client.leaves(task_id) or [client.task_info(task_id)]
    root = client.farm.output_root
    return {leaf["layerName"]: sorted((root / leaf["outputFileName"]).iterdir()) for leaf in leaves}


@pytest.fixture(name="pictures")
def renders_pictures():
    return True


@pytest.mark.parametrize("scenario", [{"lenient": True}], ids=["lenient"])
@pytest.mark.parametrize("software", LAYOUTS)
def test_render_every_scene_info_layout_gives_requested_size(client, software):
    scene_info, expected = LAYOUTS[software]
    task_id = client.submit(scene(resized(scene_info)))
    client.farm.advance(LONG)
    files = pictures(client, task_id)
    assert set(files) == set(expected)
    for paths in files.values():
        for path in paths:
            with Image.open(path) as image:
                image.load()
                expected_size = (320, 180) if software == "V-Ray Standalone" else (48, 20)
                assert (image.format, image.size) == ("PNG", expected_size)


def test_render_layers_composite_to_beauty_pass(client):
    layers = ("beauty", "colour", "shadow", "depth")
    task_json = maya_job(layers, "1-3[1]")
    for layer in task_json["scene_info_render"].values():
        layer["common"].update(width="96", height="54", Render_Format="TIFF")
    task_id = client.submit(task_json)
    client.farm.advance(LONG)
    files = pictures(client, task_id)
    for frames in zip(*(files[layer] for layer in layers), strict=True):
        beauty, colour, shadow, depth = (np.asarray(Image.open(path)).astype(float) for path in frames)
        near = np.exp(np.maximum(depth / 65535 * FAR - FOG_START, 0) * -FOG_DENSITY)[..., None]
        comp = colour * (1 - (1 - shadow / 255) * near * near * (3 - 2 * near))
        assert np.abs(np.rint(comp) - beauty).max() <= 1
    assert [path.name for path in files["depth"]] == [f"shot_depth_{frame:04d}.tif" for frame in (1, 2, 3)]


def test_render_depth_layer_in_8_bit_format_becomes_png(client):
    task_json = maya_job(("beauty", "depth"), "1")
    for layer in task_json["scene_info_render"].values():
        layer["common"]["Render_Format"] = "JPEG"
    task_id = client.submit(task_json)
    client.farm.advance(LONG)
    names = {path.suffix for paths in pictures(client, task_id).values() for path in paths}
    assert names == {".jpg", ".png"}


@pytest.mark.parametrize("tiles_type", ["block", "strip"])
def test_render_tiles_match_merged_frame(client, tiles_type):
    task_id = client.submit(job("t.blend", "7", "60", "41", tiles="4", tiles_type=tiles_type))
    client.farm.advance(LONG)
    storage = client.farm.connections_file.parent
    name = client.task_info(task_id)["outputFileName"]
    whole = np.asarray(Image.open(client.farm.output_root / name / "t_0007.png")).astype(int)
    for place, tile in enumerate(split_into_tiles(60, 41, 4, tiles_type), 1):
        part = np.asarray(Image.open(storage / "tiles" / name / f"t_0007_{place}.png")).astype(int)
        same = np.abs(part - whole[tile.top : tile.bottom, tile.left : tile.right]) <= 2
        assert same.mean() > 0.999


def test_submit_impossible_tiles_is_refused(client):
    for changes in ({"tiles": "1000"}, {"tiles": "2", "tiles_type": "spiral"}):
        task_id = client.create()
        client.upload(task_id, job(**changes))
        code, message = client.call_refused(SUBMIT, taskId=task_id)
        assert (code, "tiles" in message) == (600, True)


def test_render_each_frame_has_thumbnail_and_scratch_is_empty(client):
    task_id = client.submit(job(frames="1-5[1]"))
    client.farm.advance(LONG)
    storage = client.farm.connections_file.parent
    files = storage / "thumbnails" / client.task_info(task_id)["outputFileName"]
    assert [path.name for path in sorted(files.iterdir())] == [
        path.name for path in pictures(client, task_id)[""]
    ]
    assert list((storage / "scratch").iterdir()) == []


def test_render_long_and_unusual_names_give_valid_file_names(client):
    task_json = maya_job(("衣" * 300, "/out/../x\n"), "1")
    task_json["task_info"]["input_cg_file"] = f"D:\\{'帽' * 80}.ma"
    task_id = client.submit(task_json)
    client.farm.advance(LONG)
    assert client.task_info(task_id)["failedFrames"] == 0
    files = pictures(client, task_id)
    assert all(len(path.name.encode()) <= 255 and path.parent.parent == client.farm.output_root
               for paths in files.values() for path in paths)  # fmt: skip
    assert len(files) == 2


def transfer(farm, transfer_type, local, remote, bid, tmp_path, keep="false"):
    """Run the transfer command with the farm's address."""
    host, _, port = farm.address.partition(":")
    args = {
        "E": "aspera",
        "H": host,
        "P": port,
        "S": bid,
        "U": "100001",
        "T": transfer_type,
        "L": local,
        "R": remote,
    }
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
        # A worker has a temporary folder of its own.
        env=os.environ | {"TMPDIR": str(tmp_path)},
        check=False,
    )


def test_transfer_command_uploads_task_and_downloads_frames(tmp_path):
    with Farm(tmp_path / "farm", ManualClock()) as farm:
        client = RawClient(farm)
        config = client.call("/api/render/transfer/getConfig")
        (line,) = next(e for e in config["resqEngines"] if e["engineName"] == "Aspera")["respTaskEngineLines"]
        assert f"{line['server']}:{line['port']}" == farm.address
        task_id = client.create()
        put_scene(tmp_path / "farm", "/mnt/shots/up.blend")
        task_file = tmp_path / "task.json"
        task_file.write_text(json.dumps(job("up.blend", "1-3[1]")))
        assert client.call_refused(SUBMIT, taskId=task_id)[0] == 601
        upload = transfer(
            farm, "upload_path", task_file, f"/{task_id}/cfg/task.json", config["configBid"], tmp_path
        )
        assert upload.returncode == 0, upload.stderr
        client.call(SUBMIT, taskId=task_id)
        farm.advance(LONG)
        name = client.task_info(task_id)["outputFileName"]
        download = transfer(
            farm, "download_path", tmp_path / "got", name, config["outputBid"], tmp_path, "true"
        )
        assert download.returncode == 0, download.stderr
        for path in pictures(client, task_id)[""]:
            assert (tmp_path / "got" / name / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("content", "code"),
    [("not json", 740), ("[]", 740), ('"\\ud800"', 740), ("", 741), (" \n", 741), ("{}", 741)],
)
def test_submit_invalid_task_file_in_storage_is_refused(client, content, code):
    task_id = client.create()
    folder = client.farm.connections_file.parent / "config" / "30201-100001" / str(task_id) / "cfg"
    folder.mkdir(parents=True)
    (folder / "task.json").write_text(content)
    assert client.call_refused(SUBMIT, taskId=task_id)[0] == code
    (folder / "task.json").write_text(json.dumps(job(frames="x")))
    assert client.call_refused(SUBMIT, taskId=task_id)[0] == 510
    (folder / "task.json").unlink()
    (folder / "task.json").symlink_to(client.farm.connections_file)
    assert client.call_refused(SUBMIT, taskId=task_id)[0] == 601


@pytest.mark.parametrize("error", [ValueError, OverflowError, MemoryError, ZeroDivisionError])
def test_render_picture_error_fails_frame(open_client, monkeypatch, error):
    def fail(*_):
        raise error("no picture")

    monkeypatch.setattr(frame_renderer, "save", fail)
    client = open_client()
    task_id = client.submit()
    client.farm.advance(LONG)
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["failedFrames"], info["renderConsume"]) == (30, 4, 0)


def test_clock_after_picture_error_continues(tmp_path, monkeypatch):
    def fail(*_):
        raise ValueError("no picture")

    with StockedFarm(tmp_path / "farm", speed=2000) as farm:
        monkeypatch.setattr(frame_renderer, "save", fail)
        client = RawClient(farm)
        wait_for(client, client.submit(), 30)
        monkeypatch.undo()
        wait_for(client, client.submit(), 25)


def test_list_output_omits_links(open_client):
    client = open_client()
    task_id = client.submit()
    client.farm.advance(LONG)
    folder = client.farm.output_root / client.task_info(task_id)["outputFileName"]
    listing = client.call(FILES, treePath=folder.name)
    (folder / "passwd").symlink_to("/etc/passwd")
    (folder / "nowhere").symlink_to(folder / "gone")
    (client.farm.output_root / "etc").symlink_to("/etc")
    assert client.call(FILES, treePath=folder.name) == listing
    assert [entry["fileName"] for entry in client.call(FILES, treePath="/")] == [folder.name]


def test_list_output_file_deleted_meanwhile_is_omitted(open_client, monkeypatch):
    client = open_client()
    (client.farm.output_root / "here").touch()
    gone = client.farm.output_root / "gone"
    list_folder = Storage.list_folder
    monkeypatch.setattr(Storage, "list_folder", lambda *args: [*list_folder(*args), str(gone)])
    assert [entry["fileName"] for entry in client.call(FILES, treePath="/")] == ["here"]


def test_list_output_storage_below_link_is_listed(open_client, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    client = open_client(tmp_path / "link" / "farm")
    task_id = client.submit()
    client.farm.advance(LONG)
    (top,) = client.call(FILES, treePath="/")
    assert client.call(FILES, taskId=task_id) == [top]
    assert len(client.call(FILES, treePath=top["filePath"])) == 4
