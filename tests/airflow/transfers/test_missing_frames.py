"""Frames that the farm calls done and that have no file, or an empty one: found, named, rendered again."""

from __future__ import annotations

import functools
import os

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import BadRequest, RenderbusError, ServerError
from airflow_provider_renderbus.api.models.transfer import OutputFile
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.download_frames import RenderbusDownloadFramesOperator
from airflow_provider_renderbus.operators.file_transfer import FileTransfer
from airflow_provider_renderbus.operators.frame_download import FrameDownload
from airflow_provider_renderbus.transfer.errors import TransferIncomplete
from tests.airflow.context import context
from tests.airflow.run_to_completion import run_to_completion
from tests.airflow.transfers.files import contents
from tests.airflow.transfers.test_download_frames import layered_task_json
from tests.scenes import make_task_json

SPOILED = {"missing_files": "2", "empty_files": "3"}


@pytest.fixture
def scenario():
    return {"renders": [{"scene": "sh020*", "layer": "shadow", **SPOILED}, {"scene": "sh010*", **SPOILED}]}


@pytest.fixture
def download(frames, hook_sleeps, farm):
    hook_sleeps(farm.advance)

    def download(task_id, try_number=1, **options):
        operator = RenderbusDownloadFramesOperator(
            task_id="download", render_task_id=task_id, folder=str(frames), poll_interval=60, **options
        )
        return operator.execute(context(try_number))

    return download


def names(folder):
    return sorted(path.name for path in folder.rglob("*.png"))


def finish_later(farm, task_id):
    """Give the files of a render another time: those of these tests have one size, and come in one second."""
    for file in farm.output_root.glob(f"{task_id}_*/*"):
        os.utime(file, (1_900_000_000, 1_900_000_000))


def recommits(client, task_id):
    return {
        frame.name: frame.recommits for frame in client.run(flows.list_frames(task_id)) if frame.recommits
    }


def test_download_missing_and_empty_frames_fails_with_names_after_the_good_ones(render, download, frames):
    task_id = render(make_task_json())
    with pytest.raises(
        AirflowException,
        match=rf"layer Camera \({task_id}\): frames 3: empty \(sh010_0003.png\); .* no file of frames 2$",
    ) as caught:
        download(task_id)
    assert not isinstance(caught.value, AirflowFailException)
    assert names(frames) == ["sh010_0001.png", "sh010_0004.png"]


def test_download_layers_names_the_incomplete_layer(render, download, frames):
    task_id = render(layered_task_json("beauty", "shadow"))
    with pytest.raises(AirflowException, match=r"layer shadow \(\d+\): frames 3: empty") as caught:
        download(task_id)
    assert "beauty" not in str(caught.value)
    assert len(names(frames)) == 4


def test_download_accept_returns_and_warns_with_names(render, download, caplog):
    task_id = render(layered_task_json("beauty", "shadow"))
    result = download(task_id, on_missing_frames="accept")
    assert result["files"] == 4
    shadow = result["layers"][1]["render_task_id"]
    assert result["missing_frames"] == [{"layer": "shadow", "render_task_id": shadow, "frames": ["3", "2"]}]
    assert f"Render {task_id}: accepted without all frames: layer shadow ({shadow}): frames 3" in caplog.text


def test_download_pattern_without_the_missing_frames_succeeds(render, download):
    assert download(render(make_task_json()), pattern="*_000[14].png")["files"] == 2


class HookListingFilesEarly(RenderbusHook):
    """A hook whose first listing of files comes before the last frame has its file."""

    listings = 0

    def run(self, flow):
        result = super().run(flow)
        if result and isinstance(result, tuple) and isinstance(result[0], OutputFile):
            self.listings += 1
            return result[:-1] if self.listings == 1 else result
        return result


def test_download_frame_done_between_the_listings_is_downloaded(render, farm, frames):
    task_id = render(make_task_json("sh030"))
    hook = HookListingFilesEarly()
    download = FrameDownload(FileTransfer(hook), task_id, str(frames))
    result = download.fetch(hook.run(flows.get_task(task_id))).require()
    assert (result["files"], result["missing_frames"], hook.listings) == (4, [], 2)
    assert contents(frames) == contents(farm.output_root)


class HookWithoutFrames(RenderbusHook):
    """A hook whose farm responds with an error to each query of frames, which run beside the copy."""

    error: RenderbusError

    def run(self, flow):
        if flow.__name__ == "list_frames":
            flow.close()
            raise self.error
        return super().run(flow)


@pytest.mark.parametrize("verify", [False, True])
def test_download_frames_that_cannot_be_listed_fail_after_their_files_have_come(
    render, farm, frames, caplog, verify
):
    """A check that was not made is no success, and a retry makes it."""
    task_id = render(make_task_json("sh030"))
    hook = HookWithoutFrames()
    hook.error = ServerError("queryTaskFrames", 500, "bad gateway")
    download = FrameDownload(FileTransfer(hook), task_id, str(frames))
    delivery = download.fetch(hook.run(flows.get_task(task_id)))
    if verify:
        delivery = download.verify()
    with pytest.raises(TransferIncomplete, match=r"\(\d+\): its frames could not be listed: .*bad gateway"):
        delivery.require()
    assert contents(frames) == contents(farm.output_root)
    assert delivery.accept()["files"] == 4
    assert "accepted without all frames: layer Camera" in caplog.text


