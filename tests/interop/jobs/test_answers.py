"""The vendor's released client gets on with the farm's other answers, and is refused as documented."""

from __future__ import annotations

import json

import pytest

from tests.interop.jobs.customer import Customer
from tests.interop.jobs.test_jobs import FINISHED, FRAME_ABORTED, job
from tests.interop.vendor import VendorError

# Calls that need no task, and a field that the documents give each answer, or each item of it.
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
UNKNOWN = 99_999_999
WRONG_REQUEST = {400, 600, 601}


@pytest.mark.parametrize("order", QUERIES)
def test_queries_are_answered_with_the_documents_fields(customer, order):
    answer = customer.ask(order)
    items = answer if isinstance(answer, list) else [answer]
    assert items
    assert all(QUERIES[order] in item for item in items)


def test_software_has_versions_and_plugins(customer):
    assert isinstance(customer.ask("query.supported_software"), dict)
    detail = customer.ask("query.supported_plugin", name="blender")
    assert all(version["id"] and version["cgVersion"] for version in detail["cgVersion"])
    assert isinstance(detail["cgPlugin"], list)
    assert customer.ask("env.get_render_env", cg_names=["blender"]) == []


def test_error_codes_are_explained(customer):
    for answer in (
        customer.ask("query.error_detail", code="35001"),
        customer.ask("query.error_detail", codes=["35001"], language="1"),
    ):
        (detail,) = answer
        assert str(detail["code"]) == "35001"
        assert detail["type"] in (0, 1)
        assert detail["desDescriptionCn"]


def test_each_engine_has_a_line(customer):
    lines = customer.ask("lines")
    assert lines["aspera"].keys() == {"server_name", "server_ip", "server_port"}
    assert all(isinstance(text, str) and text for text in lines["aspera"].values())


def test_a_job_passes_the_check_and_is_rendered(customer, tmp_path):
    """As the vendor's documents submit: the check makes project and task number, and fills in task.json."""
    machine = next(each for each in customer.ask("user.get_hardware_config") if each["platform"] == 2)
    hardware = {name: machine[name] for name in ("model", "ram", "gpuNum")}
    version = customer.ask("query.supported_plugin", name="blender")["cgVersion"][0]["cgVersion"]
    task_json = job(project_name="night", hardwareConfigIds=[], ram="64", graphics_cards_num="2")
    task_json["software_config"]["cg_version"] = version
    file = tmp_path / "task.json"
    file.write_text(json.dumps(task_json), "utf-8")
    number = customer.ask("check", workspace=str(tmp_path), hardware_config=hardware, task_json=str(file))
    checked = file.read_text("utf-8")
    info = json.loads(checked)["task_info"]
    assert str(machine["id"]) in info["hardwareConfigIds"]
    assert (info["task_id"], bool(info["user_id"]), bool(info["project_id"])) == (str(number), True, True)
    assert [each["projectName"] for each in customer.ask("tag.get_project_list")] == ["night"]
    customer.ask("transmit.upload_json_content", task_id=number, content=checked)
    customer.ask("task.submit_task", task_id=number)
    assert customer.wait(number) == FINISHED
    assert customer.info(number)["projectName"] == "night"


def test_labels_come_and_go(customer):
    (number,) = customer.ask("task.create_task", labels=["夜间"])["taskIdList"]
    customer.ask("tag.add_task_tag", tag="sh010", task_ids=[number])
    assert all(label in customer.info(number)["labels"] for label in ("夜间", "sh010"))
    customer.ask("tag.delete_task_tag", taskIds=[number], labelNames=["夜间"])
    assert "夜间" not in customer.info(number)["labels"]


def test_a_name_that_exists_is_refused(customer):
    customer.ask("tag.add_label", new_name="night")
    assert customer.refusal("tag.add_label", new_name="night") == 503


def test_a_task_without_its_task_json_is_refused(customer):
    (number,) = customer.ask("task.create_task")["taskIdList"]
    assert customer.refusal("task.submit_task", task_id=number) == 601


def test_a_second_submit_is_refused_and_pays_for_nothing(customer):
    number = customer.render(job())
    assert customer.refusal("task.submit_task", task_id=number) in WRONG_REQUEST
    customer.wait(number)
    assert set(customer.frames(number)) == set("1234")


