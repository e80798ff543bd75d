"""Frames come down over the embedded farm's transfer command, also when things go wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.farm.storage.storage import Storage
from airflow_provider_renderbus.operators.transfers import RenderbusDownloadFramesOperator
from airflow_provider_renderbus.transfer import downloads
from tests.airflow.context import context
from tests.airflow.transfers.files import contents
from tests.scenes import task_json


@pytest.fixture
def render(farm, client):
    """Render a scene, and return the task's number."""

    def render(described):
        number = client.send(calls.create_task()).ids[0]
        client.send(calls.upload_task_json(number, json.dumps(described)))
        client.send(calls.submit_task(number))
        farm.advance(3600)
        return number

    return render


@pytest.fixture
def rendered(render):
    return render(task_json())


@pytest.fixture
def frames(tmp_path):
    return tmp_path / "frames"


def download(number, folder, **how):
    operator = RenderbusDownloadFramesOperator(
        task_id="fetch", render_task_id=number, folder=str(folder), **how
    )
    return operator.execute(context())


def layered(*layers):
    common = {"frames": "1-3[1]", "width": "32", "height": "18"}
    return {
        "software_config": {"cg_name": "Maya", "cg_version": "2022", "plugins": {}},
        "task_info": {"cg_id": "2000", "input_cg_file": "/mnt/sh020.mb", "is_layer_rendering": "1"},
        "scene_info_render": {
            layer: {"renderable": "1", "is_default_camera": "1", "option": "", "common": common}
            for layer in layers
        },
        "layers": list(layers),
    }


class TestDown:
    def test_all_frames(self, farm, rendered, frames):
        result = download(rendered, frames)
        there = contents(farm.output_root)
        assert contents(frames) == there
        assert result == {
            "folder": str(frames),
            "output_folders": [f"{rendered}_sh010"],
            "files": 4,
            "bytes": sum(map(len, there.values())),
            "already_present": 0,
        }
        assert json.loads(json.dumps(result)) == result
        assert download(rendered, frames)["already_present"] == 4

    def test_the_frames_of_all_leaves(self, farm, render, frames):
        result = download(render(layered("rs_beauty", "rs_shadow")), frames)
        assert contents(frames) == contents(farm.output_root)
        assert (len(result["output_folders"]), result["files"]) == (2, 6)

    def test_frames_by_pattern(self, rendered, frames):
        result = download(str(rendered), frames, pattern="*_000[23].png")
        assert sorted(path.name for path in frames.rglob("*.png")) == ["sh010_0002.png", "sh010_0003.png"]
        assert result["files"] == 2
        assert download(rendered, frames)["already_present"] == 2

    def test_a_pattern_that_matches_nothing(self, rendered, frames):
        with pytest.raises(AirflowFailException, match=r"None of the 4 files of task \d+ matches '\*\.exr'"):
            download(rendered, frames, pattern="*.exr")

    def test_frames_that_are_not_there_yet(self, client, submitted, frames):
        with pytest.raises(AirflowException, match="lists no files") as failed:
            download(submitted, frames)
        assert not isinstance(failed.value, AirflowFailException)

    def test_a_relative_folder(self, rendered):
        with pytest.raises(AirflowFailException, match="absolute path is wanted"):
            download(rendered, "frames")

    def test_a_task_that_the_farm_does_not_know(self, frames):
        with pytest.raises(AirflowFailException, match="no task 999"):
            download(999, frames)

    @pytest.mark.parametrize(
        "order", ["after=2 exit=10", "after=1 half exit=0", "after=1 half exit=1", "hang"]
    )
    def test_another_try_fetches_the_rest(self, farm, rendered, frames, fault, order):
        fault(f"{order} times=1")
        with pytest.raises(AirflowException):
            download(rendered, frames, stall_timeout=1.0)
        there = contents(farm.output_root)
        assert contents(frames).items() < there.items()
        download(rendered, frames)
        assert contents(frames) == there

    def test_a_frame_that_is_rendered_again_is_fetched_again(self, farm, rendered, frames):
        download(rendered, frames)
        (frame, *_) = sorted(farm.output_root.rglob("*.png"))
        content = frame.read_bytes()[::-1]
        frame.write_bytes(content)
        os.utime(frame, (1_800_000_000, 1_800_000_000))
        assert download(rendered, frames)["already_present"] == 3
        assert (frames / frame.relative_to(farm.output_root)).read_bytes() == content

    def test_a_frame_that_grows_after_it_was_listed(self, farm, rendered, frames, command):
        (frame, *_) = sorted(farm.output_root.rglob("*.png"))
        command.write_text(
            command.read_text().replace("sys.exit", f"open({str(frame)!r}, 'ab').write(b'x')\nsys.exit")
        )
        with pytest.raises(AirflowException, match=r"1 of 4 files .* bytes are listed, "):
            download(rendered, frames)
        assert len(contents(frames)) == 3

    def test_a_disk_that_is_full(self, farm, rendered, frames, monkeypatch):
        usage = shutil.disk_usage(farm.output_root)
        monkeypatch.setattr(downloads.shutil, "disk_usage", lambda _: usage)  # as a quota that is not seen
        frames.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(frames)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("no small disk can be mounted here")
        try:
            (frames / "filling").write_bytes(b"x" * 8192)
            with pytest.raises(AirflowException, match=r"No space left") as failed:
                download(rendered, frames)
            assert not isinstance(failed.value, AirflowFailException)
            there = contents(farm.output_root) | {"filling": b"x" * 8192}
            assert contents(frames).items() < there.items()
        finally:
            subprocess.run(["umount", str(frames)], check=True)

    def test_a_folder_that_cannot_be_made(self, rendered, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(AirflowException, match=r"This worker's disk: .*Not a directory"):
            download(rendered, tmp_path / "file" / "frames")


class TestAListingThatLies:
    """The farm's own words lead nowhere outside."""

    @pytest.fixture
    def lie(self, monkeypatch):
        """Have the farm list a frame under another path."""
        entry = Storage.file_entry

        def lie(path):
            def lies(storage, file, **how):
                told = entry(storage, file, **how)
                return told | {"filePath": path} if file.endswith("2.png") else told

            monkeypatch.setattr(Storage, "file_entry", lies)

        return lie

    @pytest.mark.parametrize("path", ["/../../outside.png", "/a\nb.png", "/.."])
    def test_it_is_refused(self, lie, rendered, frames, tmp_path, path):
        lie(path)
        with pytest.raises(AirflowFailException, match="The storage lists"):
            download(rendered, frames)
        assert not frames.exists()
        assert not (tmp_path / "outside.png").exists()
