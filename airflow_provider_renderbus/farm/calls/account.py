"""Calls about the account: who the customer is, its money, its settings and what it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.simulation.account import USER_ID, USER_NAME

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.calls.context import CallContext, Request

OVERTIME_SECONDS = 43_200
SECONDS_PER_HOUR = 3600


def query_user_profile(desk: CallContext, request: Request) -> dict[str, Any]:
    """Tell who the customer is, and what money it has."""
    money = desk.simulation.funds
    return {
        "userId": USER_ID,
        "userName": USER_NAME,
        "platform": request.platform,
        "phone": "",
        "email": "",
        "company": "",
        "name": "",
        "job": "",
        "communicationNumber": "",
        "softType": 2007,
        "softStatus": 1,
        "businessType": 1,
        "status": 1,
        "infoStatus": 0,
        "accountType": 1,
        "userType": 1,
        "mainUserId": 0,
        "level": 49,
        "pictureLever": None,
        "zone": 1,
        "rmbbalance": money.balance,
        "usdbalance": 0,
        "rmbCumulative": 0,
        "usdCumulative": 0,
        "credit": money.credit,
        "coupon": money.coupon,
        "description": "",
        "country": "",
        "city": "",
        "address": "",
        "cpuPrice": money.price,
        "gpuPrice": 20,
        "shareMainCapital": 0,
        "subDeleteTask": 0,
        "useMainBalance": 0,
        "hideBalance": 0,
        "hideJobCharge": 0,
        "useLevelDirectory": 1,
        "downloadDisable": 0,
        "displaySubaccount": 1,
        "subaccountLimits": 5,
        "houdiniFlag": 0,
        "c4dFlag": 0,
        "blenderFlag": 0,
        "keyshotFlag": 0,
        "studentEndTime": None,
    }


def query_user_setting(desk: CallContext, _request: Request) -> dict[str, Any]:
    """Tell the customer's settings."""
    seconds = desk.database.get_value("overtime_seconds", OVERTIME_SECONDS)
    return {
        "infoStatus": None,
        "accountType": None,
        "shareMainCapital": 0,
        "subDeleteTask": 0,
        "useMainBalance": 0,
        "singleNodeRenderFrames": "1",
        "maxIgnoreMapFlag": "1",
        "autoCommit": "2",
        "separateAccountFlag": 0,
        "mifileSwitchFlag": 0,
        "assfileSwitchFlag": 0,
        "manuallyStartAnalysisFlag": 0,
        "downloadDisable": 0,
        "taskOverTime": seconds // SECONDS_PER_HOUR,
        "taskOverTimeSec": seconds,
        "ignoreMapFlag": 0,
        "isVrayLicense": 0,
        "justUploadConfigFlag": 0,
        "justUploadCgFlag": 0,
        "mandatoryAnalyseAllAgent": 0,
    }


def update_user_setting(desk: CallContext, request: Request) -> None:
    """Set the seconds after which the customer is warned of a task."""
    desk.database.set_value("overtime_seconds", request.integer("taskOverTimeSec"))


def task_records(desk: CallContext, request: Request) -> dict[str, Any]:
    """Tell what the customer ordered, the latest first. The dates asked for are not looked at."""
    _dates(request)
    records = [
        {
            "id": number,
            "userId": USER_ID,
            "userName": USER_NAME,
            "platform": request.integer("platform"),
            "operateType": call,
            "operateTime": date,
            "taskIds": tasks,
        }
        for number, date, call, tasks in desk.database.operations()
    ]
    return request.page(records)


def login_records(desk: CallContext, request: Request) -> dict[str, Any]:
    """Tell who logged in: always the one that asks, from this machine."""
    _dates(request)
    record = {
        "id": 1,
        "userId": USER_ID,
        "userName": USER_NAME,
        "ip": "127.0.0.1",
        "loginStatus": "1",
        "loginTime": int(desk.clock.unix_time() * 1000),
    }
    return request.page([record])


def _dates(request: Request) -> None:
    for name in ("startDate", "endDate"):
        request.string(name)
