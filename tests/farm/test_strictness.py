"""The farm refuses to render what the live farm cannot, and the log of a frame says why."""

from __future__ import annotations

from contextlib import closing

import pytest

from airflow_provider_renderbus.farm import Farm, ManualClock
from dev.harness.embedded_farm import put_scene
from tests.farm.raw_client import LOG, RECOMMIT_FAILED, RawClient, job

FINISHED, FINISHED_HAS_FAILED = 25, 30
FRAME_FAILED = 5


@pytest.fixture
def open_farm(tmp_path):
    """Opens a farm with an empty input storage, and returns its client."""
    farms = []

    def open_farm(**scenario):
        farm = Farm(tmp_path / "farm", ManualClock(), scenario={"pictures": False, **scenario})
        farms.append(farm)
        return RawClient(farm)

    yield open_farm
    for farm in farms:
        farm.close()


def logs_of(client, task_id):
    return {
        "\n".join(client.call(LOG, id=frame["id"], pageNum=1, pageSize=1)["items"])
        for frame in client.frames(task_id)["items"]
    }


def render(client, task_json):
    task_id = client.submit(task_json)
    client.farm.advance(10_000)
    return task_id


def with_scene(path):
    task_json = job()
    task_json["task_info"]["input_cg_file"] = path
    return task_json


def test_scene_is_not_in_input_storage_fails_all_frames(open_farm):
    client = open_farm()
    task_id = render(client, job(frames="1-3[1]"))
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["failedFrames"], info["doneFrames"]) == (FINISHED_HAS_FAILED, 3, 0)
    assert info["renderConsume"] == 0
    for log in logs_of(client, task_id):
        assert "Error: the scene '/mnt/shots/sh010.blend' is not in the input storage" in log
        assert "upload it to 'mnt/shots/sh010.blend'" in log
        assert log.endswith("has failed")


def test_scene_that_is_uploaded_later_renders_after_a_recommit(open_farm, tmp_path):
    client = open_farm()
    task_id = render(client, job(frames="1-3[1]"))
    put_scene(tmp_path / "farm", "/mnt/shots/sh010.blend")
    client.call(RECOMMIT_FAILED, taskIds=[task_id])
    client.farm.advance(10_000)
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["doneFrames"]) == (FINISHED, 3)
    assert all("Error" not in log for log in logs_of(client, task_id))


def test_scene_that_vanishes_while_a_frame_renders_does_not_fail_it(open_farm, tmp_path):
    client = open_farm()
    put_scene(tmp_path / "farm", "/mnt/shots/sh010.blend")
    task_id = client.submit(job(frames="1"))
    client.farm.advance(70)
    (scene,) = (tmp_path / "farm" / "input").rglob("sh010.blend")
    scene.unlink()
    client.farm.advance(10_000)
    assert client.task_state(task_id) == FINISHED


def test_failed_frame_keeps_its_reason_when_the_farm_restarts(open_farm, tmp_path):
    client = open_farm()
    task_id = client.submit(job(frames="1"))
    client.farm.advance(70)
    client.farm.close()
    put_scene(tmp_path / "farm", "/mnt/shots/sh010.blend")
    with closing(Farm(tmp_path / "farm", ManualClock())) as farm:
        client = RawClient(farm)
        farm.advance(10_000)
        assert client.frame_states(task_id) == {"1": FRAME_FAILED}
        assert "is not in the input storage" in logs_of(client, task_id).pop()


@pytest.mark.parametrize(
    ("path", "stored"),
    [
        ("D:/shots/a.blend", "D/shots/a.blend"),
        ("D:\\shots\\a.blend", "D/shots/a.blend"),
        ("/mnt/a.blend", "mnt/a.blend"),
        ("//mnt/a.blend", "mnt/a.blend"),
        ("\\\\srv\\share\\a.blend", "srv/share/a.blend"),
        ("a.blend", "a.blend"),
        ("/mnt/衣帽间.blend", "mnt/衣帽间.blend"),
    ],
)
def test_scene_path_on_a_machine_names_a_file_of_the_input_storage(open_farm, tmp_path, path, stored):
    client = open_farm()
    file = next((tmp_path / "farm" / "input").iterdir()) / stored
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"any")
    assert client.task_state(render(client, with_scene(path))) == FINISHED


@pytest.mark.parametrize(
    "path", ["", "/", "/mnt", "D:", "/mnt/../../account.json", "/mnt/link.blend", "a\nb", "x" * 300, "\ud800"]
)
def test_path_that_is_no_file_of_the_input_storage_fails(open_farm, tmp_path, path):
    client = open_farm()
    inputs = next((tmp_path / "farm" / "input").iterdir())
    (inputs / "mnt").mkdir()
    (inputs / "mnt" / "link.blend").symlink_to(tmp_path / "farm" / "account.json")
    assert client.task_state(render(client, with_scene(path))) == FINISHED_HAS_FAILED


def test_lenient_farm_renders_without_a_scene(open_farm):
    client = open_farm(lenient=True)
    assert client.task_state(render(client, job())) == FINISHED


def test_preprocessing_pass_without_scene_fails_the_task(open_farm):
    client = open_farm(renders=[{"passes": ["preprocess"]}])
    leaves = client.leaves(render(client, job()))
    assert {leaf["taskStatus"] for leaf in leaves} == {45}
