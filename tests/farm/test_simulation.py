"""Tasks on a manual clock: states, times, money."""

from __future__ import annotations

from contextlib import closing
from decimal import ROUND_HALF_UP, Decimal

import pytest
from PIL import Image

from airflow_provider_renderbus.farm import Farm, ManualClock
from airflow_provider_renderbus.farm.pages.router import Router
from airflow_provider_renderbus.farm.simulation.scenario import Scenario, seeded_randint
from airflow_provider_renderbus.farm.simulation.tasks import TRANSITIONS, TaskEvent, TaskState
from dev.harness.embedded_farm import StockedFarm
from tests.farm.raw_client import LOG, PROFILE, STOP, SUBMIT, RawClient, job

LONG = 100_000
START = 1_767_225_600
MACHINES, QUEUE_SECONDS = Scenario().machines, Scenario().queue_seconds
MIN_SECONDS, MAX_SECONDS = Scenario().frame_seconds
ORDERS = {
    TaskEvent.STOPPED,
    TaskEvent.STARTED,
    TaskEvent.FULL_SPEED,
    TaskEvent.RECOMMITTED,
    TaskEvent.ABANDONED,
}


@pytest.fixture
def pictures():
    return True


def frame_seconds(scene, count):
    return [seeded_randint(scene, frame, 0, (MIN_SECONDS, MAX_SECONDS)) for frame in range(1, count + 1)]


def cost(seconds):
    return (Decimal("0.67") * seconds / 3600).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def remaining_funds(client):
    profile = client.call(PROFILE)
    return Decimal(str(profile["coupon"])), Decimal(str(profile["rmbbalance"]))


def output_files(client):
    return sorted(path.name for path in client.farm.output_root.rglob("*") if path.is_file())


def test_task_waits_renders_and_finishes(client):
    task_id = client.submit()
    assert client.task_info(task_id)["taskStatus"] == 0
    client.farm.advance(QUEUE_SECONDS - 1)
    assert client.task_info(task_id)["taskStatus"] == 0
    client.farm.advance(1)
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["statusText"], info["executingFrames"]) == (5, "render_task_status_5", 4)

    longest = max(frame_seconds("sh010", 4))
    client.farm.advance(longest - 1)
    assert client.task_info(task_id)["taskStatus"] == 5
    client.farm.advance(1)
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["doneFrames"], info["totalFrames"]) == (25, 4, 4)
    assert info["submitDate"] == START * 1000
    assert info["startTime"] == (START + QUEUE_SECONDS) * 1000
    assert info["completedDate"] == (START + QUEUE_SECONDS + longest) * 1000
    assert info["renderDuration"] == sum(frame_seconds("sh010", 4))


def test_advance_in_one_or_many_steps_has_same_result(tmp_path):
    results = []
    for name, steps in (("one", [3000]), ("many", [7] * 430)):
        with closing(StockedFarm(tmp_path / name, ManualClock())) as farm:
            client = RawClient(farm)
            task_id = client.submit(job(frames="1-12[1]"))
            for seconds in steps:
                farm.advance(seconds)
            frames = client.frames(task_id)["items"]
            results.append((client.task_info(task_id), frames, remaining_funds(client)))
    assert results[0] == results[1]


def test_advance_to_with_max_steps_has_same_result(open_client, tmp_path):
    results = []
    for max_steps in (1, 10_000):
        client = open_client(tmp_path / str(max_steps))
        task_ids = [client.submit(job(frames="1-6[1]")) for _ in range(3)]
        simulation = client.farm._simulation
        with simulation.lock:
            while (next_event_at := simulation.advance_to(3000, max_steps)) is not None:
                assert next_event_at <= 3000
        results.append([client.task_info(task_id) for task_id in task_ids])
    assert results[0] == results[1]
    assert {info["taskStatus"] for info in results[0]} == {25}


