"""RenderbusUploadAssetsOperator with the embedded farm's transfer command, also after failures."""

from __future__ import annotations

import contextlib
import functools
import json

import pytest

from airflow_provider_renderbus.api.calls import account as account_calls, transfer as transfer_calls
from airflow_provider_renderbus.api.models import account as account_models, transfer as transfer_models
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException
from airflow_provider_renderbus.operators.transfers import RenderbusUploadAssetsOperator
from airflow_provider_renderbus.transfer import uploads
from tests.airflow.context import context
from tests.airflow.transfers.files import contents


def expected_contents(folder):
    """Return what the storage must have after the upload of a folder."""
    return {f"{str(folder).lstrip('/')}/{name}": content for name, content in contents(folder).items()}


def upload(assets, **options):
    return RenderbusUploadAssetsOperator(task_id="upload", assets=assets, **options).execute(context())


class TestUploadAssets:
    def test_upload_folder_sends_all_files(self, shot, inputs):
        result = upload([str(shot)])
        assert contents(inputs) == expected_contents(shot)
        assert result == {"files": 9, "bytes": sum(map(len, contents(shot).values()))}

    @pytest.mark.parametrize("as_file", [True, False])
    def test_upload_of_upload_json_sends_its_files(self, shot, inputs, tmp_path, as_file):
        content = {"asset": [{"local": str(shot / "sh010.ma"), "server": "D/shots/sh010.ma"}]}
        path = tmp_path / "upload.json"
        path.write_text(json.dumps(content))
        assert upload(str(path) if as_file else content)["files"] == 1
        assert contents(inputs) == {"D/shots/sh010.ma": b"content of sh010.ma"}

    def test_upload_again_sends_only_changed_files(self, shot, inputs, farm):
        upload(str(shot))
        inodes = {path: path.stat().st_ino for path in inputs.rglob("*") if path.is_file()}
        (shot / "sh010.ma").write_text("changed")
        upload(str(shot))
        assert contents(inputs) == expected_contents(shot)
        replaced = [path for path, inode in inodes.items() if path.stat().st_ino != inode]
        assert [path.name for path in replaced] == ["sh010.ma"]

    def test_state_folder_is_private_and_of_one_connection(self, shot, tmp_path, farm):
        upload(str(shot))
        (folder,) = (tmp_path / "transfer_state").iterdir()
        assert folder.name.startswith("renderbus_default-")
        assert {"resume-10201-100001.ini", "sent-10201-100001.db", "logs"} <= {
            path.name for path in folder.iterdir()
        }
        assert folder.stat().st_mode & 0o077 == 0
        key = farm.connection()["password"].encode()
        assert not any(key in content for content in contents(folder).values())

    def test_upload_of_many_files_is_split(self, shot, inputs, monkeypatch):
        monkeypatch.setattr(uploads, "FILES_PER_LIST", 4)
        assert upload(str(shot))["files"] == 9
        assert contents(inputs) == expected_contents(shot)

    def test_upload_with_missing_file_sends_nothing(self, shot, inputs):
        with pytest.raises(AirflowFailException, match=r"Nothing was uploaded\. .*missing\.ma"):
            upload([str(shot), str(shot / "missing.ma")])
        assert contents(inputs) == {}

    def test_upload_of_invalid_upload_json_fails_without_retry(self, inputs):
        with pytest.raises(AirflowFailException, match=r"upload\.json: \$\.asset"):
            upload({"assets": []})

    @pytest.mark.parametrize(
        ("order", "exception_type", "message"),
        [
            ("after=2 exit=10", AirflowException, "exit code 10"),
            ("after=2 exit=1 half", AirflowException, r"exit code 1\)"),
            ("after=2 exit=137", AirflowException, "killed by signal 9"),
            ("after=2 exit=11", AirflowFailException, "can never be transferred"),
            ("after=2 exit=9", AirflowFailException, "exit code 9"),
            ("after=2 exit=255", AirflowFailException, "exit code 255"),
            ("after=2 hang", AirflowException, "no progress for"),
        ],
    )
    def test_upload_retry_sends_the_remaining_files(
        self, shot, inputs, fault, order, exception_type, message
    ):
        fault(f"{order} times=1")
        with pytest.raises(AirflowException, match=message) as caught:
            upload(str(shot), stall_timeout=1.0)
        assert type(caught.value) is exception_type
        assert "2 files" in str(caught.value)
        assert upload(str(shot))["files"] == 9
        assert contents(inputs) == expected_contents(shot)

    def test_upload_file_changed_meanwhile_fails_with_retry(self, shot, inputs, monkeypatch):
        write_lists = uploads.write_lists

        def change_meanwhile(*args):
            for each in write_lists(*args):
                (shot / "sh010.ma").write_text("written again")
                yield each

        monkeypatch.setattr(uploads, "write_lists", change_meanwhile)
        with pytest.raises(AirflowException, match=r"changed during the upload: .*/sh010\.ma"):
            upload(str(shot))
        monkeypatch.undo()
        assert (shot / "sh010.ma").read_text() == "written again"

    def test_upload_file_deleted_meanwhile_fails_without_retry(self, shot, inputs, monkeypatch):
        write_lists = uploads.write_lists

        def change_meanwhile(*args):
            for each in write_lists(*args):
                (shot / "sh010.ma").unlink()
                yield each

        monkeypatch.setattr(uploads, "write_lists", change_meanwhile)
        with pytest.raises(AirflowFailException, match=r"can never .*sh010\.ma: No such file"):
            upload(str(shot))
        assert contents(inputs) == expected_contents(shot)

    def test_upload_without_command_fails_without_retry(self, connect, shot):
        connect("/no/such/rayvision_transmitter")
        with pytest.raises(
            AirflowFailException, match=r"The transfer command .* does not exist .*rayvision-sync==3\.1\.8"
        ):
            upload(str(shot))

    def test_upload_command_that_is_not_executable_fails_without_retry(self, command, shot):
        command.chmod(0o644)
        with pytest.raises(AirflowFailException, match=r"is not executable"):
            upload(str(shot))

    def test_upload_with_command_from_configuration(self, connect, command, shot, inputs, monkeypatch):
        connect("")
        with pytest.raises(AirflowFailException, match=r"No transfer command is configured"):
            upload(str(shot))
        monkeypatch.setenv("AIRFLOW__RENDERBUS__TRANSFER_COMMAND", str(command))
        assert upload(str(shot))["files"] == 9

    @pytest.mark.parametrize("line", ["", " ", 0, False, [], {}, ["CTCC"], b"CTCC", "a\nb"])
    def test_upload_with_wrong_line_does_not_use_the_default_one(self, shot, farm, line):
        with pytest.raises(AirflowFailException, match=r"^line: must be "):
            upload(str(shot), line=line)
        assert not farm.request_counts

    def test_upload_missing_line_fails_without_retry(self, shot):
        with pytest.raises(AirflowFailException, match=r"no line 'CTCC'; its lines are: "):
            upload(str(shot), line="CTCC")


