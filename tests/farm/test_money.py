"""Money: prices, coupons, arrears and their payment add up to the last decimal."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.farm.raw_client import FILES, FULL_SPEED, PROFILE, RECOMMIT, START, job, maya_job

LONG = 100_000
POOR = {"price": "36", "coupon": "2", "balance": "5"}  # a frame of 100 s costs 1


def exact(value):
    return Decimal(str(value))


def test_an_account_begins_as_the_scenario_says(open_client):
    profile = open_client(account={**POOR, "credit": "3"}).call(PROFILE)
    assert [profile[name] for name in ("cpuPrice", "coupon", "rmbbalance", "credit")] == [36, 2, 5, 3]


def test_a_task_stops_when_the_money_is_gone_and_goes_on_after_a_top_up(open_client):
    client = open_client(account=POOR, frame_seconds=[100, 100], machines=2)
    number, waiting = client.submit(job(frames="1-9[1]")), client.submit(maya_job(frames="1-5[1]"))
    client.farm.advance(LONG)
    info = client.task_info(number)
    assert info["taskStatus"] == 20
    assert client.call(PROFILE)["rmbbalance"] == 0
    states = [info["taskStatus"], *(leaf["taskStatus"] for leaf in client.leaves(waiting))]
    assert states == [20, 20, 20]

    client.call(START, taskIds=[number])
    client.farm.advance(LONG)
    assert client.task_state(number) == 20

    client.farm.top_up("50")
    assert client.task_state(number) == 20
    client.call(START, taskIds=[number, waiting])
    client.farm.advance(LONG)
    assert client.task_state(number) == 25
    assert client.task_info(number)["renderConsume"] == 9
    assert client.call(PROFILE)["rmbbalance"] == 55 + 2 - 9 - 10


def test_what_the_money_did_not_cover_is_owed_until_it_is_paid(open_client):
    client = open_client(account={**POOR, "balance": "0.7004"}, frame_seconds=[100, 100], machines=1)
    number = client.submit()
    client.farm.advance(LONG)
    info = client.task_info(number)
    assert (info["taskStatus"], info["doneFrames"]) == (20, 3)
    consumed = [info[name] for name in ("renderConsume", "couponConsume", "userAccountConsume")]
    assert (consumed, info["taskArrears"]) == ([3, 2, 1], 0.2996)
    assert client.call(PROFILE)["rmbbalance"] == -0.2996
    owing = client.frames(number)["items"][2]
    assert (owing["feeAmount"], owing["couponFee"], owing["arrearsFee"]) == (1, 0, 0.2996)
    assert [item["isArrears"] for item in client.call(FILES, taskId=number, treePath="/")] == [1]

    client.farm.top_up("0.1")
    assert client.task_info(number)["taskArrears"] == 0.1996
    client.farm.top_up("10")
    assert client.task_info(number)["taskArrears"] == 0
    assert client.frames(number)["items"][2]["arrearsFee"] is None
    assert exact(client.call(PROFILE)["rmbbalance"]) == Decimal("9.8004")
    assert client.farm._database.unpaid_frames() == []


def test_credit_is_used_before_anything_is_owed(open_client):
    client = open_client(
        account={**POOR, "coupon": "0", "balance": "0", "credit": "2"}, frame_seconds=[100, 100]
    )
    number = client.submit(job(frames="1-9[1]"))
    client.farm.advance(LONG)
    info = client.task_info(number)
    assert (info["taskStatus"], info["doneFrames"], info["taskArrears"]) == (20, 2, 0)
    assert client.call(PROFILE)["rmbbalance"] == -2


def test_a_task_whose_last_frame_takes_the_last_money_has_finished(open_client):
    client = open_client(account={**POOR, "coupon": "4", "balance": "0"}, frame_seconds=[100, 100])
    number = client.submit()
    client.farm.advance(LONG)
    assert client.task_state(number) == 25


def test_a_paused_task_without_money_stops_at_full_speed(open_client):
    client = open_client(account={**POOR, "coupon": "3", "balance": "0"}, frame_seconds=[100, 100])
    number = client.submit(job(pre_frames="100", stop_after_test="1"))
    client.farm.advance(LONG)
    assert client.task_state(number) == 40
    client.submit()
    client.farm.advance(LONG)
    client.call(FULL_SPEED, taskIds=[number])
    client.farm.advance(1)
    assert client.task_state(number) == 20


def test_a_recommit_without_money_stops(open_client):
    client = open_client(account={**POOR, "coupon": "4", "balance": "0"}, frame_seconds=[100, 100])
    number = client.submit()
    client.farm.advance(LONG)
    client.call(RECOMMIT, taskId=number, selectAll=1)
    client.farm.advance(LONG)
    info = client.task_info(number)
    assert (info["taskStatus"], info["abortFrames"], info["renderConsume"]) == (20, 4, 4)


def test_a_frame_can_have_a_price_of_its_own(open_client):
    client = open_client(renders=[{"scene": "sh010", "cost": "0.0003"}])
    number = client.submit(job(frames="1-7[1]"))
    client.farm.advance(LONG)
    assert exact(client.task_info(number)["renderConsume"]) == Decimal("0.0021")


@pytest.mark.parametrize("amount", ["-1", "many", "0.00001", 1.5, None])
def test_only_an_amount_is_paid_in(open_client, amount):
    client = open_client()
    with pytest.raises(ValueError, match="must be an amount"):
        client.farm.top_up(amount)
    assert client.call(PROFILE)["rmbbalance"] == 500


def test_a_top_up_pays_the_oldest_arrears_first(open_client):
    """Work stops with the first frame that is owed, so two of them are made by hand."""
    client = open_client()
    life = client.farm._simulation
    numbers = [client.submit(), client.submit()]
    client.farm.advance(LONG)
    for number, ended in zip(numbers, (2000, 1000), strict=True):
        task = life.tasks[number]
        frame = life.frames(task)[0]
        frame.ended_at, frame.unpaid, task.unpaid = ended, Decimal(2), Decimal(2)
        life.set_frame_state(task, frame, frame.state)
    life.funds.balance = Decimal(-4)
    for amount, owed in (("1", [2, 1]), ("2", [1, None]), ("9", [None, None])):
        client.farm.top_up(amount)
        assert [client.frames(number)["items"][0]["arrearsFee"] for number in numbers] == owed
    assert life.database.unpaid_frames() == []