def test_download_frames_that_the_farm_refuses_to_list_warns(render, frames, caplog):
    task_id = render(make_task_json("sh030"))
    hook = HookWithoutFrames()
    hook.error = BadRequest("queryTaskFrames", 400, "no such query")
    result = FrameDownload(FileTransfer(hook), task_id, str(frames)).fetch(hook.run(flows.get_task(task_id)))
    assert result.require()["files"] == 4
    assert "not checked whether all frames have files: its frames could not be listed: " in caplog.text


def test_download_layer_without_any_file_fails(render, download, client, farm, frames):
    task_id = render(layered_task_json("beauty", "colour"))
    (folder, _) = sorted(farm.output_root.iterdir())
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(
        AirflowException, match=r"layer beauty \(\d+\): .* no file, though frames 1-3 are done"
    ):
        download(task_id)
    assert len(names(frames)) == 3


def test_download_empty_frame_does_not_replace_a_good_one(render, download, farm, frames):
    first = render(make_task_json("sh030"))
    download(first, layout="{layer}")
    (frame,) = frames.rglob("*_0002.png")
    (original,) = farm.output_root.rglob("*_0002.png")
    original.write_bytes(b"")
    with pytest.raises(AirflowException, match="frames 2: empty"):
        download(first, layout="{layer}")
    assert frame.stat().st_size > 0


class TestRecommit:
    """Frames are rendered again within the rules of failed frames."""

    @pytest.fixture
    def scenario(self):
        return {"renders": [{**SPOILED, "spoiled_times": 1}]}

    def test_download_recommits_missing_frames_and_downloads_them(self, render, download, frames, client):
        task_id = render(make_task_json())
        result = download(task_id, on_missing_frames="recommit")
        assert (result["files"], result["missing_frames"]) == (4, [])
        assert len(names(frames)) == 4
        assert recommits(client, task_id) == {"2": 1, "3": 1}

    def test_download_retry_does_not_recommit_again(self, render, download, client, farm):
        task_id = render(make_task_json())
        ids = [frame.id for frame in client.run(flows.list_frames(task_id)) if frame.name in {"2", "3"}]
        client.send(calls.recommit_frames(ids=ids))
        download(task_id, try_number=2, on_missing_frames="recommit")
        assert recommits(client, task_id) == {"2": 1, "3": 1}

    @pytest.mark.parametrize("deferrable", [False, True])
    def test_render_recommits_missing_frames(self, airflow_task, tmp_path, client, deferrable):
        make_operator = functools.partial(
            airflow_task.operator,
            download_folder=str(tmp_path / "out"),
            download_layout="{shot}/{layer}",
            on_missing_frames="recommit",
            deferrable=deferrable,
        )
        result = run_to_completion(airflow_task.farm, make_operator, airflow_task.context())
        assert (result["files"], result["missing_frames"]) == (4, [])
        assert len(names(tmp_path / "out" / "sh010" / "Camera")) == 4
        assert result["layers"][0]["folder"] == str(tmp_path / "out" / "sh010" / "Camera")
        assert recommits(client, result["render_task_id"]) == {"2": 1, "3": 1}


class TestRecommitInVain:
    """A frame that never gets a file is paid as often as allowed."""

    def test_render_recommits_no_more_than_allowed(self, airflow_task, tmp_path, client, submitted_ids):
        options = {
            "download_folder": str(tmp_path / "out"),
            "on_missing_frames": "recommit",
            "max_recommits": 2,
        }
        with pytest.raises(AirflowException, match=r"frames 2; not recommitted within max_recommits \(2\)"):
            airflow_task.try_once(**options)
        (task_id,) = submitted_ids()
        with pytest.raises(AirflowException, match="not recommitted"):
            airflow_task.try_once(**options)
        assert submitted_ids() == [task_id]
        assert recommits(client, task_id) == {"2": 2, "3": 2}

    def test_render_over_budget_does_not_recommit(self, airflow_task, tmp_path, client, submitted_ids):
        options = {
            "download_folder": str(tmp_path / "out"),
            "on_missing_frames": "recommit",
            "max_cost": 0.05,
        }
        with pytest.raises(AirflowException, match=r"max_cost"):
            airflow_task.try_once(**options)
        (task_id,) = submitted_ids()
        assert recommits(client, task_id) == {}

    def test_download_recommits_no_more_than_allowed(self, render, download, client):
        task_id = render(make_task_json())
        for _ in range(2):
            with pytest.raises(AirflowException, match="frames 3: empty"):
                download(task_id, on_missing_frames="recommit")
        assert recommits(client, task_id) == {"2": 1, "3": 1}


