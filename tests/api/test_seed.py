"""Tests with the vendor's document, section by section: each example request is built, each response read."""

import dataclasses
import json
import pickle
from decimal import Decimal
from pathlib import Path

import pytest

from airflow_provider_renderbus.api import calls, models
from airflow_provider_renderbus.api.envelope import read_response
from airflow_provider_renderbus.api.models.page import Page
from airflow_provider_renderbus.clients import flows

DATA = Path(__file__).parents[1] / "data"
RESPONSES = json.loads((DATA / "seed_answers.json").read_text("utf-8"))["sections"]
TABLE = json.loads((DATA / "endpoints.json").read_text("utf-8"))
SECTIONS_OF_CALLS = {
    endpoint["seed_section"]: endpoint for endpoint in TABLE["endpoints"] if endpoint["seed_section"]
}
SECTIONS_OF_FLOWS = {composite["seed_section"]: composite for composite in TABLE["composites"]}

# The example request of each section: the call and its body.
REQUESTS = {
    "获取用户详情": (calls.query_user_profile(), {}),
    "获取用户设置": (calls.query_user_setting(), {}),
    "获取用户传输BID": (calls.get_transfer_bid(), {}),
    "创建任务号": (
        calls.create_task(count=1, task_user_level=50, labels=["label_test1", "label_test2"]),
        {"count": 1, "taskUserLevel": 50, "labels": ["label_test1", "label_test2"]},
    ),
    "提交任务": (calls.submit_task(task_id=19097), {"taskId": 19097}),
    "获取分析错误码": (calls.query_error_detail(code="50001"), {"code": "50001", "language": "0"}),
    "获取任务列表": (calls.get_task_list(page_num=1, page_size=1), {"pageNum": 1, "pageSize": 1}),
    "停止任务": (calls.stop_task(task_ids=[13798105]), {"taskIds": [13798105]}),
    "开始任务": (calls.start_task(task_ids=[13798105]), {"taskIds": [13798105]}),
    "获取任务单页渲染帧详情": (
        calls.query_task_frames(task_id=13790691, page_num=1, page_size=1),
        {"taskId": 13790691, "pageNum": 1, "pageSize": 1},
    ),
    "重提失败帧": (calls.recommit_failed_frames(task_ids=[13788981]), {"taskIds": [13788981]}),
    "根据帧ID重提任务指定帧": (
        calls.recommit_frames(task_id=14362099, select_all=1),
        {"taskId": 14362099, "selectAll": 1},
    ),
    "获取任务详情": (calls.query_task_info(task_ids=[14400249]), {"taskIds": [14400249]}),
    "获取镭速传输信息": (calls.get_server_info(), {}),
    "获取镭速验证key": (calls.get_raysync_user_key(), {}),
    "全速渲染": (calls.full_speed(task_ids=[13652193]), {"taskIds": [13652193]}),
    "获取传输配置": (calls.get_transfer_config(), {}),
    "上传任务配置文件": (
        calls.upload_task_json(task_id=13798105, content="{}"),
        {"taskId": 13798105, "fileName": "task.json", "content": "{}"},
    ),
    "获取用户存储文件结构": (
        calls.get_output_files(task_id=1484861),
        {"taskId": 1484861, "treePath": "/"},
    ),
    "获取平台硬件配置信息": (
        calls.list_hardware_configs(task_ids=["6306543"]),
        {"taskIds": ["6306543"]},
    ),
}


def read_example(section):
    """Read a section's example response; two examples show only data and get their envelope here."""
    example = RESPONSES[section]
    if not isinstance(example, dict):
        example = {"code": 200, "data": example}
    return read_response(REQUESTS[section][0], 200, json.dumps(example).encode())


def test_examples_cover_every_section():
    assert set(RESPONSES) == set(SECTIONS_OF_CALLS) | set(SECTIONS_OF_FLOWS)
    assert set(REQUESTS) == set(SECTIONS_OF_CALLS)
    assert len(RESPONSES) == 22
    for section, (call, _) in REQUESTS.items():
        assert call.name == SECTIONS_OF_CALLS[section]["name"]


@pytest.mark.parametrize("section", REQUESTS)
def test_call_body_of_section_equals_example(section):
    call, body = REQUESTS[section]
    assert call.body == body
    assert SECTIONS_OF_CALLS[section]["seed_path"] in call.paths


def pairs(result, data):
    """Pair each model with the JSON object from which it was read."""
    if isinstance(result, Page):
        result, data = result.items, data["items"]
    elif isinstance(result, dict):
        result, data = tuple(result.values()), data["items"]
    if isinstance(result, tuple):
        return list(zip(result, data, strict=True))
    return [(result, data)]


@pytest.mark.parametrize("section", REQUESTS)
def test_model_of_section_has_every_field_of_example(section):
    example, result = RESPONSES[section], read_example(section)
    data = example["data"] if isinstance(example, dict) else example
    if result is None:
        assert data in (None, "成功")
        return
    for model, fields in pairs(result, data):
        assert type(model).__module__.startswith(f"{models.__name__}.")
        names = {field.metadata["json_key"]: field.name for field in dataclasses.fields(model)}
        assert fields.keys() <= names.keys()
        for json_key, value in fields.items():
            if value is not None:
                assert getattr(model, names[json_key]) is not None, json_key


