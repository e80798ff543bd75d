"""What a worker skips in an upload: several workers and runs may send different versions of a file."""

import os
import time

import pytest

from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.file_transfer import FileTransfer
from airflow_provider_renderbus.operators.transfers import RenderbusUploadAssetsOperator
from tests.airflow.context import context
from tests.airflow.transfers.files import contents


@pytest.fixture
def scene(tmp_path):
    path = tmp_path / "scene.ma"
    path.write_text("version 1")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


@pytest.fixture
def upload(scene, tmp_path, monkeypatch):
    """Uploads the scene with a task on a worker, which has a folder of its own for its state."""

    def upload(worker, run="run", max_tries=2):
        monkeypatch.setenv("AIRFLOW__RENDERBUS__TRANSFER_STATE_FOLDER", str(tmp_path / worker))
        values = context()
        values["ti"].run_id, values["ti"].max_tries = run, max_tries
        return RenderbusUploadAssetsOperator(task_id="upload", assets=[str(scene)]).execute(values)

    return upload


@pytest.fixture
def sent(inputs):
    """Returns the content of the scene on the farm."""
    return lambda: "".join(content.decode() for content in contents(inputs).values())


def in_place(scene, tmp_path):
    scene.write_text("version 1")
    os.utime(scene, (1_700_000_000, 1_700_000_000))


def by_link(scene, tmp_path):
    scene.unlink()
    scene.symlink_to(tmp_path / "version1.ma")


@pytest.mark.parametrize("restore", [in_place, by_link])
def test_upload_of_restored_scene_by_another_run_is_sent(restore, upload, scene, sent, tmp_path):
    """Worker A sends version 1, B version 2, and version 1 comes back with its old time."""
    if restore is by_link:
        scene.rename(tmp_path / "version1.ma")
        scene.symlink_to(tmp_path / "version1.ma")
    upload("A", "monday")
    assert sent() == "version 1"
    if restore is by_link:
        scene.unlink()
    scene.write_text("version 2")
    upload("B", "tuesday")
    assert sent() == "version 2"
    restore(scene, tmp_path)
    upload("A", "wednesday")
    assert sent() == "version 1"


def test_upload_after_a_clear_is_sent(upload, scene, sent, tmp_path):
    upload("A", "monday")
    scene.write_text("version 2")
    upload("B", "tuesday")
    in_place(scene, tmp_path)
    upload("A", "monday", max_tries=3)
    assert sent() == "version 1"


def test_upload_without_a_task_is_sent(scene, sent, tmp_path, monkeypatch):
    for worker, content in (("A", "version 1"), ("B", "version 2"), ("A", "version 1")):
        monkeypatch.setenv("AIRFLOW__RENDERBUS__TRANSFER_STATE_FOLDER", str(tmp_path / worker))
        scene.write_text(content)
        os.utime(scene, (1_700_000_000, 1_700_000_000))
        FileTransfer(RenderbusHook()).upload([str(scene)])
        assert sent() == content


def is_replaced(inputs, upload, *args):
    (file,) = (path for path in inputs.rglob("*") if path.is_file())
    before = file.stat().st_ino
    upload(*args)
    return file.stat().st_ino != before


def test_upload_of_retry_on_the_same_worker_skips_unchanged_file(upload, inputs):
    upload("A")
    assert not is_replaced(inputs, upload, "A")


@pytest.mark.parametrize(("memory", "is_sent"), [("task", True), ("worker", False)])
def test_upload_by_another_run_depends_on_the_option(memory, is_sent, upload, inputs, monkeypatch):
    monkeypatch.setenv("AIRFLOW__RENDERBUS__TRANSFER_MEMORY", memory)
    upload("A", "monday")
    assert is_replaced(inputs, upload, "A", "tuesday") is is_sent


def test_upload_with_unknown_option_fails(upload, monkeypatch):
    monkeypatch.setenv("AIRFLOW__RENDERBUS__TRANSFER_MEMORY", "forever")
    with pytest.raises(Exception, match=r"\[renderbus\] transfer_memory: must be one of 'task', 'worker'"):
        upload("A")


def test_upload_deletes_databases_of_a_week_ago(upload, tmp_path):
    upload("A", "monday")
    (old,) = (tmp_path / "A").iterdir()
    week_ago = time.time() - 8 * 86_400
    os.utime(old, (week_ago, week_ago))
    upload("A", "tuesday")
    (new,) = (tmp_path / "A").iterdir()
    assert new != old