def test_machine_starts_next_frame_when_one_ends(client):
    task_id = client.submit(job(frames="1-6[1]"))
    client.farm.advance(QUEUE_SECONDS)
    first = sorted(frame_seconds("sh010", MACHINES))
    client.farm.advance(first[0])
    info = client.task_info(task_id)
    assert (info["doneFrames"], info["executingFrames"]) == (first.count(first[0]), MACHINES)
    frame = client.frames(task_id)["items"][MACHINES]
    assert (frame["frameStatus"], frame["startTime"]) == (2, (START + QUEUE_SECONDS + first[0]) * 1000)
    assert (frame["endTime"], frame["frameExecuteTime"]) == (None, None)


def test_frames_are_charged_exactly_coupons_first(client):
    frames = 500
    task_id = client.submit(job(frames=f"1-{frames}[1]", width="4", height="2"))
    coupon, balance = remaining_funds(client)
    client.farm.advance(100_000)
    costs = [cost(seconds) for seconds in frame_seconds("sh010", frames)]
    assert sum(costs) > coupon, "the job must use up the coupons"

    info = client.task_info(task_id)
    assert Decimal(str(info["renderConsume"])) == sum(costs)
    assert Decimal(str(info["couponConsume"])) == coupon
    assert Decimal(str(info["userAccountConsume"])) == sum(costs) - coupon
    assert remaining_funds(client) == (0, balance - (sum(costs) - coupon))
    paid = [
        Decimal(str(frame["feeAmount"])) + Decimal(str(frame["couponFee"]))
        for page in range(1, 6)
        for frame in client.frames(task_id, pageNum=page)["items"]
    ]
    assert paid == costs


def test_frame_file_appears_when_done(client):
    task_id = client.submit()
    client.farm.advance(QUEUE_SECONDS + MIN_SECONDS - 1)
    assert output_files(client) == []
    client.farm.advance(MAX_SECONDS)
    assert output_files(client) == [f"sh010_{frame:04d}.png" for frame in (1, 2, 3, 4)]
    path = client.farm.output_root / f"{task_id}_sh010" / "sh010_0003.png"
    with Image.open(path) as picture:
        assert (picture.size, picture.mode, picture.format) == ((32, 18), "RGB", "PNG")


@pytest.mark.parametrize("seconds", [0, QUEUE_SECONDS - 1, QUEUE_SECONDS, QUEUE_SECONDS + MIN_SECONDS])
def test_stopped_task_renders_and_costs_nothing_more(client, seconds):
    task_id = client.submit(job(frames="1-9[1]"))
    client.farm.advance(seconds)
    done = client.task_info(task_id)["doneFrames"]
    client.call(STOP, taskIds=[task_id])
    after_stop = (client.task_info(task_id), remaining_funds(client), output_files(client))
    assert after_stop[0]["taskStatus"] == 10
    assert after_stop[0]["abortFrames"] == 9 - done
    client.farm.advance(100_000)
    assert (client.task_info(task_id), remaining_funds(client), output_files(client)) == after_stop
    assert list((client.farm.output_root.parent.parent / "scratch").iterdir()) == []


def test_stop_after_end_changes_nothing(client):
    task_id = client.submit()
    client.farm.advance(1000)
    assert client.call_refused(STOP, taskIds=[task_id])[0] == 700
    running = client.submit()
    client.call(STOP, taskIds=[task_id, running])
    assert client.call_refused(STOP, taskIds=[task_id, running])[0] == 700
    assert [client.task_info(each)["taskStatus"] for each in (task_id, running)] == [25, 10]


def test_task_not_submitted_waits(client):
    task_id = client.create(labels=["夜间", "sh010"], artist="Ada")
    client.farm.advance(100_000)
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["submitDate"], info["outputFileName"]) == (0, None, None)
    assert info["labels"] == '{"1": "夜间", "2": "sh010"}'
    assert info["producer"] == "Ada"


def test_task_stopped_before_submit_cannot_be_submitted(client):
    task_id = client.create()
    client.upload(task_id, job())
    client.call(STOP, taskIds=[task_id])
    assert client.call_refused(SUBMIT, taskId=task_id)[0] == 600


