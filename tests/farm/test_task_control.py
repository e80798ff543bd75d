"""Orders about tasks under way: stop, start, full speed, recommit, limits."""

from __future__ import annotations

import pytest

from tests.farm.raw_client import (
    ABANDON,
    DELETE,
    FRAMES,
    FULL_SPEED,
    INFO,
    LIMIT,
    LIST,
    OVERTIME,
    RECOMMIT,
    RECOMMIT_FAILED,
    START,
    STOP,
    STOP_FRAMES,
    SUBMIT,
    job,
)

LONG = 100_000


@pytest.fixture
def client(open_client):
    return open_client(frame_seconds=[100, 100])


def test_a_stopped_task_goes_on_when_it_is_started(client):
    number = client.submit(job(frames="1-9[1]"))
    client.farm.advance(161)
    client.call(STOP, taskIds=[number])
    done = client.task_info(number)["doneFrames"]
    assert done == 4
    client.call(START, taskIds=[number])
    assert client.task_state(number) == 0
    client.farm.advance(59)
    assert client.task_state(number) == 0
    client.farm.advance(LONG)
    info = client.task_info(number)
    assert (info["taskStatus"], info["doneFrames"], info["abortFrames"]) == (25, 9, 0)
    assert {frame["recommitFlag"] for frame in client.frames(number)["items"]} == {0}
    assert info["renderDuration"] == 900


def test_a_look_that_was_planned_before_a_stop_means_nothing_after_a_start(client):
    number = client.submit()
    client.farm.advance(50)
    client.call(STOP, taskIds=[number])
    client.call(START, taskIds=[number])
    client.farm.advance(15)
    assert client.task_state(number) == 0
    client.farm.advance(45)
    assert client.task_state(number) == 5


def test_start_leaves_alone_what_is_not_stopped(client):
    running, ended, new = client.submit(), client.submit(), client.create()
    client.farm.advance(LONG)
    client.call(START, taskIds=[running, ended, new])
    client.farm.advance(LONG)
    assert [client.task_state(number) for number in (running, ended, new)] == [25, 25, 0]


def test_an_abandoned_task_never_runs_again(client):
    number = client.submit()
    client.farm.advance(60)
    client.call(ABANDON, taskIds=[number])
    assert client.task_state(number) == 35
    for path in (START, FULL_SPEED, RECOMMIT_FAILED):
        assert client.call_refused(path, taskIds=[number])[0] == 600
    assert client.call_refused(RECOMMIT, taskId=number, selectAll=1)[0] == 600
    client.farm.advance(LONG)
    assert client.task_state(number) == 35


def test_a_finished_task_is_not_abandoned(client):
    number = client.submit()
    client.farm.advance(LONG)
    client.call(ABANDON, taskIds=[number])
    assert client.task_state(number) == 25


def test_a_deleted_task_is_stopped_and_off_the_list(client):
    number, other = client.submit(), client.submit()
    client.farm.advance(60)
    client.call(DELETE, taskIds=[number])
    client.farm.advance(LONG)
    info = client.task_info(number)
    assert (info["taskStatus"], info["isDelete"], info["doneFrames"]) == (10, 0, 0)
    assert [item["id"] for item in client.call(LIST)["items"]] == [other]
    assert [item["id"] for item in client.call(LIST, recycleFlag=1)["items"]] == [number]
    assert client.call_refused(START, taskIds=[number])[0] == 404
    assert client.call_refused(FRAMES, taskId=number)[0] == 404


def test_a_task_pauses_after_its_priority_frames_until_full_speed(client):
    number = client.submit(job(frames="1-9[1]", pre_frames="101:5", stop_after_test="1"))
    client.farm.advance(LONG)
    info = client.task_info(number)
    assert (info["taskStatus"], info["doneFrames"], info["totalFrames"]) == (40, 3, 9)
    types = {frame["frameIndex"]: frame["frameType"] for frame in client.frames(number)["items"]}
    assert {index for index, kind in types.items() if kind == 4} == {"1", "5", "9"}
    client.call(FULL_SPEED, taskIds=[number])
    assert client.task_state(number) == 5
    client.farm.advance(LONG)
    assert (client.task_state(number), client.task_info(number)["doneFrames"]) == (25, 9)


