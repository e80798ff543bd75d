"""RenderbusDownloadFramesOperator with the embedded farm's transfer command, also after failures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from airflow_provider_renderbus.compat import AirflowException, AirflowFailException
from airflow_provider_renderbus.farm.storage.storage import Storage
from airflow_provider_renderbus.operators.download_frames import RenderbusDownloadFramesOperator
from airflow_provider_renderbus.transfer import downloads
from tests.airflow.context import context
from tests.airflow.transfers.files import contents
from tests.mounts import mounts
from tests.scenes import make_task_json


@pytest.fixture
def rendered(render):
    return render(make_task_json())


def download(task_id, folder, **options):
    operator = RenderbusDownloadFramesOperator(
        task_id="download", render_task_id=task_id, folder=str(folder), **options
    )
    return operator.execute(context())


def layered_task_json(*layers):
    common = {"frames": "1-3[1]", "width": "32", "height": "18", "renderer": "mayaSoftware"}
    return {
        "software_config": {"cg_name": "Maya", "cg_version": "2022", "plugins": {}},
        "task_info": {"cg_id": "2000", "input_cg_file": "/mnt/sh020.mb", "is_layer_rendering": "1"},
        "scene_info_render": {
            layer: {"renderable": "1", "is_default_camera": "1", "option": "", "common": common}
            for layer in layers
        },
        "layers": list(layers),
    }


class TestDownloadFrames:
    def test_download_all_frames_returns_result(self, farm, rendered, frames):
        result = download(rendered, frames)
        expected = contents(farm.output_root)
        assert contents(frames) == expected
        layer = {
            "name": "Camera",
            "render_task_id": rendered,
            "output_folder": f"{rendered}_sh010",
            "frames": {"total": 4, "done": 4, "failed": 0, "running": 0, "aborted": 0},
            "failed_frames": "",
            "folder": str(frames / f"{rendered}_sh010"),
        }
        (listed,) = result["layers"]
        assert float(listed.pop("cost")) > 0
        assert result == {
            "render_task_id": rendered,
            "folder": str(frames),
            "output_folders": [f"{rendered}_sh010"],
            "layers": [layer],
            "files": 4,
            "bytes": sum(map(len, expected.values())),
            "already_present": 0,
            "missing_frames": [],
        }
        assert json.loads(json.dumps(result)) == result
        assert download(rendered, frames)["already_present"] == 4

    def test_download_state_folder_is_private(self, rendered, frames, tmp_path):
        download(rendered, frames)
        (folder,) = (tmp_path / "transfer_state").iterdir()
        assert folder.stat().st_mode & 0o077 == 0
        folder.chmod(0o755)
        download(rendered, frames)
        assert folder.stat().st_mode & 0o077 == 0

    def test_download_layered_render_has_frames_of_all_leaves(self, farm, render, frames):
        result = download(render(layered_task_json("rs_beauty", "rs_shadow")), frames)
        assert contents(frames) == contents(farm.output_root)
        assert (len(result["output_folders"]), result["files"]) == (2, 6)

    def test_download_by_pattern_selects_frames(self, rendered, frames):
        result = download(str(rendered), frames, pattern="*_000[23].png")
        assert sorted(path.name for path in frames.rglob("*.png")) == ["sh010_0002.png", "sh010_0003.png"]
        assert result["files"] == 2
        assert download(rendered, frames)["already_present"] == 2

    def test_download_pattern_without_match_fails_without_retry(self, rendered, frames):
        with pytest.raises(AirflowFailException, match=r"^Render \d+: none of the 4 files matches '\*\.exr'"):
            download(rendered, frames, pattern="*.exr")

    def test_download_before_render_fails_with_retry(self, client, submitted, frames):
        with pytest.raises(AirflowException, match="lists no files") as caught:
            download(submitted, frames)
        assert not isinstance(caught.value, AirflowFailException)

    def test_download_to_relative_folder_fails_without_retry(self, rendered):
        with pytest.raises(AirflowFailException, match="folder: must be an absolute path"):
            download(rendered, "frames")

    @pytest.mark.parametrize("line", ["", 0, ["CTCC"]])
    def test_download_with_wrong_line_fails_without_retry(self, rendered, frames, line):
        with pytest.raises(AirflowFailException, match="line: must be "):
            download(rendered, frames, line=line)

    def test_download_unknown_render_fails_without_retry(self, frames):
        with pytest.raises(AirflowFailException, match="no task 999"):
            download(999, frames)

    @pytest.mark.parametrize(
        "order", ["after=2 exit=10", "after=1 half exit=0", "after=1 half exit=1", "hang"]
    )
    def test_download_retry_downloads_the_remaining_files(self, farm, rendered, frames, fault, order):
        fault(f"{order} times=1")
        with pytest.raises(AirflowException):
            download(rendered, frames, stall_timeout=1.0)
        expected = contents(farm.output_root)
        assert contents(frames).items() < expected.items()
        download(rendered, frames)
        assert contents(frames) == expected

    def test_download_re_rendered_frame_is_downloaded_again(self, farm, rendered, frames):
        download(rendered, frames)
        (frame, *_) = sorted(farm.output_root.rglob("*.png"))
        content = frame.read_bytes()[::-1]
        frame.write_bytes(content)
        os.utime(frame, (1_800_000_000, 1_800_000_000))
        assert download(rendered, frames)["already_present"] == 3
        assert (frames / frame.relative_to(farm.output_root)).read_bytes() == content

    def test_download_frame_that_grows_after_listing_fails(self, farm, rendered, frames, command):
        (frame, *_) = sorted(farm.output_root.rglob("*.png"))
        command.write_text(
            command.read_text().replace("sys.exit", f"open({str(frame)!r}, 'ab').write(b'x')\nsys.exit")
        )
        with pytest.raises(AirflowException, match=r"1 of 4 files .* bytes instead of the listed "):
            download(rendered, frames)
        assert len(contents(frames)) == 3

    def test_download_to_full_disk_fails_with_retry(self, farm, rendered, frames, monkeypatch):
        usage = shutil.disk_usage(farm.output_root)
        monkeypatch.setattr(
            downloads.shutil, "disk_usage", lambda _: usage
        )  # as with a quota, which it does not show
        frames.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(frames)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("cannot mount a small disk here")
        try:
            (frames / "filling").write_bytes(b"x" * 8192)
            with pytest.raises(AirflowException, match=r"No space left") as caught:
                download(rendered, frames)
            assert not isinstance(caught.value, AirflowFailException)
            expected = contents(farm.output_root) | {"filling": b"x" * 8192}
            assert contents(frames).items() < expected.items()
        finally:
            subprocess.run(["umount", str(frames)], check=True)

    def test_download_folder_that_cannot_be_created_fails_with_retry(self, rendered, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(
            AirflowException, match=r"cannot read or write files on this worker: .*Not a directory"
        ):
            download(rendered, tmp_path / "file" / "frames")


def test_download_leaf_that_fails_keeps_no_other_leaf_away(farm, render, frames):
    task_id = render(layered_task_json("rs_beauty", "rs_shadow"))
    frames.mkdir()
    first, second = sorted(path.name for path in farm.output_root.iterdir())
    (frames / first).write_text("")
    with pytest.raises(AirflowFailException, match=rf"3 of 3 files could not .*{first}/.*; move it away"):
        download(task_id, frames)
    assert sorted(contents(frames)) == [
        first,
        *sorted(name for name in contents(farm.output_root) if second in name),
    ]


class TestInvalidListing:
    """No path that the farm lists leads out of the folder."""

    @pytest.fixture
    def list_as(self, monkeypatch):
        """Return a function that makes the farm list a frame with another path."""
        entry = Storage.file_entry

        def list_as(path):
            def entry_with_other_path(storage, file, **options):
                listed = entry(storage, file, **options)
                return listed | {"filePath": path} if file.endswith("2.png") else listed

            monkeypatch.setattr(Storage, "file_entry", entry_with_other_path)

        return list_as

    @pytest.mark.parametrize("path", ["/../../outside.png", "/a\nb.png", "/.."])
    def test_download_path_outside_the_folder_is_rejected(self, list_as, rendered, frames, tmp_path, path):
        list_as(path)
        with pytest.raises(AirflowFailException, match="The storage lists"):
            download(rendered, frames)
        assert len(contents(frames)) == 3
        assert not (tmp_path / "outside.png").exists()


def test_download_layers_that_the_disk_does_not_distinguish_keeps_the_first(render, farm, tmp_path):
    task_id = render(layered_task_json("Beauty", "beauty", "shadow"))
    with mounts(tmp_path / "mounts") as mount:
        folder = mount.fuse(ignore_case=True)
        for _ in range(2):
            with pytest.raises(
                AirflowFailException, match=r"not distinguish its name from .*_0001.png"
            ) as caught:
                download(task_id, folder, layout="{layer}")
            assert str(caught.value).count("distinguish") == 3
        assert sorted(path.name for path in folder.iterdir()) == ["Beauty", "shadow"]
        first = min(farm.output_root.iterdir())
        assert contents(folder / "Beauty") == contents(first)
        result = download(task_id, folder)
    assert result["files"] == 9
