"""Layers have names that a TD recognizes, and no two have the same."""

import pytest

from airflow_provider_renderbus.api.models.tasks import read_task
from airflow_provider_renderbus.renders.layers import list_layers, shot_name
from airflow_provider_renderbus.renders.results import layer_summaries


def leaf(task_id, **fields):
    return {"id": task_id, "taskStatus": 25, "sceneName": "D:\\shots\\sh010.ma", **fields}


def names(*leaves):
    task = read_task({"id": 1, "taskStatus": 0, "respRenderingTaskList": list(leaves)})
    return [layer.name for layer in list_layers(task)]


@pytest.mark.parametrize(
    ("leaves", "expected"),
    [
        ([{"layerName": "beauty"}, {"layerName": "shadow"}], ["beauty", "shadow"]),
        ([{"layerName": "/out/mantra1", "renderCamera": "cam"}], ["/out/mantra1"]),
        ([{"layerName": "", "renderCamera": "VRayCam003"}], ["VRayCam003"]),
        ([{"layerName": None}], ["sh010"]),
        ([{"layerName": " ", "sceneName": None}], ["2"]),
        (
            [
                {"layerName": "beauty", "renderCamera": "left"},
                {"layerName": "beauty", "renderCamera": "right"},
            ],
            ["beauty (left)", "beauty (right)"],
        ),
        ([{"layerName": "beauty"}, {"layerName": "beauty"}], ["beauty (2)", "beauty (3)"]),
        (
            [
                {"layerName": "beauty", "taskType": "RenderPhoton"},
                {"layerName": "beauty", "taskType": "Render"},
            ],
            ["beauty (photon pass)", "beauty"],
        ),
        ([{"layerName": "beauty", "taskType": "PreRender"}], ["beauty (pre-render)"]),
        ([{"layerName": "a\nb"}], ["a b"]),
    ],
)
def test_list_layers_names(leaves, expected):
    assert names(*(leaf(index, **fields) for index, fields in enumerate(leaves, 2))) == expected


def test_list_layers_passes_have_no_frames():
    task = read_task(leaf(1, taskType="PreRender"))
    assert [layer.has_frames for layer in list_layers(task)] == [False]


def test_shot_name_of_any_path():
    assert shot_name(read_task(leaf(1))) == "sh010"
    assert shot_name(read_task(leaf(1, sceneName="/mnt/sh.020.hip"))) == "sh.020"
    assert shot_name(read_task(leaf(1, sceneName=None))) == ""


def test_layer_summaries_are_per_leaf():
    task = read_task(
        {
            "id": 1,
            "taskStatus": 0,
            "respRenderingTaskList": [
                leaf(2, layerName="beauty", outputFileName="2_sh010", doneFrames=3, renderConsume=0.5),
                leaf(3, layerName="shadow", failedFrames=1),
            ],
        }
    )
    beauty, shadow = layer_summaries(task)
    assert (beauty["name"], beauty["output_folder"], beauty["frames"]["done"]) == ("beauty", "2_sh010", 3)
    assert (beauty["cost"], beauty["failed_frames"]) == ("0.5", "")
    assert (shadow["render_task_id"], shadow["output_folder"], shadow["frames"]["failed"]) == (3, None, 1)
