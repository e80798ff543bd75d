import inspect
import json
from pathlib import Path

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import FrameStatus
from airflow_provider_renderbus.api.validation import TASK_FILE_NAMES

ENDPOINTS = {
    endpoint["name"]: endpoint
    for endpoint in json.loads(Path(__file__).parents[1].joinpath("data/endpoints.json").read_text("utf-8"))[
        "endpoints"
    ]
}
ENVIRONMENT = {
    "cg_id": 2007,
    "cg_name": "Blender",
    "cg_version": "4.2",
    "edit_name": "mine",
    "render_system": 1,
    "plugin_ids": [3],
    "render_layer_type": 0,
    "project_path": "/p",
}
# Every call with all arguments that can be combined.
EXAMPLES = {
    "abandon_task": lambda: calls.abandon_task([1]),
    "add_project": lambda: calls.add_project("night", status=0),
    "add_render_env": lambda: calls.add_render_env(**ENVIRONMENT),
    "add_task_label": lambda: calls.add_task_label("night", [1]),
    "create_task": lambda: calls.create_task(
        count=2, task_user_level=60, out_user_id=7, labels=["a"], clone_original_id="2W35", artist="Ada"
    ),
    "delete_project": lambda: calls.delete_project("night"),
    "delete_render_env": lambda: calls.delete_render_env("mine"),
    "delete_task": lambda: calls.delete_task([1]),
    "delete_task_label": lambda: calls.delete_task_label([1], ["night"], []),
    "edit_render_env": lambda: calls.edit_render_env(**ENVIRONMENT),
    "edit_task_hardware_config": lambda: calls.edit_task_hardware_config([1], ["301"], "Default", "64GB"),
    "full_speed": lambda: calls.full_speed([1]),
    "get_output_files": lambda: calls.get_output_files(task_id=1, tree_path="/"),
    "get_pack_nodes": calls.get_pack_nodes,
    "get_project_list": calls.get_project_list,
    "get_raysync_user_key": calls.get_raysync_user_key,
    "get_render_env": lambda: calls.get_render_env(2007, ["2007"], 0),
    "get_server_info": lambda: calls.get_server_info(zone=2),
    "get_task_list": lambda: calls.get_task_list(2, 50, [25], "sh", "2026-01-01 00:00:00", "x", 1),
    "get_transfer_bid": calls.get_transfer_bid,
    "get_transfer_config": calls.get_transfer_config,
    "list_hardware_configs": lambda: calls.list_hardware_configs([1], clone_task=False),
    "list_projects": lambda: calls.list_projects(2),
    "load_frame_thumbnail": lambda: calls.load_frame_thumbnail(5),
    "load_task_process_img": lambda: calls.load_task_process_img(1, 5),
    "login_records": calls.login_records,
    "query_all_frame_stats": calls.query_all_frame_stats,
    "query_error_detail": lambda: calls.query_error_detail("15000", ["15000"], "1"),
    "query_platforms": lambda: calls.query_platforms(1),
    "query_software_detail": lambda: calls.query_software_detail(2007, "linux"),
    "query_software_list": calls.query_software_list,
    "query_task_frames": lambda: calls.query_task_frames(1, search_keyword="6"),
    "query_task_info": lambda: calls.query_task_info([1, "2W35736251"]),
    "query_user_profile": calls.query_user_profile,
    "query_user_setting": calls.query_user_setting,
    "recommit_failed_frames": lambda: calls.recommit_failed_frames([1], [FrameStatus.ERROR]),
    "recommit_frames": lambda: calls.recommit_frames(1, [5], status=[5]),
    "set_default_render_env": lambda: calls.set_default_render_env("mine"),
    "set_task_overtime_stop": lambda: calls.set_task_overtime_stop([1], 60),
    "show_log": lambda: calls.show_log(5),
    "start_task": lambda: calls.start_task([1]),
    "stop_frames": lambda: calls.stop_frames(1, [5], status=[5]),
    "stop_task": lambda: calls.stop_task([1]),
    "submit_task": lambda: calls.submit_task(1, producer="Ada"),
    "task_records": lambda: calls.task_records("W3"),
    "update_task_limit": lambda: calls.update_task_limit(1, 5),
    "update_task_user_level": lambda: calls.update_task_user_level(1, 60),
    "update_user_setting": lambda: calls.update_user_setting(60),
    "upload_task_json": lambda: calls.upload_task_json(1, "{}"),
}


def test_examples_cover_every_call():
    assert sorted(EXAMPLES) == sorted(calls.__all__) == sorted(ENDPOINTS)
    assert len(ENDPOINTS) == 49


@pytest.mark.parametrize("name", EXAMPLES)
def test_call_agrees_with_table_of_endpoints(name):
    call, endpoint = EXAMPLES[name](), ENDPOINTS[name]
    assert call.name == name
    assert list(call.paths) == endpoint["paths"]
    assert call.replay_safe is endpoint["replay_safe"]
    assert set(call.body) == {field["wire"] for field in endpoint["body"]}