@pytest.fixture
def passed_option(connect, command, tmp_path):
    """Return a function that returns an option of the command's last run."""
    words = tmp_path / "words"
    wrapper = tmp_path / "renderbus-farm-transmitter"
    wrapper.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {words}\nexec {command} "$@"\n')
    wrapper.chmod(0o755)

    def passed_option(flag):
        argv = words.read_text().split("\n")
        return argv[argv.index(flag) + 1]

    passed_option.connect = functools.partial(connect, wrapper)
    return passed_option


@pytest.mark.parametrize(
    ("extra", "storage", "user"),
    [({}, "10201", "100001"), ({"storage": "main-account"}, "99201", "99001")],
)
def test_upload_uses_storage_of_account_or_main_account(
    passed_option, shot, monkeypatch, extra, storage, user
):
    """The storages that the farm returns for a sub-account; only its own exist on this farm."""
    read_bids, read_profile = transfer_models.read_transfer_bids, account_models.read_user_profile
    monkeypatch.setattr(
        transfer_calls, "read_transfer_bids", lambda data: read_bids({**data, "parent_input_bid": "99201"})
    )
    monkeypatch.setattr(
        account_calls, "read_user_profile", lambda data: read_profile({**data, "mainUserId": 99001})
    )
    passed_option.connect(**extra)
    with contextlib.suppress(AirflowFailException):
        upload(str(shot))
    assert (passed_option("-S"), passed_option("-U")) == (storage, user)
