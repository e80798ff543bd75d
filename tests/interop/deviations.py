"""Table of all differences between the requests of this project and of the vendor's client 3.0.4.3.

The tests fail if a difference is missing here, and if an entry is no longer a difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tests.interop.differences import Difference


class Deviation(NamedTuple):
    """An intended difference.

    :param case: id of a case in `cases`.
    :param difference: name, the vendor's value and our value, as in `differences`.
    :param reason: why the difference is intended.
    """

    case: str
    difference: Difference
    reason: str


NEXT_FRAMES = "request 2 to /api/render/handle/queryTaskFrames"
RECOMMIT = "request 1 to /api/render/handle/recommitTaskFrames"
TASK_INFO = "request 1 to /api/render/handle/queryTaskInfo/v2"
STOP = "request 1 to /api/render/handle/stopTaskFrames"
RENDER_ENV = "request 1 to /api/render/plugin/getUserPluginConfig"

ALL_BY_DEFAULT = "all frames, and with them all costs, must be selected explicitly"
IDS_NAME_FRAMES = "the vendor's document accepts either the task or the ids, and the ids are sufficient"
LEAVES_FIRST = "a name selects the frames of all leaves, so the task's leaves are queried first"
PAGES_ARE_COUNTED = "the page count gives the last page; the vendor's client queries until a page is empty"
MAX_PAGE = "the largest page of the farm, as for all other pages"
FARM_DEFAULT = "an omitted argument is not sent, so the farm's default applies"

DEVIATIONS = [
    Deviation("user.get_hardware_config()", ("cloneTask", '"false"', None), FARM_DEFAULT),
    Deviation("user.task_record()", ("pageSize", "10", "100"), MAX_PAGE),
    Deviation("user.login_record()", ("pageSize", "10", "100"), MAX_PAGE),
    Deviation(
        "task.create_task(labels)",
        ("signature", "wrong", "right"),
        "broken in 3.0.4.3: it signs a tuple of labels as one string and sends it as a list",
    ),
    Deviation(
        "query.error_detail(code)",
        ("language", "0", '"0"'),
        "the vendor's document gives the language as text; its client takes text too and then sends text",
    ),
    Deviation("query.get_all_frames(task_id)", (NEXT_FRAMES, "sent", None), PAGES_ARE_COUNTED),
    Deviation("query.restart_frame(task_id)", (RECOMMIT, "sent", None), ALL_BY_DEFAULT),
    Deviation("query.restart_frame(task_id, select_all, ids_list)", ("taskId", "7", None), IDS_NAME_FRAMES),
    Deviation(
        "query.get_custome_frames(task_id, restartframes)",
        (NEXT_FRAMES, "sent", None),
        PAGES_ARE_COUNTED,
    ),
    Deviation("query.get_custome_frames(task_id, restartframes)", ("taskId", "7", None), IDS_NAME_FRAMES),
    Deviation(
        "query.get_custome_frames(task_id, restartframes)",
        (TASK_INFO, None, "sent"),
        LEAVES_FIRST,
    ),
    Deviation("query.stop_frame(task_id)", (STOP, "sent", None), ALL_BY_DEFAULT),
    Deviation(
        "query.frame_number_to_stop(task_id, stop_frame)",
        (NEXT_FRAMES, "sent", None),
        PAGES_ARE_COUNTED,
    ),
    Deviation(
        "query.frame_number_to_stop(task_id, stop_frame)",
        (TASK_INFO, None, "sent"),
        LEAVES_FIRST,
    ),
    Deviation(
        "query.get_render_log(frame_id)",
        ("pageNum", "1", "0"),
        "the vendor's documents count the parts of a log from 0, its client from 1",
    ),
    Deviation(
        "query.get_transfer_server_msg()",
        ("zone", "1", None),
        "the vendor's client swaps the zones here compared with its platforms; its document requires none",
    ),
    Deviation(
        "transmit.get_output_files(task_id, tree_path)",
        ("treePath", '"/"', '"/7_a"'),
        "the vendor's client ignores the folder; here the farm decides",
    ),
    Deviation("tag.add_label(new_name)", ("status", "1", None), FARM_DEFAULT),
    Deviation(
        "tag.delete_task_tag(taskIds, labelNames)",
        ("labelIds", "[]", None),
        "an empty list has no effect and is not signed, so it is omitted like any omitted argument",
    ),
    Deviation(
        "query.supported_plugin(name)",
        ("osName", '"linux"', '"windows"'),
        "the vendor's client sends the system of its own machine; the system of an Airflow worker says "
        "nothing about the machines that render",
    ),
    Deviation(
        "env.get_render_env(name)",
        (RENDER_ENV, None, "sent"),
        "broken in 3.0.4.3: it converts the software's id to a string, which its own check refuses",
    ),
    Deviation("env.get_render_env(cg_names)", ("osName", "1", None), FARM_DEFAULT),
]


class WithoutRequest(NamedTuple):
    """A method or property of the vendor's client that sends no request."""

    method: str
    arguments: dict[str, Any]
    reason: str


WITHOUT_REQUEST = [
    WithoutRequest("api.connect", {}, "the connection of the other methods"),
    WithoutRequest("api.user_info", {}, "the client's own copy from the login"),
    WithoutRequest("user.info", {}, "the client's own copy from the login"),
    WithoutRequest(
        "api.submit_by_data",
        {"task_info": {"task_info": {}}},
        "broken in 3.0.4.3: it omits an argument of the check that it runs first, and raises",
    ),
]
