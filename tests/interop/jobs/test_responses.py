"""Tests of the farm's other responses and refusals with the vendor's released client."""

from __future__ import annotations

import json

import pytest

from tests.interop.jobs.customer import Customer
from tests.interop.jobs.test_jobs import FINISHED, FRAME_ABORTED, job
from tests.interop.vendor import VendorError

# Methods that need no task, each with a documented field of the response or of its items.
QUERIES = {
    "user.query_user_profile": "rmbbalance",
    "user.query_user_setting": "taskOverTime",
    "user.get_transfer_bid": "parent_input_bid",
    "user.get_hardware_config": "notSupportCgId",
    "user.task_record": "items",
    "user.login_record": "items",
    "query.platforms": "taskPrefix",
    "query.get_task_list": "pageCount",
    "query.all_frame_status": "executingFramesTotal",
    "query.get_transfer_server_msg": "raysyncTransfer",
    "query.get_raysync_user_key": "raySyncUserKey",
    "transmit.get_transfer_config": "resqEngines",
    "tag.get_label_list": "projectNameList",
    "tag.get_list": "projectNameList",
}
UNKNOWN_TASK = 99_999_999


@pytest.mark.parametrize("method", QUERIES)
def test_query_response_has_documented_field(customer, method):
    response = customer.call(method)
    items = response if isinstance(response, list) else [response]
    assert items
    assert all(QUERIES[method] in item for item in items)


def test_software_detail_has_versions_and_plugins(customer):
    assert isinstance(customer.call("query.supported_software"), dict)
    detail = customer.call("query.supported_plugin", name="blender")
    assert all(version["id"] and version["cgVersion"] for version in detail["cgVersion"])
    assert isinstance(detail["cgPlugin"], list)
    assert customer.call("env.get_render_env", cg_names=["blender"]) == []


def test_error_detail_explains_code(customer):
    for response in (
        customer.call("query.error_detail", code="35001"),
        customer.call("query.error_detail", codes=["35001"], language="1"),
    ):
        (detail,) = response
        assert str(detail["code"]) == "35001"
        assert detail["type"] in (0, 1)
        assert detail["desDescriptionCn"]


def test_transfer_engine_has_a_line(customer):
    lines = customer.call("lines")
    assert lines["aspera"].keys() == {"server_name", "server_ip", "server_port"}
    assert all(isinstance(text, str) and text for text in lines["aspera"].values())


def test_job_passes_vendor_check_and_is_rendered(customer, tmp_path):
    """Submits as the vendor's documents do: the check creates project and task, and completes task.json."""
    machine = next(each for each in customer.call("user.get_hardware_config") if each["platform"] == 2)
    hardware = {name: machine[name] for name in ("model", "ram", "gpuNum")}
    version = customer.call("query.supported_plugin", name="blender")["cgVersion"][0]["cgVersion"]
    task_json = job(project_name="night", hardwareConfigIds=[], ram="64", graphics_cards_num="2")
    task_json["software_config"]["cg_version"] = version
    file = tmp_path / "task.json"
    file.write_text(json.dumps(task_json), "utf-8")
    task_id = customer.call("check", workspace=str(tmp_path), hardware_config=hardware, task_json=str(file))
    checked = file.read_text("utf-8")
    info = json.loads(checked)["task_info"]
    assert str(machine["id"]) in info["hardwareConfigIds"]
    assert (info["task_id"], bool(info["user_id"]), bool(info["project_id"])) == (str(task_id), True, True)
    assert [each["projectName"] for each in customer.call("tag.get_project_list")] == ["night"]
    customer.call("transmit.upload_json_content", task_id=task_id, content=checked)
    customer.call("task.submit_task", task_id=task_id)
    assert customer.wait(task_id) == FINISHED
    assert customer.info(task_id)["projectName"] == "night"


def test_labels_are_added_and_deleted(customer):
    (task_id,) = customer.call("task.create_task", labels=["夜间"])["taskIdList"]
    customer.call("tag.add_task_tag", tag="sh010", task_ids=[task_id])
    assert all(label in customer.info(task_id)["labels"] for label in ("夜间", "sh010"))
    customer.call("tag.delete_task_tag", taskIds=[task_id], labelNames=["夜间"])
    assert "夜间" not in customer.info(task_id)["labels"]


def test_project_with_existing_name_is_refused(customer):
    customer.call("tag.add_label", new_name="night")
    assert customer.refusal_code("tag.add_label", new_name="night") == 503


