"""Calls about the account: profile, settings, machines, records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import validation
from airflow_provider_renderbus.api.call import Call, drop_none
from airflow_provider_renderbus.api.models.account import (
    HardwareConfig,
    UserProfile,
    UserSetting,
    read_hardware_config,
    read_user_profile,
    read_user_setting,
)
from airflow_provider_renderbus.api.models.page import Page, page_reader
from airflow_provider_renderbus.api.parsing import ignore, list_of, raw_json
from airflow_provider_renderbus.api.platforms import parse_platform

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.api.validation import TaskId

_read_records = page_reader(raw_json)


def query_user_profile() -> Call[UserProfile]:
    """Query the account's profile, with its funds."""
    return Call("query_user_profile", ("/api/render/setUp/queryUserProfile",), {}, read=read_user_profile)


def query_user_setting() -> Call[UserSetting]:
    """Query the account's settings."""
    return Call(
        "query_user_setting",
        ("/api/render/setUp/queryUserSetting", "/api/rendering/user/client/queryUserSetting"),
        {},
        read=read_user_setting,
    )


def update_user_setting(task_over_time_sec: int) -> Call[None]:
    """Set the time after which a task counts as late.

    :param task_over_time_sec: seconds.
    """
    return Call(
        "update_user_setting",
        ("/api/render/setUp/updateUserSetting",),
        {"taskOverTimeSec": validation.positive_int("task_over_time_sec", task_over_time_sec)},
        read=ignore,
    )


def list_hardware_configs(
    task_ids: Iterable[TaskId] | None = None, clone_task: bool | None = None
) -> Call[tuple[HardwareConfig, ...]]:
    """List the kinds of machines of all platforms.

    :param task_ids: ids or aliases of tasks whose present configuration is marked as current.
    :param clone_task: whether those tasks are to be cloned.
    """
    # Here, and only here, the farm accepts task ids and a boolean as text.
    ids = None if task_ids is None else map(str, validation.parse_task_ids("task_ids", task_ids))
    return Call(
        "list_hardware_configs",
        ("/api/render/hardwareConfig/list",),
        drop_none(
            taskIds=None if ids is None else list(ids),
            cloneTask=None if clone_task is None else ("true" if clone_task else "false"),
        ),
        read=list_of(read_hardware_config),
    )


def query_platforms(zone: int) -> Call[Any]:
    """List the render platforms of a zone.

    :param zone: 1 for a domain of Renderbus (China), else 2.
    :return: a list of objects with platform, name, type, status, taskPrefix and isShow.
    """
    return Call(
        "query_platforms",
        ("/api/render/common/queryPlatforms",),
        {"zone": validation.one_of("zone", zone, validation.ZONES)},
        read=raw_json,
    )


def task_records(
    platform: int | str,
    page_num: int = 1,
    page_size: int = validation.MAX_PAGE_SIZE,
    start_date: str = "",
    end_date: str = "",
) -> Call[Page[Any]]:
    """Query a page of the account's actions on its tasks.

    :param platform: id or short name of the platform; it takes precedence over the client's.
    :param page_num: page number, from 1.
    :param page_size: records per page, at most 100.
    :param start_date: earliest date; empty for no limit. The format is not documented.
    :param end_date: latest date; see `start_date`.
    """
    return Call(
        "task_records",
        ("/api/render/handle/operate/sdk/taskRecord",),
        {
            "platform": parse_platform("platform", platform),
            **_record_page(page_num, page_size, start_date, end_date),
        },
        read=_read_records,
        paged=True,
    )


def login_records(
    page_num: int = 1, page_size: int = validation.MAX_PAGE_SIZE, start_date: str = "", end_date: str = ""
) -> Call[Page[Any]]:
    """Query a page of the account's logins.

    :param page_num: page number, from 1.
    :param page_size: records per page, at most 100.
    :param start_date: earliest date; empty for no limit. The format is not documented.
    :param end_date: latest date; see `start_date`.
    """
    return Call(
        "login_records",
        ("/api/render/handle/operate/sdk/loginRecord",),
        _record_page(page_num, page_size, start_date, end_date),
        read=_read_records,
        paged=True,
    )


def get_pack_nodes() -> Call[Any]:
    """List the machines that are reserved for the account.

    :return: a list of objects with packNodeId and packName.
    """
    return Call("get_pack_nodes", ("/api/render/submit/getUserPackNodeInfo",), {}, read=raw_json)


def _record_page(page_num: int, page_size: int, start_date: str, end_date: str) -> dict[str, Any]:
    return {
        "pageNum": validation.positive_int("page_num", page_num),
        "pageSize": validation.page_size("page_size", page_size),
        "startDate": validation.require_str("start_date", start_date),
        "endDate": validation.require_str("end_date", end_date),
    }