def test_priority_frames_go_first_without_a_pause_where_none_is_asked_for(client):
    number = client.submit(job(frames="1-9[1]", pre_frames="011", stop_after_test="2"))
    client.farm.advance(60)
    states = client.frame_states(number)
    assert [index for index, state in states.items() if state == 2] == ["5", "9"]
    client.farm.advance(LONG)
    assert client.task_state(number) == 25


def test_full_speed_before_the_pause_makes_none(client):
    number = client.submit(job(frames="1-9[1]", pre_frames="100", stop_after_test="1"))
    client.farm.advance(70)
    client.call(FULL_SPEED, taskIds=[number])
    client.farm.advance(LONG)
    assert client.task_state(number) == 25


def test_a_paused_task_can_be_stopped_and_started_and_pauses_again(client):
    number = client.submit(job(frames="1-9[1]", pre_frames="100", stop_after_test="1"))
    client.farm.advance(LONG)
    client.call(STOP, taskIds=[number])
    assert client.task_state(number) == 10
    client.call(START, taskIds=[number])
    client.farm.advance(LONG)
    assert client.task_state(number) == 40


def test_failed_frames_are_recommitted_until_they_are_done(open_client):
    client = open_client(renders=[{"scene": "sh010*", "fail_frames": "2-3", "fail_times": 2}])
    number = client.submit()
    for attempt in (1, 2):
        client.farm.advance(LONG)
        info = client.task_info(number)
        assert (info["taskStatus"], info["failedFrames"], info["doneFrames"]) == (30, 2, 2)
        assert client.frame_states(number) == {"1": 4, "2": 5, "3": 5, "4": 4}
        client.call(RECOMMIT_FAILED, taskIds=[number])
        assert client.task_state(number) == 0
        flags = [frame["recommitFlag"] for frame in client.frames(number)["items"]]
        assert flags == [0, attempt, attempt, 0]
    client.farm.advance(LONG)
    assert client.task_state(number) == 25
    assert len(list(client.farm.output_root.rglob("*.png"))) == 4


def test_recommit_names_states(client):
    number = client.submit()
    client.farm.advance(161)
    client.call(RECOMMIT_FAILED, taskIds=[number], status=[4])
    client.farm.advance(LONG)
    assert client.task_info(number)["renderDuration"] == 800


def test_chosen_frames_are_recommitted_and_paid_again(client):
    number, other = client.submit(), client.submit()
    client.farm.advance(LONG)
    before = client.task_info(number)["renderConsume"]
    frames = client.frames(number)["items"]
    stranger = client.frames(other)["items"][0]["id"]
    assert client.call_refused(RECOMMIT, taskId=number, ids=[stranger], selectAll=0)[0] == 600
    assert client.call_refused(RECOMMIT, taskId=number, ids=[], selectAll=0)[0] == 601
    assert client.call_refused(RECOMMIT, ids=[7], selectAll=0)[0] == 404
    client.call(RECOMMIT, ids=[frames[0]["id"], frames[2]["id"]], selectAll=0)
    client.farm.advance(LONG)
    info = client.task_info(number)
    assert (info["taskStatus"], info["renderDuration"]) == (25, 600)
    assert info["renderConsume"] == pytest.approx(before * 1.5)
    again = client.frames(number)["items"]
    assert [frame["recommitFlag"] for frame in again] == [1, 0, 1, 0]
    assert again[0]["couponFee"] == frames[0]["couponFee"] * 2
    assert sum(frame["couponFee"] for frame in again) == pytest.approx(info["couponConsume"])


def test_a_recommit_is_refused_as_a_whole(client):
    done, gone = client.submit(), client.submit()
    client.farm.advance(100)
    client.call(ABANDON, taskIds=[gone])
    client.farm.advance(LONG)
    ids = [frame["id"] for number in (done, gone) for frame in client.frames(number)["items"]]
    assert client.call_refused(RECOMMIT, ids=ids, selectAll=0)[0] == 600
    assert (client.task_state(done), client.task_state(gone)) == (25, 35)


def test_a_stopped_frame_tells_how_long_it_was_rendered(client):
    number = client.submit()
    client.farm.advance(60 + 10)
    client.call(STOP, taskIds=[number])
    assert {frame["frameExecuteTime"] for frame in client.frames(number)["items"]} == {10}
    client.call(START, taskIds=[number])
    client.farm.advance(LONG)
    assert {frame["frameExecuteTime"] for frame in client.frames(number)["items"]} == {100}


