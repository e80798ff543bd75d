"""Money: prices, coupons, debt and its payment add up to the last decimal."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.farm.raw_client import (
    CREATE,
    FILES,
    FULL_SPEED,
    PROFILE,
    RECOMMIT,
    RECOMMIT_FAILED,
    START,
    SUBMIT,
    job,
    maya_job,
)

LONG = 100_000
LOW_FUNDS = {"price": "36", "coupon": "2", "balance": "5"}  # a frame of 100 s costs 1


def to_decimal(value):
    return Decimal(str(value))


def test_account_starts_with_funds_of_scenario(open_client):
    profile = open_client(account={**LOW_FUNDS, "credit": "3"}).call(PROFILE)
    assert [profile[name] for name in ("cpuPrice", "coupon", "rmbbalance", "credit")] == [36, 2, 5, 3]


def test_task_stops_without_funds_and_restarts_after_top_up(open_client):
    client = open_client(account=LOW_FUNDS, frame_seconds=[100, 100], machines=2)
    task_id, waiting = client.submit(job(frames="1-9[1]")), client.submit(maya_job(frames="1-5[1]"))
    client.farm.advance(LONG)
    info = client.task_info(task_id)
    assert info["taskStatus"] == 20
    assert client.call(PROFILE)["rmbbalance"] == 0
    states = [info["taskStatus"], *(leaf["taskStatus"] for leaf in client.leaves(waiting))]
    assert states == [20, 20, 20]

    assert client.call_refused(START, taskIds=[task_id])[0] == 507
    client.farm.advance(LONG)
    assert client.task_state(task_id) == 20

    client.farm.top_up("50")
    assert client.task_state(task_id) == 20
    client.call(START, taskIds=[task_id, waiting])
    client.farm.advance(LONG)
    assert client.task_state(task_id) == 25
    assert client.task_info(task_id)["renderConsume"] == 9
    assert client.call(PROFILE)["rmbbalance"] == 55 + 2 - 9 - 10


def test_cost_beyond_funds_is_unpaid_until_top_up(open_client):
    client = open_client(account={**LOW_FUNDS, "balance": "0.7004"}, frame_seconds=[100, 100], machines=1)
    task_id = client.submit()
    client.farm.advance(LONG)
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["doneFrames"]) == (20, 3)
    consumed = [info[name] for name in ("renderConsume", "couponConsume", "userAccountConsume")]
    assert (consumed, info["taskArrears"]) == ([3, 2, 1], 0.2996)
    assert client.call(PROFILE)["rmbbalance"] == -0.2996
    frame = client.frames(task_id)["items"][2]
    assert (frame["feeAmount"], frame["couponFee"], frame["arrearsFee"]) == (1, 0, 0.2996)
    assert [item["isArrears"] for item in client.call(FILES, taskId=task_id, treePath="/")] == [1]

    client.farm.top_up("0.1")
    assert client.task_info(task_id)["taskArrears"] == 0.1996
    client.farm.top_up("10")
    assert client.task_info(task_id)["taskArrears"] == 0
    assert client.frames(task_id)["items"][2]["arrearsFee"] is None
    assert to_decimal(client.call(PROFILE)["rmbbalance"]) == Decimal("9.8004")
    assert client.farm._database.unpaid_frames() == []


def test_credit_is_used_before_debt_is_unpaid(open_client):
    client = open_client(
        account={**LOW_FUNDS, "coupon": "0", "balance": "0", "credit": "2"}, frame_seconds=[100, 100]
    )
    task_id = client.submit(job(frames="1-9[1]"))
    client.farm.advance(LONG)
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["doneFrames"], info["taskArrears"]) == (20, 2, 0)
    assert client.call(PROFILE)["rmbbalance"] == -2


def test_task_finishes_if_last_frame_exhausts_funds(open_client):
    client = open_client(account={**LOW_FUNDS, "coupon": "4", "balance": "0"}, frame_seconds=[100, 100])
    task_id = client.submit()
    client.farm.advance(LONG)
    assert client.task_state(task_id) == 25


def test_full_speed_without_funds_stops_task(open_client):
    client = open_client(account={**LOW_FUNDS, "coupon": "3", "balance": "0"}, frame_seconds=[100, 100])
    task_id = client.submit(job(pre_frames="100", stop_after_test="1"))
    client.farm.advance(LONG)
    assert client.task_state(task_id) == 40
    client.submit()
    client.farm.advance(LONG)
    client.call(FULL_SPEED, taskIds=[task_id])
    client.farm.advance(1)
    assert client.task_state(task_id) == 20


def test_calls_that_cost_money_without_funds_are_refused(open_client):
    client = open_client(account={**LOW_FUNDS, "coupon": "4", "balance": "0"}, frame_seconds=[100, 100])
    task_id, new = client.submit(), client.create()
    client.upload(new, job())
    client.farm.advance(LONG)
    frame_id = client.frames(task_id)["items"][0]["id"]
    calls = [
        (CREATE, {}),
        (SUBMIT, {"taskId": new}),
        (START, {"taskIds": [task_id]}),
        (RECOMMIT_FAILED, {"taskIds": [task_id]}),
        (RECOMMIT, {"taskId": task_id, "selectAll": 1}),
        (RECOMMIT, {"ids": [frame_id], "selectAll": 0}),
    ]
    for path, body in calls:
        assert client.call_refused(path, **body)[0] == 507, path
    assert client.call_refused(SUBMIT, taskId=task_id)[0] == 749
    client.farm.advance(LONG)
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["renderConsume"]) == (25, 4)
    client.farm.top_up("1")
    client.call(SUBMIT, taskId=new)
    assert client.create() == new + 1


def test_behavior_cost_replaces_price(open_client):
    client = open_client(renders=[{"scene": "sh010", "cost": "0.0003"}])
    task_id = client.submit(job(frames="1-7[1]"))
    client.farm.advance(LONG)
    assert to_decimal(client.task_info(task_id)["renderConsume"]) == Decimal("0.0021")


@pytest.mark.parametrize("amount", ["-1", "many", "0.00001", 1.5, None])
def test_top_up_invalid_amount_raises(open_client, amount):
    client = open_client()
    with pytest.raises(ValueError, match="must be an amount"):
        client.farm.top_up(amount)
    assert client.call(PROFILE)["rmbbalance"] == 500


def test_top_up_pays_oldest_unpaid_frame_first(open_client):
    """The farm stops at the first unpaid frame: the test creates two of them itself."""
    client = open_client()
    simulation = client.farm._simulation
    task_ids = [client.submit(), client.submit()]
    client.farm.advance(LONG)
    for task_id, ended_at in zip(task_ids, (2000, 1000), strict=True):
        task = simulation.tasks[task_id]
        frame = simulation.frames(task)[0]
        frame.ended_at, frame.unpaid, task.unpaid = ended_at, Decimal(2), Decimal(2)
        simulation.set_frame_state(task, frame, frame.state)
    simulation.funds.balance = Decimal(-4)
    for amount, unpaid in (("1", [2, 1]), ("2", [1, None]), ("9", [None, None])):
        client.farm.top_up(amount)
        assert [client.frames(task_id)["items"][0]["arrearsFee"] for task_id in task_ids] == unpaid
    assert simulation.database.unpaid_frames() == []