class TestVerifyOnly:
    """The same check on a folder, without a download."""

    @pytest.fixture
    def scenario(self):
        return {}

    def test_verify_names_what_the_disk_lacks(self, render, download, frames, farm):
        task_id = render(make_task_json(frames="1-12[1]"))
        download(task_id)
        assert download(task_id, verify_only=True)["missing_frames"] == []
        (folder,) = frames.glob("*_sh010")
        (folder / "sh010_0002.png").unlink()
        (folder / "sh010_0005.png").write_bytes(b"")
        (folder / "sh010_0007.png").write_bytes(b"x")
        with pytest.raises(AirflowException, match=r"frames 5, 7: not of the listed size"):
            download(task_id, verify_only=True)
        result = download(task_id, verify_only=True, on_missing_frames="accept")
        assert [sorted(each["frames"]) for each in result["missing_frames"]] == [["2", "5", "7"]]
        assert names(frames) == names(frames)
        assert len(names(frames)) == 11

    def test_verify_after_the_farm_has_deleted_its_files(self, render, download, frames, farm):
        task_id = render(make_task_json())
        download(task_id)
        for file in farm.output_root.rglob("*.png"):
            file.unlink()
        assert download(task_id, verify_only=True)["missing_frames"] == []
        (frame,) = frames.rglob("*_0002.png")
        frame.unlink()
        with pytest.raises(AirflowException, match="the folder has no file of frames 2"):
            download(task_id, verify_only=True)

    def test_verify_needs_no_transfer_command(self, render, download, connect, frames):
        task_id = render(make_task_json())
        connect("/nowhere/rayvision_transmitter")
        with pytest.raises(AirflowException, match="not in the folder"):
            download(task_id, verify_only=True)
        assert contents(frames) == {}

    @pytest.mark.parametrize("options", [{"follow": True}, {"on_missing_frames": "recommit"}])
    def test_verify_with_what_downloads_is_rejected(self, options):
        with pytest.raises(ValueError, match="verify_only: downloads nothing"):
            RenderbusDownloadFramesOperator(
                task_id="d", render_task_id=1, folder="/f", verify_only=True, **options
            )


class TestLayout:
    """Stable paths: each night's frames replace those of the night before."""

    @pytest.fixture
    def scenario(self):
        return {}

    def test_layout_places_layers_by_name(self, render, download, frames):
        result = download(render(layered_task_json("beauty", "shadow")), layout="{shot}/{layer}")
        assert names(frames / "sh020" / "beauty") == [f"sh020_beauty_000{frame}.png" for frame in (1, 2, 3)]
        assert result["output_folders"] == ["sh020/beauty", "sh020/shadow"]
        assert {layer["name"]: layer["folder"] for layer in result["layers"]} == {
            name: str(frames / "sh020" / name) for name in ("beauty", "shadow")
        }
        assert download(result["render_task_id"], layout="{shot}/{layer}")["already_present"] == 6

    def test_layout_render_of_next_night_replaces_files_and_names_strangers(
        self, render, download, frames, farm, caplog
    ):
        download(render(make_task_json(frames="1-4[1]")), layout="{layer}")
        first = {path.name: path.stat().st_ino for path in (frames / "Camera").iterdir()}
        second = render(make_task_json(frames="1-2[1]"))
        finish_later(farm, second)
        assert "not of this render" not in caplog.text
        download(second, layout="{layer}")
        after = {path.name: path.stat().st_ino for path in (frames / "Camera").iterdir()}
        assert sorted(name for name in first if first[name] != after[name]) == [
            "sh010_0001.png",
            "sh010_0002.png",
        ]
        assert (
            "2 files of the same sequences that are not of this render: Camera/sh010_0003.png" in caplog.text
        )

    def test_layout_failed_download_names_files_of_the_earlier_render(self, render, download, fault, farm):
        download(render(make_task_json()), layout="{layer}")
        second = render(make_task_json())
        finish_later(farm, second)
        fault("after=1 exit=10 times=1")
        with pytest.raises(AirflowException, match=r"Still of an earlier render: Camera/sh010_0002.png; "):
            download(second, layout="{layer}")

    def test_layout_same_place_for_two_files_downloads_nothing(self, render, download, frames, client, farm):
        task_id = render(layered_task_json("beauty", "shadow"))
        for file in farm.output_root.rglob("*_shadow_*"):
            file.rename(file.with_name(file.name.replace("shadow", "beauty")))
        with pytest.raises(AirflowFailException, match=r"layout: must have a place for each file"):
            download(task_id, layout="{shot}")
        assert not frames.exists() or contents(frames) == {}

    @pytest.mark.parametrize(
        "layout",
        ["{name}", "../{layer}", "/{layer}", "{layer!r}", "{layer:>9}", "{layer", "", "a//b", 3, "{0}"],
    )
    def test_layout_invalid_is_rejected(self, render, download, frames, layout):
        with pytest.raises(
            AirflowFailException, match=r"layout: must be a relative path of names and the field"
        ):
            download(render(make_task_json()), layout=layout)
        assert not frames.exists()
