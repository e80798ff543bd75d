"""Downloads write thumbnails of the frames, if a folder for them is configured."""

from __future__ import annotations

import io
import json
import logging
import re

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.operators.download_frames import RenderbusDownloadFramesOperator
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from airflow_provider_renderbus.transfer.thumbnails import thumbnail_parts
from tests.airflow.context import context
from tests.airflow.transfers.files import contents
from tests.airflow.transfers.test_download_frames import layered_task_json
from tests.airflow.transfers.test_missing_frames import finish_later
from tests.scenes import make_task_json

OPTION = "AIRFLOW__RENDERBUS__THUMBNAILS_FOLDER"


@pytest.fixture
def pictures():
    return True


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "thumbnails"
    monkeypatch.setenv(OPTION, str(folder))
    return folder


@pytest.fixture
def download(frames, hook_sleeps, farm):
    hook_sleeps(farm.advance)

    def download(task_id, **options):
        operator = RenderbusDownloadFramesOperator(
            task_id="download", render_task_id=task_id, folder=str(frames), poll_interval=60, **options
        )
        operator.execute(context())
        settings = operator.hook.settings
        return settings.domain, settings.access_id, settings.platform

    return download


def expected(client, account, *leaf_ids):
    """The path of the thumbnail of each frame of leaves."""
    return {
        "/".join(thumbnail_parts(account, leaf, frame.id, frame.recommits)): frame.name
        for leaf in leaf_ids
        for frame in client.run(flows.list_frames(leaf))
    }


def open_jpeg(content):
    picture = Image.open(io.BytesIO(content), formats=["JPEG"])
    picture.load()
    return picture


def difference(one, other):
    """How much two pictures differ, from 0 to 255."""
    pairs = zip(one.convert("L").tobytes(), other.convert("L").resize(one.size).tobytes(), strict=True)
    return sum(abs(a - b) for a, b in pairs) / (one.width * one.height)


def warning_of(caplog):
    """The one warning of the provider."""
    (warning,) = [
        each.getMessage()
        for each in caplog.records
        if each.levelno == logging.WARNING and each.name.startswith("airflow_provider_renderbus")
    ]
    return warning


def test_download_writes_a_thumbnail_of_each_frame_of_each_layer(render, download, client, folder, frames):
    task_id = render(layered_task_json("beauty", "shadow"))
    account = download(task_id)
    leaves = [leaf.id for leaf in client.run(flows.get_task(task_id)).leaves()]
    names = expected(client, account, *leaves)
    found = contents(folder)
    assert found.keys() == names.keys()
    assert len(leaves) == 2
    for path, content in found.items():
        thumbnail = open_jpeg(content)
        pictures = {file: difference(thumbnail, Image.open(file)) for file in frames.rglob("*.png")}
        nearest = min(pictures, key=pictures.get)
        assert nearest.parent.name.startswith(path.split("/")[1])
        assert nearest.stem.endswith(f"{int(names[path]):04}")


def test_download_of_exr_frames_shows_their_light(render, download, client, folder, farm):
    """As a renderer writes them: half floats, with a depth beside the colours."""
    task_id = render(make_task_json())
    for at, path in enumerate(sorted(farm.output_root.glob("*/*.png"))):
        light = np.full((18, 32, 3), (0.5, 0.0, at / 4), np.float16)
        path.unlink()
        with OpenEXR.File(
            {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage},
            {"RGB": light, "Z": np.full((18, 32), 100, np.float32)},
        ) as file:
            file.write(str(path.with_suffix(".exr")))
    names = expected(client, download(task_id), task_id)
    shown = {names[path]: open_jpeg(content).getpixel((9, 9)) for path, content in contents(folder).items()}
    assert shown.keys() == {"1", "2", "3", "4"}
    # Half of the light is 188 of 255, and a quarter is 137.
    assert max(abs(a - b) for a, b in zip(shown["2"], (188, 0, 137), strict=True)) < 6


