"""What makes two jobs the same, and how a message names what differs."""

import json

import pytest

from airflow_provider_renderbus.renders.fingerprint import JobFingerprint
from tests.scenes import make_task_json

JOB = {"task_json": make_task_json(), "project_name": "night", "hardware": {"ram": 64}}
ASSETS = [("/mnt/a.blend", 10, 1000), ("/mnt/b.png", 20, 1000)]


def changed(**values):
    return JobFingerprint.of({**JOB, **values}, ASSETS)


@pytest.mark.parametrize(
    ("values", "assets"),
    [
        ({}, list(reversed(ASSETS))),
        ({"task_json": json.loads(json.dumps(JOB["task_json"]))}, ASSETS),
        ({"task_json": dict(reversed(JOB["task_json"].items()))}, ASSETS),
        ({"upload_json": None, "tips_json": {}}, ASSETS),
    ],
)
def test_fingerprint_same_job_is_equal(values, assets):
    same, stored = JobFingerprint.of({**JOB, **values}, assets), JobFingerprint.of(JOB, ASSETS)
    assert (same.job, same.assets) == (stored.job, stored.assets)


def test_fingerprint_changed_frames_names_field():
    frames = make_task_json(frames="1-8[1]")
    other = changed(task_json=frames)
    stored = JobFingerprint.of(JOB, ASSETS)
    assert other.job != stored.job
    assert stored.differences(other) == "task_json.scene_info_render.common.frames"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"project_name": "day"}, "project_name"),
        ({"project_name": None}, "project_name"),
        ({"hardware": {"ram": 128}}, "hardware.ram"),
        ({"upload_json": {"asset": [{"local": "/a", "server": "/a"}]}}, "upload_json.asset[0].local"),
    ],
)
def test_fingerprint_changed_argument_names_field(values, field):
    assert field in JobFingerprint.of(JOB, ASSETS).differences(changed(**values))


@pytest.mark.parametrize(
    "assets",
    [
        [("/mnt/a.blend", 11, 1000), ("/mnt/b.png", 20, 1000)],
        [("/mnt/a.blend", 10, 1001), ("/mnt/b.png", 20, 1000)],
        [("/mnt/a.blend", 10, 1000)],
        [],
    ],
    ids=["size", "time", "missing", "none"],
)
def test_fingerprint_changed_assets_keep_job(assets):
    other, stored = JobFingerprint.of(JOB, assets), JobFingerprint.of(JOB, ASSETS)
    assert other.job == stored.job
    assert other.assets != stored.assets


def test_fingerprint_round_trip_as_json():
    stored = JobFingerprint.of(JOB, ASSETS)
    assert JobFingerprint.from_dict(json.loads(json.dumps(stored.to_dict()))) == stored
    for nonsense in (None, {}, {"job": "a"}, "text", [1]):
        assert JobFingerprint.from_dict(nonsense) is None


def test_fingerprint_of_large_job_fits_into_state_store():
    layers = {
        f"layer{number}": {f"key{key}": {"frames": f"{number}-{key}"} for key in range(50)}
        for number in range(500)
    }
    stored = JobFingerprint.of({"task_json": {"scene_info": layers}}, ASSETS)
    assert len(json.dumps(stored.to_dict())) < 32_000
    layers["layer7"]["key3"] = {"frames": "1"}
    other = JobFingerprint.of({"task_json": {"scene_info": layers}}, ASSETS)
    assert other.job != stored.job
    assert stored.differences(other) == "task_json.scene_info.layer7"


def test_fingerprint_of_job_with_long_names_fits_into_state_store():
    names = {f"{number:0200}": "1" for number in range(450)}
    stored = JobFingerprint.of({"task_json": names}).to_dict()
    assert len(json.dumps(stored)) < 64_000


def test_fingerprint_differences_are_limited():
    numbered = [{f"field{number}": value for number in range(30)} for value in (1, 2)]
    stored, other = (JobFingerprint.of({"task_json": each}) for each in numbered)
    assert stored.differences(other).endswith("and 22 more fields")


def test_fingerprint_without_fields_names_hashes():
    stored, other = JobFingerprint("aa11"), JobFingerprint.of(JOB)
    assert stored.differences(other) == f"fingerprint aa11 instead of {other.job}"
