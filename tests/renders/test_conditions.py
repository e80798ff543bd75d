"""Conditions: what they make of an answer, and how they are stored."""

import json

import pytest

from airflow_provider_renderbus.api.models.frames import read_frame
from airflow_provider_renderbus.api.models.page import Page
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


class LayeredFarm:
    """Answers a condition with layers: each has the frames in the states that are given."""

    def __init__(self, **layers):
        self.layers, self.listings = layers, 0

    def leaf(self, index, name, frames, **fields):
        total, done = len(frames), sum(state == DONE for state in frames.values())
        status = 25 if frames and done == total else 5
        return {
            "id": index,
            "layerName": name,
            "taskStatus": status,
            "totalFrames": total,
            "doneFrames": done,
        }

    def answer(self, call):
        if call.name == "query_task_info":
            leaves = [self.leaf(index, *layer) for index, layer in enumerate(self.layers.items(), 8)]
            return {7: read_task({"id": 7, "taskStatus": 0, "respRenderingTaskList": leaves})}
        self.listings += 1
        frames = list(self.layers.values())[call.body["taskId"] - 8]
        items = [
            read_frame({"id": index, "frameIndex": name, "frameStatus": state})
            for index, (name, state) in enumerate(frames.items(), 1)
        ]
        return Page(tuple(items), 1, 1, len(items))

    def check(self, *arguments, **options):
        flow, answers = FramesDone(7, *arguments, **options).check(), None
        while True:
            try:
                answers = [self.answer(call) for call in flow.send(answers)]
            except StopIteration as end:
                return end.value


DONE, RENDERING = 4, 2


def frames(done, pending=()):
    return {str(name): DONE for name in done} | {str(name): RENDERING for name in pending}


def test_frames_done_counts_a_frame_when_it_is_done_in_every_layer():
    farm = LayeredFarm(beauty=frames([], range(1, 11)), shadow=frames(range(1, 11)))
    assert farm.check(min_fraction=0.5).result is None
    farm = LayeredFarm(beauty=frames([2, 3, 5], [1, 4]), shadow=frames([1, 2, 3, 4], [5]))
    assert farm.check(min_fraction=0.6).result is None
    assert farm.check(min_fraction=0.4).result.result == {
        "render_task_id": 7,
        "done": 2,
        "required": 2,
        "total": 5,
        "frames": "2-3",
    }
    assert farm.check(("2", "3")).result.result["frames"] == "2-3"
    assert farm.check(("2", "5")).result is None


def test_frames_done_of_chosen_layers_ignores_the_others():
    farm = LayeredFarm(beauty=frames([1, 2]), shadow=frames([], [1, 2]), depth=frames([1], [2]))
    assert farm.check().result is None
    assert farm.listings == 0
    result = farm.check(layers=("beauty",)).result.result
    assert (result["frames"], result["required"], result["total"]) == ("1-2", 2, 2)
    assert farm.check(layers=("beauty", "depth"), min_fraction=0.5).result.result["frames"] == "1"


def test_frames_done_layer_that_lists_nothing_yet_counts_as_having_all():
    farm = LayeredFarm(beauty=frames([1, 2]), shadow={})
    assert farm.check(min_fraction=0.5).result is None
    assert farm.check(("1",)).result is None
    assert "there is no" not in farm.check(("1", "99")).message


def test_frames_done_layers_with_other_frames_count_what_they_have():
    farm = LayeredFarm(beauty=frames([1, 2], [3]), shadow=frames([2], [1]))
    assert farm.check(min_fraction=0.3).result.result["frames"] == "2"
    farm = LayeredFarm(beauty=frames([1, 2, 3]), shadow=frames([2], [1]))
    assert farm.check(min_fraction=0.6).result.result["frames"] == "2-3"


def test_frames_done_name_that_nothing_has_is_in_the_first_message():
    farm = LayeredFarm(beauty=frames([1], [2, 3]), shadow=frames([1], [2, 3]))
    assert farm.check(("1", "007")).message.endswith("there is no frame '007', there are: 1-3")
    evaluation = farm.check(layers=("beaty",))
    assert evaluation.message.endswith("there is no layer 'beaty', there are: beauty, shadow")
    assert evaluation.result is None
    farm = LayeredFarm(beauty=frames([1]), shadow=frames([1]))
    assert farm.check(layers=("beaty",)).result.message.startswith(
        "Render 7: finished, and has no layer 'beaty'"
    )


def test_condition_from_dict_restores_what_was_stored():
    condition = FramesDone(7, ("1",), 1.0, ("beauty",))
    assert condition_from_dict(json.loads(json.dumps(condition_to_dict(condition)))) == condition


@pytest.mark.parametrize(
    "stored",
    [{}, {"kind": "weather"}, {"kind": "frames"}, {**condition_to_dict(FramesDone(7)), "mood": 1}],
)
def test_condition_from_dict_of_other_version_raises(stored):
    with pytest.raises(VersionMismatch, match="same version"):
        condition_from_dict(stored)