class TestModelsOfExamples:
    def test_profile(self):
        profile = read_example("获取用户详情")
        assert (profile.user_id, profile.coupon, profile.cpu_price) == (
            10001136,
            Decimal("49.93"),
            Decimal("0.67"),
        )
        assert (profile.available_funds, profile.currency) == (Decimal("49.93"), "RMB")

    def test_setting(self):
        setting = read_example("获取用户设置")
        assert (setting.task_over_time, setting.task_over_time_sec, setting.auto_commit) == (12, 3600, "2")

    def test_bids(self):
        bids = read_example("获取用户传输BID")
        assert (bids.config_bid, bids.input_bid, bids.output_bid) == ("30201", "10201", "20201")
        assert bids.sub_user_outputs[0].output_bid == "10401"

    def test_created_tasks(self):
        created = read_example("创建任务号")
        assert (created.ids, created.aliases, created.user_id) == ((19097,), ("2W19097",), 10007893)

    def test_error_detail(self):
        (detail,) = read_example("获取分析错误码")
        assert (detail.code, detail.is_blocking, detail.is_repair) == ("15000", True, False)

    def test_task_list(self):
        page = read_example("获取任务列表")
        (task,) = page.items
        assert (page.total, page.page_count) == (32, 32)
        assert task.status_code == 0
        assert task.status.name == "FINISHED"
        assert task.cost == Decimal("8.27")
        assert task.progress.total == task.progress.done == 18
        assert task.sub_tasks[1].submitted_at.isoformat() == "2018-08-30T04:11:29+00:00"

    def test_frames(self):
        page = read_example("获取任务单页渲染帧详情")
        assert [frame.name for frame in page.items] == ["0-1", "0-2"]
        assert page.items[0].cost == Decimal("0.44")
        assert page.items[0].status.name == "DONE"

    def test_task_info(self):
        task = read_example("获取任务详情")[14400249]
        assert (task.cost, task.producer, task.over_time_stop) == (Decimal("0.039"), "丁玉涛", 86400)

    def test_raysync_server(self):
        info = read_example("获取镭速传输信息")
        assert (info.raysync.server_port, info.raysync.ssl_port) == (2121, 2443)

    def test_transfer_config(self):
        config = read_example("获取传输配置")
        aspera = next(engine for engine in config.engines if engine.name.lower() == "aspera")
        line = next(line for line in aspera.lines if line.is_default)
        assert (line.server, line.port) == ("10.60.197.79", "10221")
        assert aspera.accounts[0].password.get_secret_value().startswith("ACz/")
        assert config.engines[1].accounts == ()

    def test_outputs(self):
        (folder,) = read_example("获取用户存储文件结构")
        assert (folder.path, folder.is_directory, folder.size) == ("/1484861_muti_layer_test", True, None)

    def test_hardware(self):
        configs = read_example("获取平台硬件配置信息")
        assert [config.id for config in configs if config.supports(2, 2005)] == [301, 303, 339]


def drive(flow, *results):
    """Send prepared results to a flow; return what it returns."""
    next(flow)
    for result in results:
        try:
            flow.send(result)
        except StopIteration as stop:
            return stop.value
    raise AssertionError("the flow yields more calls")


def test_frame_ids_by_name_returns_ids_of_all_frames_with_a_name():
    page = read_response(
        calls.query_task_frames(37439351),
        200,
        json.dumps(
            {
                "code": 200,
                "data": {
                    "pageCount": 1,
                    "items": [
                        {"id": 11, "frameIndex": "6", "frameStatus": 5},
                        {"id": 12, "frameIndex": "7-9[1]", "frameStatus": 5},
                        {"id": 13, "frameIndex": "7-9[1]", "frameStatus": 4},
                    ],
                },
            }
        ).encode(),
    )
    sub_task = read_example("获取任务列表").items[0].sub_tasks[1]
    leaf = {37439351: dataclasses.replace(sub_task, id=37439351)}
    ids = drive(flows.frame_ids_by_name(37439351, ["6", "7-9[1]"]), [leaf], [page])
    assert ids == {37439351: [11, 12, 13]}
    assert calls.recommit_frames(ids=ids[37439351]).body == {"ids": [11, 12, 13], "selectAll": 0}
    with pytest.raises(ValueError, match=r"no frame '7' \(the nearest: '7-9\[1\]', '6'\)"):
        drive(flows.frame_ids_by_name(37439351, ["6", "7"]), [leaf], [page])


def test_leaf_task_ids_returns_ids_of_sub_tasks():
    task = read_example("获取任务列表").items[0]
    ids = drive(flows.leaf_task_ids("P18278"), [{18278: task}])
    assert ids == (18280, 18281)


def test_models_with_secrets_are_in_no_repr_and_no_pickle():
    for section, secrets in {
        "获取镭速验证key": ["5394a44e", "40d59041", "rayvision2017", "183160224171", "@rayvision"],
        "获取传输配置": ["xB9CWAML1qd", "ACz/0lNMC"],
    }.items():
        result = read_example(section)
        for text in secrets:
            assert text not in repr(result)
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(result)
