"""All that this project sends otherwise than the vendor's released client 3.0.4.3, and why.

One table, and tested both ways: what differs and is not in it fails the tests, and so does an entry that no
longer differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tests.interop.differences import Difference


class Deviation(NamedTuple):
    """A difference that is meant.

    :param case: the id of a case in `cases`.
    :param difference: what differs, the vendor's value and ours, as in `differences`.
    :param reason: why.
    """

    case: str
    difference: Difference
    reason: str


NEXT_FRAMES = "request 2 to /api/render/handle/queryTaskFrames"
RECOMMIT = "request 1 to /api/render/handle/recommitTaskFrames"
TASK_INFO = "request 1 to /api/render/handle/queryTaskInfo/v2"
STOP = "request 1 to /api/render/handle/stopTaskFrames"
RENDER_ENV = "request 1 to /api/render/plugin/getUserPluginConfig"

ALL_BY_DEFAULT = "all frames, and with them all of the money, must be asked for by name"
IDS_NAME_FRAMES = "the vendor's document takes either the task or the ids, and the ids say it all"
LEAVES_FIRST = "a name means the frames of all leaves, so the task's leaves are asked for first"
PAGES_ARE_COUNTED = "the page count tells the last page; the vendor's client asks until a page is empty"
LARGEST_PAGE = "the largest page that the farm gives, as for all other pages"
LEFT_TO_THE_FARM = "what was not asked for is left out, and the farm's own default holds"

DEVIATIONS = [
    Deviation("user.get_hardware_config()", ("cloneTask", '"false"', None), LEFT_TO_THE_FARM),
    Deviation("user.task_record()", ("pageSize", "10", "100"), LARGEST_PAGE),
    Deviation("user.login_record()", ("pageSize", "10", "100"), LARGEST_PAGE),
    Deviation(
        "task.create_task(labels)",
        ("signature", "wrong", "right"),
        "broken in 3.0.4.3: it signs a tuple of labels as one text and sends it as a list",
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
        "the vendor's documents count the pieces of a log from 0, its client from 1",
    ),
    Deviation(
        "query.get_transfer_server_msg()",
        ("zone", "1", None),
        "the vendor's client takes zones here the other way round than for its platforms; "
        "its document asks for none",
    ),
    Deviation(
        "transmit.get_output_files(task_id, tree_path)",
        ("treePath", '"/"', '"/7_a"'),
        "the vendor's client drops the folder that it was given; here the farm decides",
    ),
    Deviation("tag.add_label(new_name)", ("status", "1", None), LEFT_TO_THE_FARM),
    Deviation(
        "tag.delete_task_tag(taskIds, labelNames)",
        ("labelIds", "[]", None),
        "an empty list says nothing and is not signed: left out, like all that was not given",
    ),
    Deviation(
        "query.supported_plugin(name)",
        ("osName", '"linux"', '"windows"'),
        "the vendor's client asks about the machine it runs on; which machine renders is not told by where "
        "an Airflow worker runs",
    ),
    Deviation(
        "env.get_render_env(name)",
        (RENDER_ENV, None, "sent"),
        "broken in 3.0.4.3: it makes the software's number a text, which its own check refuses",
    ),
    Deviation("env.get_render_env(cg_names)", ("osName", "1", None), LEFT_TO_THE_FARM),
]


class Silent(NamedTuple):
    """A method or property of the vendor's client that sends nothing, so there is nothing to compare."""

    order: str
    arguments: dict[str, Any]
    reason: str


SILENT = [
    Silent("api.connect", {}, "what the others send through"),
    Silent("api.user_info", {}, "what the client remembers from logging in"),
    Silent("user.info", {}, "what the client remembers from logging in"),
    Silent(
        "api.submit_by_data",
        {"task_info": {"task_info": {}}},
        "broken in 3.0.4.3: it leaves out an argument of the check that it makes first, and raises",
    ),
]
