import inspect
import json
from pathlib import Path

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.arguments import CONFIG_FILES

ENDPOINTS = {
    endpoint["name"]: endpoint
    for endpoint in json.loads(Path(__file__).parents[1].joinpath("data/endpoints.json").read_text("utf-8"))[
        "endpoints"
    ]
}
EXAMPLES = {
    "create_task": lambda: calls.create_task(
        count=2, task_user_level=60, out_user_id=7, labels=["a"], clone_original_id="2W35", artist="Ada"
    ),
    "get_output_files": lambda: calls.get_output_files(task_id=1, tree_path="/"),
    "query_task_frames": lambda: calls.query_task_frames(1, search_keyword="6"),
    "query_task_info": lambda: calls.query_task_info([1, "2W35736251"]),
    "query_user_profile": calls.query_user_profile,
    "stop_task": lambda: calls.stop_task([1]),
    "submit_task": lambda: calls.submit_task(1, producer="Ada"),
    "upload_task_json": lambda: calls.upload_task_json(1, "{}"),
}


def test_every_call_has_an_example():
    assert sorted(EXAMPLES) == sorted(calls.__all__)


@pytest.mark.parametrize("name", EXAMPLES)
def test_calls_agree_with_the_table_of_endpoints(name):
    call, endpoint = EXAMPLES[name](), ENDPOINTS[name]
    assert call.name == name
    assert list(call.paths) == endpoint["paths"]
    assert call.replay_safe is endpoint["replay_safe"]
    assert set(call.body) == {field["wire"] for field in endpoint["body"]}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_argument_is_documented(name):
    function = getattr(calls, name)
    for parameter in inspect.signature(function).parameters:
        assert f":param {parameter}:" in function.__doc__


def test_what_is_left_out_is_not_sent():
    assert calls.create_task().body == {"count": 1, "taskUserLevel": 50}
    assert calls.submit_task(5).body == {"taskId": 5}
    assert calls.get_output_files().body == {"treePath": "/"}


def test_a_task_may_be_named_by_its_alias():
    assert calls.stop_task(["2W35736251", "P18278", "42", 7]).body == {"taskIds": [35736251, 18278, 42, 7]}


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda: calls.create_task(count=0), "count"),
        (lambda: calls.create_task(count=True), "count"),
        (lambda: calls.create_task(task_user_level=55), "task_user_level"),
        (lambda: calls.create_task(labels="nightly"), "labels"),
        (lambda: calls.create_task(labels=[""]), "labels"),
        (lambda: calls.submit_task(0), "task_id"),
        (lambda: calls.submit_task("scene.blend"), "task_id"),
        (lambda: calls.submit_task(True), "task_id"),
        (lambda: calls.submit_task(None), "task_id"),
        (lambda: calls.stop_task([]), "task_ids"),
        (lambda: calls.stop_task("12"), "task_ids"),
        (lambda: calls.stop_task(12), "task_ids"),
        (lambda: calls.query_task_info([-1]), "task_ids"),
        (lambda: calls.query_task_info(range(1, 102)), "task_ids"),
        (lambda: calls.query_task_frames(1, page_num=0), "page_num"),
        (lambda: calls.query_task_frames(1, page_size=101), "page_size"),
        (lambda: calls.upload_task_json(1, "{}", file_name="scene.json"), "file_name"),
        (lambda: calls.upload_task_json(1, ""), "content"),
        (lambda: calls.get_output_files(tree_path=""), "tree_path"),
    ],
)
def test_wrong_arguments_are_named_before_anything_is_sent(build, argument):
    with pytest.raises(ValueError, match=rf"^{argument}: .* (wanted|request)"):
        build()


def test_every_name_that_the_farm_takes_for_a_file_is_taken():
    for name in CONFIG_FILES:
        assert calls.upload_task_json(1, "{}", name).body["fileName"] == name


def test_a_call_shows_neither_its_body_nor_its_reader():
    assert repr(calls.upload_task_json(1, '{"secret": 1}')) == (
        "Call(name='upload_task_json', paths=('/api/render/submit/taskJsonFile',), replay_safe=True)"
    )
