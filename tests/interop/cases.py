"""Table of the vendor's methods, each with the call or flow of this project that does the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.operators.task_actions import (
    RenderbusRecommitFramesOperator,
    RenderbusStopFramesOperator,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ENVIRONMENT = {
    "cgId": 2000,
    "cgName": "Maya",
    "cgVersion": "2018",
    "renderLayerType": 0,
    "editName": "tests",
    "renderSystem": 1,
    "pluginIds": [2703, 2704],
}
OUR_ENVIRONMENT = {
    "cg_id": 2000,
    "cg_name": "Maya",
    "cg_version": "2018",
    "render_layer_type": 0,
    "edit_name": "tests",
    "render_system": 1,
    "plugin_ids": [2703, 2704],
}
MACHINES = {"model": "1080Ti", "ram": "64GB"}
# More than ten, because signatures sort "statusList10" before "statusList2".
STATUSES = [0, 5, 8, 10, 20, 23, 25, 30, 35, 40, 45]
LOG = {"startDate": "2026-01-01", "endDate": ""}


@dataclass(frozen=True)
class Case:
    """A request or several requests that both clients send.

    :param method: the vendor's method or property.
    :param arguments: the vendor's arguments.
    :param ours: returns a call or a flow of this project.
    :param variant: distinguishes cases with the same method and names of arguments.
    """

    method: str
    arguments: dict[str, Any]
    ours: Callable[[], Any]
    variant: str

    @property
    def id(self) -> str:
        return f"{self.method}({', '.join(self.arguments)}){self.variant and ' ' + self.variant}"


def frames_operator(kind: Any, frames: list[str]) -> Any:
    """Return the flow of an operator for frames of task 7."""
    return kind(task_id="act", render_task_id=7, frames=frames)._build_calls([7])


def case(method: str, ours: Callable[[], Any], variant: str = "", **arguments: Any) -> Case:
    return Case(method, arguments, ours, variant)


CASES = [
    # The account
    case("user.query_user_profile", calls.query_user_profile),
    case("user.user_id", calls.query_user_profile),
    case("api.get_user_id", calls.query_user_profile),
    case("user.query_user_setting", calls.query_user_setting),
    case("user.update_user_settings", lambda: calls.update_user_setting(43200), task_over_time=43200),
    case("user.get_transfer_bid", calls.get_transfer_bid),
    case("user.get_hardware_config", calls.list_hardware_configs),
    case(
        "user.get_hardware_config",
        lambda: calls.list_hardware_configs([6306543], clone_task=False),
        task_ids=["6306543"],
    ),
    case("user.task_record", lambda: calls.task_records(2)),
    case(
        "user.task_record",
        lambda: calls.task_records(2, page_num=3, page_size=20, start_date="2026-01-01"),
        pageNum=3,
        pageSize=20,
        **LOG,
    ),
    case("user.login_record", calls.login_records),
    case(
        "user.login_record",
        lambda: calls.login_records(page_num=3, page_size=20, start_date="2026-01-01"),
        pageNum=3,
        pageSize=20,
        **LOG,
    ),
    case("query.platforms", lambda: calls.query_platforms(zone=2)),
    case("query.get_pack_node_info", calls.get_pack_nodes),
    # Tasks
    case("task.create_task", calls.create_task),
    case("task.task_id", calls.create_task),
    case(
        "task.create_task",
        lambda: calls.create_task(2, 60, 77, ["夜间渲染", "sh010"], 18278, "丁玉涛"),
        count=2,
        task_user_level=60,
        out_user_id=77,
        labels=["夜间渲染", "sh010"],
        clone_original_id="18278",
        artist="丁玉涛",
    ),
    case("task.create_task", lambda: calls.create_task(labels=("a", "b")), labels=("a", "b")),
    case("task.submit_task", lambda: calls.submit_task(18278), task_id=18278),
    case("task.submit_task", lambda: calls.submit_task(18278, "Ding"), task_id=18278, producer="Ding"),
    case("api.submit", lambda: calls.submit_task(18278, "Ding"), task_id=18278, producer="Ding"),
    case("task.stop_task", lambda: calls.stop_task([7, 8]), task_param_list=[7, 8]),
    case("task.start_task", lambda: calls.start_task([7, 8]), task_param_list=[7, 8]),
    case("task.abort_task", lambda: calls.abandon_task([7, 8]), task_param_list=[7, 8]),
    case("task.delete_task", lambda: calls.delete_task([7, 8]), task_param_list=[7, 8]),
    case("task.full_speed", lambda: calls.full_speed([7, 8]), task_id_list=[7, 8]),
    case("task.update_priority", lambda: calls.update_task_user_level(7, 60), task_id=7, priority=60),
    case(
        "task.set_task_overtime_top",
        lambda: calls.set_task_overtime_stop([7], 1800),
        task_id_list=[7],
        overtime=1800,
    ),
    case("task.update_task_limit", lambda: calls.update_task_limit(7, 20), taskId=7, taskLimit=20),
    case(
        "task.edit_task_hardware_config",
        lambda: calls.edit_task_hardware_config([7], ["337", "341"], gpu_num="2*GPU", **MACHINES),
        taskIds=[7],
        hardwareConfigIds=["337", "341"],
        gpuNum="2*GPU",
        **MACHINES,
    ),
    case("query.task_info", lambda: calls.query_task_info([18278, 7]), task_ids_list=[18278, 7]),
    case("query.get_small_task_id", lambda: flows.leaf_task_ids(18278), task_id=18278),
    case("query.get_task_list", calls.get_task_list),
    case(
        "query.get_task_list",
        lambda: calls.get_task_list(
            2, 50, STATUSES, "衣帽间", "2026-01-01 00:00:00", "2026-02-01 00:00:00", recycle_flag=1
        ),
        page_num=2,
        page_size=50,
        status_list=STATUSES,
        search_keyword="衣帽间",
        start_time="2026-01-01 00:00:00",
        end_time="2026-02-01 00:00:00",
        recycle_flag=1,
    ),
    case("query.error_detail", lambda: calls.query_error_detail("15000"), code="15000"),
    case(
        "query.error_detail",
        lambda: calls.query_error_detail(codes=["15000", "15001"], language="1"),
        codes=["15000", "15001"],
        language="1",
    ),
    # Frames
    case("query.task_frames", lambda: calls.query_task_frames(7), task_id=7),
    case(
        "query.task_frames",
        lambda: calls.query_task_frames(7, "10", 2, 50),
        task_id=7,
        page_num=2,
        page_size=50,
        search_keyword="10",
    ),
    case("query.get_all_frames", lambda: flows.list_frames(7), task_id=7),
    case("query.all_frame_status", calls.query_all_frame_stats),
    case("query.restart_failed_frames", lambda: calls.recommit_failed_frames([7]), task_param_list=[7]),
    case(
        "query.restart_failed_frames",
        lambda: calls.recommit_failed_frames([7], [3, 5]),
        task_param_list=[7],
        status=[3, 5],
    ),
    case("query.restart_frame", lambda: calls.recommit_frames(7), task_id=7),
    case(
        "query.restart_frame",
        lambda: calls.recommit_frames(7, select_all=1, status=[5]),
        task_id=7,
        select_all=1,
        status=[5],
    ),
    case(
        "query.restart_frame",
        lambda: calls.recommit_frames(ids=[70, 71]),
        task_id=7,
        select_all=0,
        ids_list=[70, 71],
    ),
    case(
        "query.restart_frame",
        lambda: calls.recommit_frames(7, [70, 71], 0, [5]),
        task_id=7,
        select_all=0,
        ids_list=[70, 71],
        status=[5],
    ),
    case(
        "query.get_custome_frames",
        lambda: frames_operator(RenderbusRecommitFramesOperator, ["0-1", "0-2"]),
        task_id=7,
        restartframes=["0-1", "0-2"],
    ),
    case("query.stop_frame", lambda: calls.stop_frames(7), task_id=7),
    case(
        "query.stop_frame",
        lambda: calls.stop_frames(7, select_all=1, status=[1]),
        task_id=7,
        select_all=1,
        status=[1],
    ),
    case(
        "query.stop_frame",
        lambda: calls.stop_frames(7, ids=[70, 71]),
        task_id=7,
        select_all=0,
        ids_list=[70, 71],
    ),
    case(
        "query.frame_number_to_stop",
        lambda: frames_operator(RenderbusStopFramesOperator, ["0-1"]),
        task_id=7,
        stop_frame=["0-1"],
    ),
    case("query.get_render_log", lambda: calls.show_log(70), frame_id=70),
    case(
        "query.get_render_log",
        lambda: calls.show_log(70, 2, 3, "render"),
        renderingType="render",
        pageNum=2,
        pageSize=3,
        frame_id=70,
    ),
    case("query.get_frame_thumbnall", lambda: calls.load_frame_thumbnail(70), frame_id=70),
    case("query.get_task_processing_img", lambda: calls.load_task_process_img(7), task_id=7),
    case(
        "query.get_task_processing_img",
        lambda: calls.load_task_process_img(7, 5),
        task_id=7,
        frame_type=5,
    ),
    # Files and their transfer
    case(
        "transmit.upload_json_content",
        lambda: calls.upload_task_json(7, '{"note": "a&b=c", "名": 1}'),
        task_id=7,
        content='{"note": "a&b=c", "名": 1}',
    ),
    case(
        "transmit.upload_json_content",
        lambda: calls.upload_task_json(7, "{}", "upload.json"),
        task_id=7,
        content="{}",
        file_name="upload.json",
    ),
    case("transmit.get_output_files", calls.get_output_files),
    case("transmit.get_output_files", lambda: calls.get_output_files(7), task_id=7),
    case("transmit.get_output_files", lambda: calls.get_output_files(tree_path="/7_a"), tree_path="/7_a"),
    case(
        "transmit.get_output_files",
        lambda: calls.get_output_files(7, "/7_a"),
        task_id=7,
        tree_path="/7_a",
    ),
    case("transmit.get_transfer_config", calls.get_transfer_config),
    case("query.get_transfer_server_msg", calls.get_server_info),
    case("query.get_transfer_server_msg", lambda: calls.get_server_info(zone=1), "in zone 1"),
    case("query.get_raysync_user_key", calls.get_raysync_user_key),
    # Labels and projects
    case("tag.add_label", lambda: calls.add_project("night"), new_name="night"),
    case("tag.add_label", lambda: calls.add_project("night", 0), new_name="night", status=0),
    case("tag.delete_label", lambda: calls.delete_project("night"), del_name="night"),
    case("tag.get_label_list", calls.get_project_list),
    case("tag.get_project_list", calls.get_project_list),
    case("tag.get_list", calls.list_projects),
    case("tag.get_list", lambda: calls.list_projects(2), flag=2),
    case("api.check_and_add_project_name", lambda: calls.list_projects(2), project_name="night"),
    case("tag.add_task_tag", lambda: calls.add_task_label("夜", [7, 8]), tag="夜", task_ids=[7, 8]),
    case("tag.delete_task_tag", lambda: calls.delete_task_label([7], ["夜"]), taskIds=[7], labelNames=["夜"]),
    case(
        "tag.delete_task_tag",
        lambda: calls.delete_task_label([7], ["夜"], [1]),
        taskIds=[7],
        labelNames=["夜"],
        tag_ids=[1],
    ),
    # Software and render environments
    case("query.supported_software", calls.query_software_list),
    case("query.supported_plugin", lambda: calls.query_software_detail(2007), name="blender"),
    case(
        "query.supported_plugin",
        lambda: calls.query_software_detail(2004, "linux"),
        name="houdini",
        os_name="linux",
    ),
    case("env.add_render_env", lambda: calls.add_render_env(**OUR_ENVIRONMENT), data=ENVIRONMENT),
    case("env.update_render_env", lambda: calls.edit_render_env(**OUR_ENVIRONMENT), data=ENVIRONMENT),
    case("env.delete_render_env", lambda: calls.delete_render_env("tests"), edit_name="tests"),
    case("env.set_default_render_env", lambda: calls.set_default_render_env("tests"), edit_name="tests"),
    case("env.get_render_env", lambda: calls.get_render_env(2000), name="maya"),
    case(
        "env.get_render_env",
        lambda: calls.get_render_env(cg_ids=["2000", "2004"]),
        cg_names=["maya", "houdini"],
    ),
    case(
        "env.get_render_env",
        lambda: calls.get_render_env(cg_ids=["2000", "2004"], os_name=0),
        cg_names=["maya", "houdini"],
        os_name=0,
    ),
]