@pytest.mark.parametrize("name", EXAMPLES)
def test_call_body_holds_no_boolean_and_no_null(name):
    def leaves(value):
        if isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                yield from leaves(item)
        else:
            yield type(value)

    assert set(leaves(dict(EXAMPLES[name]().body))) <= {int, str, FrameStatus}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("value", [True, False, None, 1.5])
def test_call_with_argument_of_wrong_type_sends_no_boolean_and_no_null(name, value):
    function = getattr(calls, name)
    parameters = inspect.signature(function).parameters
    required = {key: 1 for key, parameter in parameters.items() if parameter.default is parameter.empty}
    for key in parameters:
        try:
            call = function(**{**required, key: value})
        except ValueError:
            continue
        assert not any(sent is True or sent is False or sent is None for sent in call.body.values())


@pytest.mark.parametrize("name", EXAMPLES)
def test_call_documents_every_argument(name):
    function = getattr(calls, name)
    for parameter in inspect.signature(function).parameters:
        assert f":param {parameter}:" in function.__doc__


def test_call_without_optional_arguments_sends_no_fields_for_them():
    assert calls.create_task().body == {"count": 1, "taskUserLevel": 50}
    assert calls.submit_task(5).body == {"taskId": 5}
    assert calls.get_output_files().body == {"treePath": "/"}


def test_call_with_task_alias_sends_task_id():
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
        (lambda: calls.create_task(out_user_id="7"), "out_user_id"),
        (lambda: calls.create_task(clone_original_id="x"), "clone_original_id"),
        (calls.query_error_detail, "code"),
        (lambda: calls.query_error_detail("1", language="2"), "language"),
        (lambda: calls.query_error_detail(codes="15000"), "codes"),
        (lambda: calls.get_task_list(page_size=101), "page_size"),
        (lambda: calls.get_task_list(status_list=["FINISHED"]), "status_list"),
        (lambda: calls.get_task_list(status_list=25), "status_list"),
        (lambda: calls.get_task_list(status_list=[True]), "status_list"),
        (lambda: calls.get_task_list(recycle_flag=True), "recycle_flag"),
        (lambda: calls.recommit_failed_frames([1], ["5"]), "status"),
        (lambda: calls.recommit_frames(1), "ids"),
        (lambda: calls.recommit_frames(ids=[]), "ids"),
        (lambda: calls.recommit_frames(select_all=1), "task_id"),
        (lambda: calls.recommit_frames(1, [5], select_all=1), "ids"),
        (lambda: calls.recommit_frames(1, [5], select_all=2), "select_all"),
        (lambda: calls.stop_frames(1), "ids"),
        (lambda: calls.stop_frames(None, [5]), "task_id"),
        (lambda: calls.update_task_user_level(1, 70), "task_user_level"),
        (lambda: calls.set_task_overtime_stop([1], 0), "over_time"),
        (lambda: calls.update_task_limit(1, 0), "task_limit"),
        (lambda: calls.query_platforms(3), "zone"),
        (lambda: calls.get_server_info(zone=0), "zone"),
        (lambda: calls.task_records("W9"), "platform"),
        (lambda: calls.list_projects(3), "flag"),
        (calls.get_render_env, "cg_id"),
        (lambda: calls.query_software_detail(2007, "macos"), "os_name"),
        (lambda: calls.show_log(0), "id"),
        (lambda: calls.submit_task("1e5"), "task_id"),
        (lambda: calls.create_task(task_user_level=50.0), "task_user_level"),
        (lambda: calls.create_task(artist=True), "artist"),
        (lambda: calls.submit_task(1, producer=5), "producer"),
        (lambda: calls.get_task_list(search_keyword=True), "search_keyword"),
        (lambda: calls.get_task_list(start_time=True), "start_time"),
        (lambda: calls.get_task_list(end_time=1), "end_time"),
        (lambda: calls.query_task_frames(1, search_keyword=6), "search_keyword"),
        (lambda: calls.login_records(start_date=None), "start_date"),
        (lambda: calls.task_records(2, end_date=None), "end_date"),
        (lambda: calls.add_render_env(**{**ENVIRONMENT, "project_path": True}), "project_path"),
        (lambda: calls.edit_task_hardware_config([1], ["3"], "m", "64GB", gpu_num=None), "gpu_num"),
    ],
)
def test_call_with_invalid_argument_raises_error_that_names_it(build, argument):
    with pytest.raises(ValueError, match=rf"^{argument}: must be "):
        build()


def test_upload_task_json_accepts_every_file_name_that_the_farm_accepts():
    for name in TASK_FILE_NAMES:
        assert calls.upload_task_json(1, "{}", name).body["fileName"] == name


def test_call_repr_shows_neither_body_nor_reader():
    shown = repr(calls.upload_task_json(1, '{"password": 1}'))
    assert shown.startswith("Call(name='upload_task_json', paths=('/api/render/submit/taskJsonFile',), ")
    assert not any(part in shown for part in ("password", "content", "read="))
