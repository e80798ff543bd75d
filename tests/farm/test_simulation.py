"""The life of a task on a clock driven by hand: states, moments, money."""

from __future__ import annotations

from contextlib import closing
from decimal import ROUND_HALF_UP, Decimal

import pytest
from PIL import Image

from airflow_provider_renderbus.farm import Farm, ManualClock
from airflow_provider_renderbus.farm.pages.router import Router
from airflow_provider_renderbus.farm.simulation.scenario import Scenario, seeded_randint
from airflow_provider_renderbus.farm.simulation.tasks import TRANSITIONS, TaskEvent, TaskState
from tests.farm.raw_client import LOG, PROFILE, STOP, SUBMIT, RawClient, job

LONG = 100_000
START = 1_767_225_600
MACHINES, QUEUE_SECONDS = Scenario().machines, Scenario().queue_seconds
SHORTEST, LONGEST = Scenario().frame_seconds
ORDERS = {
    TaskEvent.STOPPED,
    TaskEvent.STARTED,
    TaskEvent.FULL_SPEED,
    TaskEvent.RECOMMITTED,
    TaskEvent.ABANDONED,
}


def durations(scene, count):
    return [seeded_randint(scene, number, 0, (SHORTEST, LONGEST)) for number in range(1, count + 1)]


def cost(seconds):
    return (Decimal("0.67") * seconds / 3600).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def money(client):
    profile = client.call(PROFILE)
    return Decimal(str(profile["coupon"])), Decimal(str(profile["rmbbalance"]))


def files(client):
    return sorted(path.name for path in client.farm.output_root.rglob("*") if path.is_file())


def test_a_task_waits_renders_and_finishes(client):
    number = client.submit()
    assert client.task_info(number)["taskStatus"] == 0
    client.farm.advance(QUEUE_SECONDS - 1)
    assert client.task_info(number)["taskStatus"] == 0
    client.farm.advance(1)
    info = client.task_info(number)
    assert (info["taskStatus"], info["statusText"], info["executingFrames"]) == (5, "render_task_status_5", 4)

    longest = max(durations("sh010", 4))
    client.farm.advance(longest - 1)
    assert client.task_info(number)["taskStatus"] == 5
    client.farm.advance(1)
    info = client.task_info(number)
    assert (info["taskStatus"], info["doneFrames"], info["totalFrames"]) == (25, 4, 4)
    assert info["submitDate"] == START * 1000
    assert info["startTime"] == (START + QUEUE_SECONDS) * 1000
    assert info["completedDate"] == (START + QUEUE_SECONDS + longest) * 1000
    assert info["renderDuration"] == sum(durations("sh010", 4))


def test_one_step_and_many_lead_to_the_same_simulation(tmp_path):
    ends = []
    for name, steps in (("one", [3000]), ("many", [7] * 430)):
        with closing(Farm(tmp_path / name, ManualClock())) as farm:
            client = RawClient(farm)
            number = client.submit(job(frames="1-12[1]"))
            for seconds in steps:
                farm.advance(seconds)
            frames = client.frames(number)["items"]
            ends.append((client.task_info(number), frames, money(client)))
    assert ends[0] == ends[1]


def test_moves_in_portions_lead_to_the_same_simulation(open_client, tmp_path):
    ends = []
    for most in (1, 10_000):
        client = open_client(tmp_path / str(most))
        numbers = [client.submit(job(frames="1-6[1]")) for _ in range(3)]
        life = client.farm._simulation
        with life.lock:
            while (due := life.advance_to(3000, most)) is not None:
                assert due <= 3000
        ends.append([client.task_info(number) for number in numbers])
    assert ends[0] == ends[1]
    assert {info["taskStatus"] for info in ends[0]} == {25}


