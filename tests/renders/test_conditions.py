"""Conditions: what they make of an answer, and how they are stored."""

import json

import pytest

from airflow_provider_renderbus.api.models.tasks import read_task
from airflow_provider_renderbus.renders.conditions import FramesDone, condition_from_dict, condition_to_dict
from airflow_provider_renderbus.renders.results import VersionMismatch


def test_frames_done_photon_pass_counts_no_frames():
    leaf = {"taskType": "RenderPhoton", "taskStatus": 25, "totalFrames": 1, "doneFrames": 1}
    parent = {"id": 7, "taskStatus": 0, "respRenderingTaskList": [{"id": 8, **leaf}]}
    flow = FramesDone(7).check()
    next(flow)
    with pytest.raises(StopIteration) as end:
        flow.send([{7: read_task(parent)}])
    assert end.value.value.result is None


def test_condition_from_dict_restores_what_was_stored():
    condition = FramesDone(7, ("1",), 1.0)
    assert condition_from_dict(json.loads(json.dumps(condition_to_dict(condition)))) == condition


@pytest.mark.parametrize(
    "stored",
    [{}, {"kind": "weather"}, {"kind": "frames"}, {**condition_to_dict(FramesDone(7)), "mood": 1}],
)
def test_condition_from_dict_of_other_version_raises(stored):
    with pytest.raises(VersionMismatch, match="same version"):
        condition_from_dict(stored)