def test_select_all_overrules_ids(client):
    number = client.submit()
    client.farm.advance(LONG)
    client.call(RECOMMIT, taskId=number, ids=[1], selectAll=1)
    assert {frame["recommitFlag"] for frame in client.frames(number)["items"]} == {1}
    assert client.call_refused(RECOMMIT, selectAll=1)[0] == 601


def test_frames_under_way_are_not_recommitted(client):
    number = client.submit(job(frames="1-9[1]"))
    client.farm.advance(60)
    client.call(RECOMMIT, taskId=number, selectAll=1)
    client.farm.advance(LONG)
    assert (client.task_state(number), client.task_info(number)["renderDuration"]) == (25, 900)


@pytest.mark.parametrize(("shown", "status"), [({}, 30), ({"70": 70}, 70)])
def test_stopped_frames_are_missing_at_the_end(open_client, shown, status):
    client = open_client(frame_seconds=[100, 100], renders=[{"reported_as": shown}])
    number = client.submit(job(frames="1-9[1]"))
    client.farm.advance(60)
    frames = client.frames(number)["items"]
    client.call(STOP_FRAMES, taskId=number, ids=[frames[at]["id"] for at in (0, 8)], selectAll=0)
    client.farm.advance(LONG)
    info = client.task_info(number)
    assert (info["taskStatus"], info["doneFrames"], info["abortFrames"]) == (status, 7, 2)
    client.call(START, taskIds=[number])
    client.farm.advance(LONG)
    assert client.task_state(number) == 25


def test_all_frames_can_be_stopped(client):
    number = client.submit()
    client.farm.advance(60)
    client.call(STOP_FRAMES, taskId=number, selectAll=1, status=[1, 2])
    client.farm.advance(0)
    assert client.task_info(number)["abortFrames"] == 4
    assert client.task_state(number) == 30


def test_a_task_over_its_time_is_stopped_and_can_go_on(client):
    number = client.submit(job(frames="1-9[1]", task_stop_time="150"))
    client.farm.advance(60 + 149)
    assert client.task_state(number) == 5
    client.farm.advance(1)
    info = client.task_info(number)
    assert (info["taskStatus"], info["doneFrames"], info["abortFrames"], info["overTimeStop"]) == (
        23,
        4,
        5,
        150,
    )
    client.call(OVERTIME, taskIds=[number], overTime=0)
    client.call(START, taskIds=[number])
    client.farm.advance(LONG)
    assert client.task_state(number) == 25


@pytest.mark.parametrize(("seconds", "status"), [(50, 23), (250, 23), (301, 25), (0, 25)])
def test_the_time_of_a_working_task_can_be_set(client, seconds, status):
    number = client.submit(job(frames="1-9[1]"))
    client.farm.advance(60 + 70)
    client.call(OVERTIME, taskIds=[number], overTime=seconds)
    client.farm.advance(LONG)
    assert client.task_state(number) == status


def test_a_frame_over_its_time_fails_and_costs_nothing(client):
    number = client.submit(job(job_stop_time="99"))
    client.farm.advance(LONG)
    info = client.task_info(number)
    assert (info["taskStatus"], info["failedFrames"], info["renderConsume"]) == (30, 4, 0)
    assert set(client.frame_states(number).values()) == {11}


def test_the_limit_of_machines_holds(client):
    number = client.submit(job(frames="1-9[1]"))
    client.farm.advance(60)
    client.call(LIMIT, taskId=number, taskLimit=6)
    client.farm.advance(0)
    info = client.task_info(number)
    assert (info["executingFrames"], info["taskLimit"]) == (6, 6)
    client.call(LIMIT, taskId=number, taskLimit=1)
    client.farm.advance(100)
    assert client.task_info(number)["executingFrames"] == 1


def test_a_clone_has_the_files_of_its_origin(client):
    number = client.submit()
    clone = client.create(cloneOriginalId=number)
    client.call(SUBMIT, taskId=clone)
    assert client.task_info(clone)["cloneOriginalId"] == number
    assert client.call(INFO, taskIds=[clone])["items"][0]["totalFrames"] == 4