@pytest.mark.parametrize(
    ("order", "arguments"),
    [
        ("task.submit_task", {"task_id": UNKNOWN}),
        ("query.task_frames", {"task_id": UNKNOWN}),
        ("query.restart_frame", {"task_id": UNKNOWN}),
        ("task.full_speed", {"task_id_list": [UNKNOWN]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_there_is_not_found(customer, order, arguments):
    assert customer.refusal(order, **arguments) == 404


def test_pages_end(customer):
    number = customer.render(job("1-230[1]"))
    assert len(customer.frames(number)) == 230
    pages = [customer.ask("query.task_frames", task_id=number, page_num=page) for page in (1, 3, 4)]
    assert [len(page["items"]) for page in pages] == [100, 30, 0]
    assert {page["total"] for page in pages} == {230}


def test_a_finished_frame_has_log_and_thumbnail(customer):
    number = customer.render(job())
    customer.wait(number)
    frame = customer.frames(number)["2"]["id"]
    log = customer.ask("query.get_render_log", frame_id=frame)
    # Total and size are bytes. The client asks for one piece, which is to be read by a person.
    assert {"total", "size"} <= log.keys()
    assert len("".join(log["items"])) > 10
    assert len(customer.ask("query.get_frame_thumbnall", frame_id=frame)) == 1
    assert isinstance(customer.ask("query.get_task_processing_img", task_id=number), dict)


def test_a_waiting_task_is_changed(customer):
    number = customer.render(job())
    machine = customer.ask("user.get_hardware_config", task_ids=[str(number)])[-1]
    customer.ask("task.update_priority", task_id=number, priority=60)
    customer.ask("task.update_task_limit", taskId=number, taskLimit=7)
    customer.ask("task.set_task_overtime_top", task_id_list=[number], overtime=1800)
    customer.ask(
        "task.edit_task_hardware_config",
        taskIds=[number],
        hardwareConfigIds=[str(machine["id"])],
        model=machine["model"],
        ram=machine["ram"],
        gpuNum=machine["gpuNum"] or "",
    )
    info = customer.info(number)
    assert (info["taskLimit"], info["overTimeStop"]) == (7, 1800)
    now = customer.ask("user.get_hardware_config", task_ids=[str(number)])
    assert [each["id"] for each in now if each["current"]] == [machine["id"]]


def test_all_frames_are_stopped_at_once(customer):
    number = customer.render(job())
    customer.ask("query.stop_frame", task_id=number)
    customer.wait(number)
    assert {frame["frameStatus"] for frame in customer.frames(number).values()} == {FRAME_ABORTED}


def test_render_environments_come_and_go(customer):
    def names():
        return [each["editName"] for each in customer.ask("env.get_render_env", cg_names=["blender"])]

    environment = {"cgId": 2007, "cgName": "Blender", "cgVersion": "4.2", "renderSystem": 1, "pluginIds": []}
    customer.ask("env.add_render_env", data=environment | {"editName": "night"})
    assert names() == ["night"]
    customer.ask("env.update_render_env", data=environment | {"editName": "night", "pluginIds": [1]})
    customer.ask("env.set_default_render_env", edit_name="night")
    assert names() == ["night"]
    customer.ask("env.delete_render_env", edit_name="night")
    assert names() == []


def test_settings_and_projects_are_kept(customer):
    customer.ask("user.update_user_settings", task_over_time=7200)
    assert customer.ask("user.query_user_setting")["taskOverTimeSec"] == 7200
    customer.ask("tag.add_label", new_name="night")
    customer.ask("tag.delete_label", del_name="night")
    assert customer.ask("tag.get_project_list") == []
    assert isinstance(customer.ask("query.get_pack_node_info"), list)


@pytest.mark.parametrize(("field", "code"), [("access_key", 611), ("access_id", 602)])
def test_who_is_not_known_is_not_let_in(vendor, farm, field, code):
    stranger = Customer(vendor, farm)
    with pytest.raises(VendorError) as refused:
        stranger.log_in(**{field: "WRONGEXAMPLE"})
    assert refused.value.code == code
