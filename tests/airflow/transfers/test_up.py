"""Scenes go up over the embedded farm's transfer command, also when things go wrong."""

from __future__ import annotations

import contextlib
import functools
import json

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_renderbus.api.calls import account as account_calls
from airflow_provider_renderbus.api.calls import transfer as transfer_calls
from airflow_provider_renderbus.api.models import account as account_models
from airflow_provider_renderbus.api.models import transfer as transfer_models
from airflow_provider_renderbus.operators.transfers import RenderbusUploadAssetsOperator
from airflow_provider_renderbus.transfer import assets as sources
from airflow_provider_renderbus.transfer import uploads
from tests.airflow.context import context
from tests.airflow.transfers.files import contents


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
        monkeypatch.setattr(sources, "FILES_PER_LIST", 4)
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
            ("after=2 hang", AirflowException, "Nothing has moved"),
        ],
    )
    def test_another_try_sends_the_rest(self, shot, inputs, fault, order, kind, message):
        fault(f"{order} times=1")
        with pytest.raises(AirflowException, match=message) as failed:
            upload(str(shot), stall_timeout=1.0)
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
    ("extra", "storage", "user"),
    [({}, "10201", "100001"), ({"use_main_account_storage": True}, "99201", "99001")],
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