def test_machines_take_up_frames_as_others_end(client):
    number = client.submit(job(frames="1-6[1]"))
    client.farm.advance(QUEUE_SECONDS)
    first = sorted(durations("sh010", MACHINES))
    client.farm.advance(first[0])
    info = client.task_info(number)
    assert (info["doneFrames"], info["executingFrames"]) == (first.count(first[0]), MACHINES)
    frame = client.frames(number)["items"][MACHINES]
    assert (frame["frameStatus"], frame["startTime"]) == (2, (START + QUEUE_SECONDS + first[0]) * 1000)
    assert (frame["endTime"], frame["frameExecuteTime"]) == (None, None)


def test_frames_are_paid_to_the_last_decimal_coupons_first(client):
    frames = 500
    number = client.submit(job(frames=f"1-{frames}[1]", width="4", height="2"))
    coupon, balance = money(client)
    client.farm.advance(100_000)
    costs = [cost(seconds) for seconds in durations("sh010", frames)]
    assert sum(costs) > coupon, "the job is meant to use up the coupons"

    info = client.task_info(number)
    assert Decimal(str(info["renderConsume"])) == sum(costs)
    assert Decimal(str(info["couponConsume"])) == coupon
    assert Decimal(str(info["userAccountConsume"])) == sum(costs) - coupon
    assert money(client) == (0, balance - (sum(costs) - coupon))
    paid = [
        Decimal(str(frame["feeAmount"])) + Decimal(str(frame["couponFee"]))
        for page in range(1, 6)
        for frame in client.frames(number, pageNum=page)["items"]
    ]
    assert paid == costs


def test_a_frame_appears_when_it_is_done_and_not_before(client):
    number = client.submit()
    client.farm.advance(QUEUE_SECONDS + SHORTEST - 1)
    assert files(client) == []
    client.farm.advance(LONGEST)
    assert files(client) == [f"sh010_{frame:04d}.png" for frame in (1, 2, 3, 4)]
    path = client.farm.output_root / f"{number}_sh010" / "sh010_0003.png"
    with Image.open(path) as picture:
        assert (picture.size, picture.mode, picture.format) == ((32, 18), "RGB", "PNG")


@pytest.mark.parametrize("before", [0, QUEUE_SECONDS - 1, QUEUE_SECONDS, QUEUE_SECONDS + SHORTEST])
def test_a_stopped_task_renders_and_costs_nothing_more(client, before):
    number = client.submit(job(frames="1-9[1]"))
    client.farm.advance(before)
    done = client.task_info(number)["doneFrames"]
    client.call(STOP, taskIds=[number])
    then = (client.task_info(number), money(client), files(client))
    assert then[0]["taskStatus"] == 10
    assert then[0]["abortFrames"] == 9 - done
    client.farm.advance(100_000)
    assert (client.task_info(number), money(client), files(client)) == then
    assert list((client.farm.output_root.parent.parent / "scratch").iterdir()) == []


def test_stopping_twice_or_after_the_end_changes_nothing(client):
    number = client.submit()
    client.farm.advance(1000)
    client.call(STOP, taskIds=[number])
    client.call(STOP, taskIds=[number])
    assert client.task_info(number)["taskStatus"] == 25


def test_a_task_that_is_not_submitted_waits_for_ever(client):
    number = client.create(labels=["夜间", "sh010"], artist="Ada")
    client.farm.advance(100_000)
    info = client.task_info(number)
    assert (info["taskStatus"], info["submitDate"], info["outputFileName"]) == (0, None, None)
    assert info["labels"] == '{"1": "夜间", "2": "sh010"}'
    assert info["producer"] == "Ada"


def test_a_task_stopped_before_its_submit_cannot_be_submitted(client):
    number = client.create()
    client.upload(number, job())
    client.call(STOP, taskIds=[number])
    assert client.call_refused(SUBMIT, taskId=number)[0] == 600