def test_frame_with_unwritable_file_fails_and_costs_nothing(client):
    task_id = client.submit()
    funds = remaining_funds(client)
    (client.farm.output_root / f"{task_id}_sh010").write_text("in the way")
    client.farm.advance(1000)
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["failedFrames"], info["doneFrames"]) == (30, 4, 0)
    assert {frame["frameStatus"] for frame in client.frames(task_id)["items"]} == {5}
    assert remaining_funds(client) == funds


def test_frame_with_render_error_fails(client):
    task_id = client.submit()
    (client.farm.output_root.parent.parent / "scratch").rmdir()
    client.farm.advance(1000)
    assert client.task_info(task_id)["taskStatus"] == 30


def test_task_ids_continue_after_existing_output(tmp_path):
    for storage in tmp_path, None:
        with closing(StockedFarm(tmp_path, ManualClock())) as farm:
            last_id = RawClient(farm).submit()
            farm.advance(1000)
        if storage:
            (storage / "farm.db").unlink()
    assert last_id == 35_000_002


def test_transitions_leave_terminal_states_only_by_orders():
    without_order = {start for start, event in TRANSITIONS if event not in ORDERS}
    assert without_order == {TaskState.WAITING, TaskState.RENDERING, TaskState.PRE_RENDERING}
    assert {event for _, event in TRANSITIONS} == set(TaskEvent)
    assert set(TaskState) - {start for start, _ in TRANSITIONS} == {TaskState.ABANDON}
    reached, todo = {TaskState.WAITING}, [TaskState.WAITING]
    while todo:
        state = todo.pop()
        next_states = {end for (start, _), end in TRANSITIONS.items() if start is state} - reached
        reached |= next_states
        todo += next_states
    assert reached == set(TaskState)


def test_frame_seconds_are_repeatable_and_within_limits():
    seconds = frame_seconds("sh010", 200)
    assert seconds == frame_seconds("sh010", 200)
    assert seconds != frame_seconds("sh020", 200)
    assert min(seconds) >= MIN_SECONDS
    assert max(seconds) <= MAX_SECONDS


@pytest.mark.parametrize("seconds", [-1, 1e300, float("nan"), float("inf")])
def test_advance_invalid_seconds_raises(client, seconds):
    with pytest.raises(ValueError, match="must be from 0 to"):
        client.farm.advance(seconds)


def test_advance_without_manual_clock_raises(tmp_path):
    with closing(Farm(tmp_path / "farm")) as farm, pytest.raises(ValueError, match="ManualClock"):
        farm.advance(1)


@pytest.mark.parametrize("speed", [0, -1, 1e-9, 1e9, float("inf"), float("nan")])
def test_farm_invalid_speed_raises(tmp_path, speed):
    with pytest.raises(ValueError, match=f"speed: must be from 0.000001 to 1000000 .*, got {speed}$"):
        Farm(tmp_path / "farm", speed=speed)


def test_frames_of_idle_tasks_are_not_in_memory(open_client):
    client = open_client()
    task_ids = [client.submit() for _ in range(3)]
    working = client.submit(job(task_stop_time="0", frames="1-900[1]"))
    client.farm.advance(1000)
    router = Router(client.farm._simulation, "127.0.0.1")
    for task_id in (*task_ids, working):
        assert router.respond(f"/task/{task_id}", "127.0.0.1")[0] == 200
    tasks = client.farm._simulation.tasks
    assert [task_id for task_id in tasks if tasks[task_id].frames is not None] == [working]
    for task_id in task_ids:
        first = client.frames(task_id)["items"][0]["id"]
        client.call(LOG, id=first, pageNum=1, pageSize=1, renderingType="render")
    assert [task_id for task_id in tasks if tasks[task_id].frames is not None] == [working]


def test_task_queried_before_submit_is_rendered(client):
    task_id = client.create()
    assert client.frames(task_id)["items"] == []
    client.upload(task_id, job())
    client.call(SUBMIT, taskId=task_id)
    client.farm.advance(LONG)
    assert (client.task_state(task_id), client.task_info(task_id)["doneFrames"]) == (25, 4)
