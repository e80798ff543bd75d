"""Scenes up and frames down over the embedded farm's transfer command, also when things go wrong."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.calls import account as account_calls
from airflow_provider_renderbus.api.calls import transfer as transfer_calls
from airflow_provider_renderbus.api.models import account as account_models
from airflow_provider_renderbus.api.models import transfer as transfer_models
from airflow_provider_renderbus.farm.storage import Storage
from airflow_provider_renderbus.operators.transfers import (
    RenderbusDownloadFramesOperator,
    RenderbusUploadAssetsOperator,
)
from airflow_provider_renderbus.transfer import assets as sources
from airflow_provider_renderbus.transfer import downloads, uploads
from tests.airflow.context import context
from tests.processes import gone
from tests.scenes import task_json

ROOT = Path(__file__).parents[2]
STRANGE = ["a b.exr", 'it\'s "quoted".exr', "纹理/木头.png", "$(touch x);`y`.vdb", "[1].exr", "(2) 100%.abc"]


pytestmark = pytest.mark.usefixtures("transfers")


@pytest.fixture
def storage(farm):
    return farm.output_root.parents[1]


@pytest.fixture
def inputs(storage):
    return storage / "input" / "10201-100001"


@pytest.fixture
def fault(storage):
    """Order a fault of the command."""
    return (storage / "transfer-fault").write_text


@pytest.fixture
def shot(tmp_path):
    folder = tmp_path / "shot"
    for name in ("sh010.ma", "textures/a.exr", "textures/b.exr", *STRANGE):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    return folder


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sent(folder):
    """What has to lie in the storage for a folder."""
    return {f"{str(folder).lstrip('/')}/{name}": content for name, content in contents(folder).items()}


def upload(assets, **how):
    return RenderbusUploadAssetsOperator(task_id="send", assets=assets, **how).execute(context())


class TestUp:
    def test_a_folder(self, shot, inputs):
        result = upload([str(shot)])
        assert contents(inputs) == sent(shot)
        assert result == {"files": 9, "bytes": sum(map(len, contents(shot).values()))}

    @pytest.mark.parametrize("as_file", [True, False])
    def test_an_upload_json(self, shot, inputs, tmp_path, as_file):
        content = {"asset": [{"local": str(shot / "sh010.ma"), "server": "D/shots/sh010.ma"}]}
        path = tmp_path / "upload.json"
        path.write_text(json.dumps(content))
        assert upload(str(path) if as_file else content)["files"] == 1
        assert contents(inputs) == {"D/shots/sh010.ma": b"content of sh010.ma"}

    def test_what_was_sent_is_not_sent_again(self, shot, inputs, farm):
        upload(str(shot))
        before = {path: path.stat().st_ino for path in inputs.rglob("*") if path.is_file()}
        (shot / "sh010.ma").write_text("changed")
        upload(str(shot))
        assert contents(inputs) == sent(shot)
        again = [path for path, number in before.items() if path.stat().st_ino != number]
        assert [path.name for path in again] == ["sh010.ma"]

    def test_what_is_remembered_belongs_to_a_connection_and_is_closed_to_others(self, shot, tmp_path, farm):
        upload(str(shot))
        (folder,) = (tmp_path / "remembered").iterdir()
        assert folder.name.startswith("renderbus_default-")
        assert {"resume-10201-100001.ini", "sent-10201-100001.db", "logs"} <= {
            path.name for path in folder.iterdir()
        }
        assert folder.stat().st_mode & 0o077 == 0
        key = farm.connection()["password"].encode()
        assert not any(key in content for content in contents(folder).values())

    def test_a_long_list_is_sent_in_pieces(self, shot, inputs, monkeypatch):
        monkeypatch.setattr(sources, "ENTRIES_A_LIST", 4)
        assert upload(str(shot))["files"] == 9
        assert contents(inputs) == sent(shot)

    def test_nothing_is_sent_where_something_is_wrong(self, shot, inputs):
        with pytest.raises(AirflowFailException, match=r"Nothing was sent\. .*missing\.ma"):
            upload([str(shot), str(shot / "missing.ma")])
        assert contents(inputs) == {}

    def test_a_wrong_upload_json_fails_without_a_retry(self, inputs):
        with pytest.raises(AirflowFailException, match=r"upload\.json: \$\.asset"):
            upload({"assets": []})

    @pytest.mark.parametrize(
        ("order", "kind", "message"),
        [
            ("after=2 exit=10", AirflowException, "exit code 10"),
            ("after=2 exit=1 half", AirflowException, r"exit code 1\)"),
            ("after=2 exit=137", AirflowException, "killed by signal 9"),
            ("after=2 exit=11", AirflowFailException, "can never be transferred"),
            ("after=2 exit=9", AirflowFailException, "exit code 9"),
            ("after=2 exit=255", AirflowFailException, "exit code 255"),
            ("after=2 silence", AirflowException, "Nothing has moved"),
        ],
    )
    def test_another_try_sends_the_rest(self, shot, inputs, fault, order, kind, message):
        fault(f"{order} times=1")
        with pytest.raises(AirflowException, match=message) as failed:
            upload(str(shot), silence=1.0)
        assert type(failed.value) is kind
        assert "2 files" in str(failed.value)
        assert upload(str(shot))["files"] == 9
        assert contents(inputs) == sent(shot)

    def test_a_file_that_changes_while_it_is_sent(self, shot, inputs, monkeypatch):
        write_lists = uploads.write_lists

        def meanwhile(*args):
            for each in write_lists(*args):
                (shot / "sh010.ma").write_text("written again")
                yield each

        monkeypatch.setattr(uploads, "write_lists", meanwhile)
        with pytest.raises(AirflowException, match=r"changed while they were sent: .*/sh010\.ma"):
            upload(str(shot))
        monkeypatch.undo()
        assert (shot / "sh010.ma").read_text() == "written again"

    def test_a_file_that_vanishes_is_named(self, shot, inputs, monkeypatch):
        write_lists = uploads.write_lists

        def meanwhile(*args):
            for each in write_lists(*args):
                (shot / "sh010.ma").unlink()
                yield each

        monkeypatch.setattr(uploads, "write_lists", meanwhile)
        with pytest.raises(AirflowFailException, match=r"can never .*sh010\.ma: No such file"):
            upload(str(shot))
        assert contents(inputs) == sent(shot)

    def test_a_command_that_is_not_there(self, connect, shot):
        connect("/no/such/rayvision_transmitter")
        with pytest.raises(
            AirflowFailException, match=r"There is no transfer command .*rayvision-sync==3\.1\.8"
        ):
            upload(str(shot))

    def test_a_command_that_has_lost_its_run_bit(self, command, shot):
        command.chmod(0o644)
        with pytest.raises(AirflowFailException, match=r"has no run bit"):
            upload(str(shot))

    def test_a_command_in_the_configuration(self, connect, command, shot, inputs, monkeypatch):
        connect("")
        with pytest.raises(AirflowFailException, match=r"No transfer command is named"):
            upload(str(shot))
        monkeypatch.setenv("AIRFLOW__RENDERBUS__TRANSFER_COMMAND", str(command))
        assert upload(str(shot))["files"] == 9

    def test_a_line_that_there_is_not(self, shot):
        with pytest.raises(AirflowFailException, match=r"no line named 'CTCC'; its lines are: "):
            upload(str(shot), line="CTCC")


def test_a_kill_before_the_beginning_begins_nothing(shot, inputs):
    operator = RenderbusUploadAssetsOperator(task_id="send", assets=str(shot))
    with pytest.raises(SystemExit, match="Killed"):
        operator.on_kill()
    with pytest.raises(AirflowException, match="stopped") as stopped:
        operator.execute(context())
    assert not isinstance(stopped.value, AirflowFailException)
    assert contents(inputs) == {}


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
            "outputs": [f"{rendered}_sh010"],
            "files": 4,
            "bytes": sum(map(len, there.values())),
            "there_before": 0,
        }
        assert json.loads(json.dumps(result)) == result
        assert download(rendered, frames)["there_before"] == 4

    def test_the_frames_of_all_leaves(self, farm, render, frames):
        result = download(render(layered("rs_beauty", "rs_shadow")), frames)
        assert contents(frames) == contents(farm.output_root)
        assert (len(result["outputs"]), result["files"]) == (2, 6)

    def test_frames_by_pattern(self, rendered, frames):
        result = download(str(rendered), frames, pattern="*_000[23].png")
        assert sorted(path.name for path in frames.rglob("*.png")) == ["sh010_0002.png", "sh010_0003.png"]
        assert result["files"] == 2
        assert download(rendered, frames)["there_before"] == 2

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
        "order", ["after=2 exit=10", "after=1 half exit=0", "after=1 half exit=1", "silence"]
    )
    def test_another_try_fetches_the_rest(self, farm, rendered, frames, fault, order):
        fault(f"{order} times=1")
        with pytest.raises(AirflowException):
            download(rendered, frames, silence=1.0)
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
        assert download(rendered, frames)["there_before"] == 3
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
        entry = Storage.entry

        def lie(path):
            def lies(storage, file, **how):
                told = entry(storage, file, **how)
                return told | {"filePath": path} if file.endswith("2.png") else told

            monkeypatch.setattr(Storage, "entry", lies)

        return lie

    @pytest.mark.parametrize("path", ["/../../outside.png", "/a\nb.png", "/.."])
    def test_it_is_refused(self, lie, rendered, frames, tmp_path, path):
        lie(path)
        with pytest.raises(AirflowFailException, match="The storage lists"):
            download(rendered, frames)
        assert not frames.exists()
        assert not (tmp_path / "outside.png").exists()


def test_a_kill_ends_the_command_with_its_children(connect, tmp_path, shot):
    """As Airflow does it: a signal calls on_kill while the operator runs."""
    command, told = tmp_path / "hangs", tmp_path / "numbers"
    command.write_text(
        f"#!/bin/sh\n(trap '' TERM; exec sleep 600) &\necho $$ $! > {told}\nkill -USR1 {os.getpid()}\nwait\n"
    )
    command.chmod(0o755)
    connect(command)
    operator = RenderbusUploadAssetsOperator(task_id="send", assets=str(shot))
    before = signal.signal(signal.SIGUSR1, lambda *_: operator.on_kill())
    try:
        with pytest.raises(SystemExit, match="Killed"):
            operator.execute(context())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert all(gone(int(number)) for number in told.read_text().split())


def test_templates_and_serialized_fields():
    for kind, own in (
        (RenderbusUploadAssetsOperator, {"assets"}),
        (RenderbusDownloadFramesOperator, {"render_task_id", "folder", "pattern"}),
    ):
        assert own <= set(kind.template_fields)


@pytest.fixture
def told(connect, command, tmp_path):
    """Return how to read a flag that the command was last given."""
    words = tmp_path / "words"
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {words}\nexec {command} "$@"\n')
    wrapper.chmod(0o755)

    def told(flag):
        found = words.read_text().split("\n")
        return found[found.index(flag) + 1]

    told.connect = functools.partial(connect, wrapper)
    return told


@pytest.mark.parametrize(
    ("extra", "storage", "user"), [({}, "10201", "100001"), ({"use_main_account": True}, "99201", "99001")]
)
def test_scenes_go_to_the_storage_of_the_account_or_its_main_account(
    told, shot, monkeypatch, extra, storage, user
):
    """A sub-account's storages, as the farm tells of them; only its own are on this farm."""
    read_bids, read_profile = transfer_models.read_transfer_bids, account_models.read_user_profile
    monkeypatch.setattr(
        transfer_calls, "read_transfer_bids", lambda data: read_bids({**data, "parent_input_bid": "99201"})
    )
    monkeypatch.setattr(
        account_calls, "read_user_profile", lambda data: read_profile({**data, "mainUserId": 99001})
    )
    told.connect(**extra)
    with contextlib.suppress(AirflowFailException):
        upload(str(shot))
    assert (told("-S"), told("-U")) == (storage, user)