def test_render_operator_writes_thumbnails(client, folder, frames, hook_sleeps, farm):
    hook_sleeps(farm.advance)
    result = RenderbusRenderOperator(
        task_id="render", task_json=make_task_json(), download_folder=str(frames), poll_interval=60
    ).execute(context())
    names = {path.partition("/")[2] for path in contents(folder)}
    task_id = result["render_task_id"]
    assert names == {f"{task_id}/{frame.id}-0.jpg" for frame in client.run(flows.list_frames(task_id))}


def test_download_without_the_option_writes_none(render, download, tmp_path):
    download(render(make_task_json()))
    assert list(tmp_path.rglob("*.jpg")) == []


def test_follow_writes_thumbnails_while_frames_are_rendered(client, frames, farm, hook_sleeps, folder):
    task_id = client.send(calls.create_task()).ids[0]
    client.send(calls.upload_task_json(task_id, json.dumps(make_task_json(frames="1-8[1]"))))
    client.send(calls.submit_task(task_id))
    counts = []

    def sleep(seconds):
        counts.append(len(contents(folder)) if folder.exists() else 0)
        farm.advance(seconds)

    hook_sleeps(sleep)
    RenderbusDownloadFramesOperator(
        task_id="download", render_task_id=task_id, folder=str(frames), poll_interval=20, follow=True
    ).execute(context())
    assert len(set(counts)) > 2
    assert len(contents(folder)) == 8


def test_download_of_recommitted_frame_writes_another_thumbnail(render, download, client, folder, farm):
    task_id = render(make_task_json())
    before = expected(client, download(task_id), task_id)
    frame = next(each for each in client.run(flows.list_frames(task_id)) if each.name == "2")
    client.send(calls.recommit_frames(ids=[frame.id]))
    farm.advance(3600)
    after = expected(client, download(task_id), task_id)
    (new,) = after.keys() - before.keys()
    assert after[new] == "2"
    assert contents(folder).keys() == before.keys() | after.keys()


def test_download_of_broken_frames_delivers_them(render, download, client, folder, frames, farm, caplog):
    task_id = render(make_task_json())
    for name in ("0001", "0003"):
        (path,) = farm.output_root.glob(f"*/*_{name}.png")
        path.write_bytes(b"<!doctype html><script>alert(1)</script>")
    account = download(task_id)
    assert contents(frames) == contents(farm.output_root)
    names = expected(client, account, task_id)
    assert sorted(names[path] for path in contents(folder)) == ["2", "4"]
    assert warning_of(caplog) == (
        f"Render {task_id}: 2 of 4 frames have no thumbnail: no picture of a known format: 2 "
        f"(sh010_0001.png, sh010_0003.png)"
    )


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("thumbnails", "must be an absolute path, got 'thumbnails'"),
        ("/proc/thumbnails", "no more thumbnails in /proc/thumbnails: .* Downloaded frames are complete"),
        ("/dev/null", "no more thumbnails in /dev/null: .* Downloaded frames are complete"),
    ],
)
def test_download_with_an_unusable_folder_delivers(
    render, download, frames, farm, monkeypatch, caplog, value, problem
):
    monkeypatch.setenv(OPTION, value)
    download(render(make_task_json()))
    assert contents(frames) == contents(farm.output_root)
    assert re.search(problem, warning_of(caplog))


def test_download_that_fails_does_not_show_an_earlier_render(render, download, folder, farm, fault, frames):
    """With a layout the frames of an earlier render are in the place of those that have not come."""
    download(render(make_task_json()), layout="{layer}")
    before = contents(folder)
    second = render(make_task_json())
    finish_later(farm, second)
    fault("after=1 exit=1")
    with pytest.raises(Exception, match=r"Still of an earlier render: .*0002.png; .*0003.png; .*0004.png"):
        download(second, layout="{layer}")
    new = contents(folder).keys() - before.keys()
    assert len(new) == 1
