"""Calls about the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.account import USER_ID, USER_NAME

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.calls.desk import Desk, Request


def query_user_profile(desk: Desk, request: Request) -> dict[str, Any]:
    """Tell who the customer is, and what money it has."""
    account = desk.account
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
        "rmbbalance": account.balance,
        "usdbalance": 0,
        "rmbCumulative": 0,
        "usdCumulative": 0,
        "credit": 0,
        "coupon": account.coupon,
        "description": "",
        "country": "",
        "city": "",
        "address": "",
        "cpuPrice": account.price,
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