def test_a_frame_whose_file_cannot_be_had_fails_and_costs_nothing(client):
    number = client.submit()
    means = money(client)
    (client.farm.output_root / f"{number}_sh010").write_text("in the way")
    client.farm.advance(1000)
    info = client.task_info(number)
    assert (info["taskStatus"], info["failedFrames"], info["doneFrames"]) == (30, 4, 0)
    assert {frame["frameStatus"] for frame in client.frames(number)["items"]} == {5}
    assert money(client) == means


def test_a_frame_that_cannot_be_painted_fails(client):
    number = client.submit()
    (client.farm.output_root.parent.parent / "scratch").rmdir()
    client.farm.advance(1000)
    assert client.task_info(number)["taskStatus"] == 30


def test_numbers_go_on_after_those_that_have_output(tmp_path):
    for books in tmp_path, None:
        with closing(Farm(tmp_path, ManualClock())) as farm:
            last = RawClient(farm).submit()
            farm.advance(1000)
        if books:
            (books / "farm.db").unlink()
    assert last == 35_000_002


def test_no_move_but_an_order_leads_out_of_an_end():
    by_itself = {begin for begin, event in TRANSITIONS if event not in ORDERS}
    assert by_itself == {TaskState.WAITING, TaskState.RENDERING, TaskState.PRE_RENDERING}
    assert {event for _, event in TRANSITIONS} == set(TaskEvent)
    assert set(TaskState) - {begin for begin, _ in TRANSITIONS} == {TaskState.ABANDON}
    reached, todo = {TaskState.WAITING}, [TaskState.WAITING]
    while todo:
        state = todo.pop()
        following = {end for (begin, _), end in TRANSITIONS.items() if begin is state} - reached
        reached |= following
        todo += following
    assert reached == set(TaskState)


def test_durations_are_always_the_same_and_within_bounds():
    seconds = durations("sh010", 200)
    assert seconds == durations("sh010", 200)
    assert seconds != durations("sh020", 200)
    assert min(seconds) >= SHORTEST
    assert max(seconds) <= LONGEST


@pytest.mark.parametrize("seconds", [-1, 1e300, float("nan"), float("inf")])
def test_time_does_not_go_back(client, seconds):
    with pytest.raises(ValueError, match="must be from 0 to"):
        client.farm.advance(seconds)


def test_a_running_clock_cannot_be_driven(tmp_path):
    with closing(Farm(tmp_path / "farm")) as farm, pytest.raises(ValueError, match="ManualClock"):
        farm.advance(1)


@pytest.mark.parametrize("speed", [0, -1, 1e-9, 1e9, float("inf"), float("nan")])
def test_a_speed_that_is_none_is_refused(tmp_path, speed):
    with pytest.raises(ValueError, match=f"speed: must be from 0.000001 to 1000000 .*, got {speed}$"):
        Farm(tmp_path / "farm", speed=speed)


def test_frames_of_tasks_that_rest_stay_in_the_database(open_client):
    client = open_client()
    numbers = [client.submit() for _ in range(3)]
    working = client.submit(job(task_stop_time="0", frames="1-900[1]"))
    client.farm.advance(1000)
    site = Router(client.farm._simulation, "127.0.0.1")
    for number in (*numbers, working):
        assert site.respond(f"/task/{number}", "127.0.0.1")[0] == 200
    tasks = client.farm._simulation.tasks
    assert [number for number in tasks if tasks[number].frames is not None] == [working]
    for number in numbers:
        first = client.frames(number)["items"][0]["id"]
        client.call(LOG, id=first, pageNum=1, pageSize=1, renderingType="render")
    assert [number for number in tasks if tasks[number].frames is not None] == [working]


def test_a_task_asked_for_its_frames_before_it_has_any_is_rendered(client):
    number = client.create()
    assert client.frames(number)["items"] == []
    client.upload(number, job())
    client.call(SUBMIT, taskId=number)
    client.farm.advance(LONG)
    assert (client.task_state(number), client.task_info(number)["doneFrames"]) == (25, 4)