def test_submit_without_task_json_is_refused(customer):
    (task_id,) = customer.call("task.create_task")["taskIdList"]
    assert customer.refusal_code("task.submit_task", task_id=task_id) == 601


def test_second_submit_is_refused_and_costs_nothing(customer):
    task_id = customer.render(job())
    assert customer.refusal_code("task.submit_task", task_id=task_id) == 749
    customer.wait(task_id)
    assert set(customer.frames(task_id)) == set("1234")


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("task.submit_task", {"task_id": UNKNOWN_TASK}),
        ("query.task_frames", {"task_id": UNKNOWN_TASK}),
        ("query.restart_frame", {"task_id": UNKNOWN_TASK}),
        ("task.full_speed", {"task_id_list": [UNKNOWN_TASK]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_call_with_unknown_task_is_refused(customer, method, arguments):
    assert customer.refusal_code(method, **arguments) == 937


def test_frame_pages_end(customer):
    task_id = customer.render(job("1-230[1]"))
    assert len(customer.frames(task_id)) == 230
    pages = [customer.call("query.task_frames", task_id=task_id, page_num=page) for page in (1, 3, 4)]
    assert [len(page["items"]) for page in pages] == [100, 30, 0]
    assert {page["total"] for page in pages} == {230}


def test_finished_frame_has_log_and_thumbnail(customer):
    task_id = customer.render(job())
    customer.wait(task_id)
    frame = customer.frames(task_id)["2"]["id"]
    log = customer.call("query.get_render_log", frame_id=frame)
    # Total and size are bytes. The client queries one part, which a user can read.
    assert {"total", "size"} <= log.keys()
    assert len("".join(log["items"])) > 10
    assert len(customer.call("query.get_frame_thumbnall", frame_id=frame)) == 1
    assert isinstance(customer.call("query.get_task_processing_img", task_id=task_id), dict)


def test_waiting_task_can_be_changed(customer):
    task_id = customer.render(job())
    machine = customer.call("user.get_hardware_config", task_ids=[str(task_id)])[-1]
    customer.call("task.update_priority", task_id=task_id, priority=60)
    customer.call("task.update_task_limit", taskId=task_id, taskLimit=7)
    customer.call("task.set_task_overtime_top", task_id_list=[task_id], overtime=1800)
    customer.call(
        "task.edit_task_hardware_config",
        taskIds=[task_id],
        hardwareConfigIds=[str(machine["id"])],
        model=machine["model"],
        ram=machine["ram"],
        gpuNum=machine["gpuNum"] or "",
    )
    info = customer.info(task_id)
    assert (info["taskLimit"], info["overTimeStop"]) == (7, 1800)
    now = customer.call("user.get_hardware_config", task_ids=[str(task_id)])
    assert [each["id"] for each in now if each["current"]] == [machine["id"]]


def test_stop_frame_without_selection_stops_all_frames(customer):
    task_id = customer.render(job())
    customer.call("query.stop_frame", task_id=task_id)
    customer.wait(task_id)
    assert {frame["frameStatus"] for frame in customer.frames(task_id).values()} == {FRAME_ABORTED}


def test_render_environments_are_added_changed_and_deleted(customer):
    def names():
        return [each["editName"] for each in customer.call("env.get_render_env", cg_names=["blender"])]

    environment = {"cgId": 2007, "cgName": "Blender", "cgVersion": "4.2", "renderSystem": 1, "pluginIds": []}
    customer.call("env.add_render_env", data=environment | {"editName": "night"})
    assert names() == ["night"]
    customer.call("env.update_render_env", data=environment | {"editName": "night", "pluginIds": [1]})
    customer.call("env.set_default_render_env", edit_name="night")
    assert names() == ["night"]
    customer.call("env.delete_render_env", edit_name="night")
    assert names() == []


def test_settings_and_projects_are_stored(customer):
    customer.call("user.update_user_settings", task_over_time=7200)
    assert customer.call("user.query_user_setting")["taskOverTimeSec"] == 7200
    customer.call("tag.add_label", new_name="night")
    customer.call("tag.delete_label", del_name="night")
    assert customer.call("tag.get_project_list") == []
    assert isinstance(customer.call("query.get_pack_node_info"), list)


@pytest.mark.parametrize(("field", "code"), [("access_key", 611), ("access_id", 602)])
def test_log_in_with_wrong_credentials_is_refused(vendor, farm, field, code):
    customer = Customer(vendor, farm)
    with pytest.raises(VendorError) as raised:
        customer.log_in(**{field: "WRONGEXAMPLE"})
    assert raised.value.code == code
