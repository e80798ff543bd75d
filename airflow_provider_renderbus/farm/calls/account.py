"""Calls on the account: the customer, its money, its settings and its operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.simulation.account import USER_ID, USER_NAME

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.calls.context import CallContext, Request

OVERTIME_SECONDS = 43_200
SECONDS_PER_HOUR = 3600


def query_user_profile(ctx: CallContext, request: Request) -> dict[str, Any]:
    """Return the customer and its funds."""
    funds = ctx.simulation.funds
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
        "rmbbalance": funds.balance,
        "usdbalance": 0,
        "rmbCumulative": 0,
        "usdCumulative": 0,
        "credit": funds.credit,
        "coupon": funds.coupon,
        "description": "",
        "country": "",
        "city": "",
        "address": "",
        "cpuPrice": funds.price,
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


def query_user_setting(ctx: CallContext, _request: Request) -> dict[str, Any]:
    """Return the customer's settings."""
    seconds = ctx.database.get_value("overtime_seconds", OVERTIME_SECONDS)
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


def update_user_setting(ctx: CallContext, request: Request) -> None:
    """Set the seconds after which the farm warns the customer of a task."""
    ctx.database.set_value("overtime_seconds", request.integer("taskOverTimeSec"))


def task_records(ctx: CallContext, request: Request) -> dict[str, Any]:
    """Return the customer's operations, the latest first. The dates of the request are ignored."""
    _require_dates(request)
    records = [
        {
            "id": record_id,
            "userId": USER_ID,
            "userName": USER_NAME,
            "platform": request.integer("platform"),
            "operateType": operation,
            "operateTime": epoch_ms,
            "taskIds": aliases,
        }
        for record_id, epoch_ms, operation, aliases in ctx.database.operations()
    ]
    return request.page(records)


def login_records(ctx: CallContext, request: Request) -> dict[str, Any]:
    """Return one login: the caller, from this machine."""
    _require_dates(request)
    record = {
        "id": 1,
        "userId": USER_ID,
        "userName": USER_NAME,
        "ip": "127.0.0.1",
        "loginStatus": "1",
        "loginTime": int(ctx.clock.unix_time() * 1000),
    }
    return request.page([record])


def _require_dates(request: Request) -> None:
    for name in ("startDate", "endDate"):
        request.string(name)
