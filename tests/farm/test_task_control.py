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
def caller(opened):
    return opened(frame_seconds=[100, 100])


def test_a_stopped_task_goes_on_when_it_is_started(caller):
    number = caller.submit(job(frames="1-9[1]"))
    caller.farm.advance(161)
    caller.call(STOP, taskIds=[number])
    done = caller.info(number)["doneFrames"]
    assert done == 4
    caller.call(START, taskIds=[number])
    assert caller.status(number) == 0
    caller.farm.advance(59)
    assert caller.status(number) == 0
    caller.farm.advance(LONG)
    info = caller.info(number)
    assert (info["taskStatus"], info["doneFrames"], info["abortFrames"]) == (25, 9, 0)
    assert {frame["recommitFlag"] for frame in caller.frames(number)["items"]} == {0}
    assert info["renderDuration"] == 900


def test_a_look_that_was_planned_before_a_stop_means_nothing_after_a_start(caller):
    number = caller.submit()
    caller.farm.advance(50)
    caller.call(STOP, taskIds=[number])
    caller.call(START, taskIds=[number])
    caller.farm.advance(15)
    assert caller.status(number) == 0
    caller.farm.advance(45)
    assert caller.status(number) == 5


def test_start_leaves_alone_what_is_not_stopped(caller):
    running, ended, new = caller.submit(), caller.submit(), caller.create()
    caller.farm.advance(LONG)
    caller.call(START, taskIds=[running, ended, new])
    caller.farm.advance(LONG)
    assert [caller.status(number) for number in (running, ended, new)] == [25, 25, 0]


def test_an_abandoned_task_never_runs_again(caller):
    number = caller.submit()
    caller.farm.advance(60)
    caller.call(ABANDON, taskIds=[number])
    assert caller.status(number) == 35
    for path in (START, FULL_SPEED, RECOMMIT_FAILED):
        assert caller.refused(path, taskIds=[number])[0] == 600
    assert caller.refused(RECOMMIT, taskId=number, selectAll=1)[0] == 600
    caller.farm.advance(LONG)
    assert caller.status(number) == 35


def test_a_finished_task_is_not_abandoned(caller):
    number = caller.submit()
    caller.farm.advance(LONG)
    caller.call(ABANDON, taskIds=[number])
    assert caller.status(number) == 25


def test_a_deleted_task_is_stopped_and_off_the_list(caller):
    number, other = caller.submit(), caller.submit()
    caller.farm.advance(60)
    caller.call(DELETE, taskIds=[number])
    caller.farm.advance(LONG)
    info = caller.info(number)
    assert (info["taskStatus"], info["isDelete"], info["doneFrames"]) == (10, 0, 0)
    assert [item["id"] for item in caller.call(LIST)["items"]] == [other]
    assert [item["id"] for item in caller.call(LIST, recycleFlag=1)["items"]] == [number]
    assert caller.refused(START, taskIds=[number])[0] == 404
    assert caller.refused(FRAMES, taskId=number)[0] == 404


def test_a_task_pauses_after_its_priority_frames_until_full_speed(caller):
    number = caller.submit(job(frames="1-9[1]", pre_frames="101:5", stop_after_test="1"))
    caller.farm.advance(LONG)
    info = caller.info(number)
    assert (info["taskStatus"], info["doneFrames"], info["totalFrames"]) == (40, 3, 9)
    types = {frame["frameIndex"]: frame["frameType"] for frame in caller.frames(number)["items"]}
    assert {index for index, kind in types.items() if kind == 4} == {"1", "5", "9"}
    caller.call(FULL_SPEED, taskIds=[number])
    assert caller.status(number) == 5
    caller.farm.advance(LONG)
    assert (caller.status(number), caller.info(number)["doneFrames"]) == (25, 9)


def test_priority_frames_go_first_without_a_pause_where_none_is_asked_for(caller):
    number = caller.submit(job(frames="1-9[1]", pre_frames="011", stop_after_test="2"))
    caller.farm.advance(60)
    states = caller.states(number)
    assert [index for index, state in states.items() if state == 2] == ["5", "9"]
    caller.farm.advance(LONG)
    assert caller.status(number) == 25


def test_full_speed_before_the_pause_makes_none(caller):
    number = caller.submit(job(frames="1-9[1]", pre_frames="100", stop_after_test="1"))
    caller.farm.advance(70)
    caller.call(FULL_SPEED, taskIds=[number])
    caller.farm.advance(LONG)
    assert caller.status(number) == 25


def test_a_paused_task_can_be_stopped_and_started_and_pauses_again(caller):
    number = caller.submit(job(frames="1-9[1]", pre_frames="100", stop_after_test="1"))
    caller.farm.advance(LONG)
    caller.call(STOP, taskIds=[number])
    assert caller.status(number) == 10
    caller.call(START, taskIds=[number])
    caller.farm.advance(LONG)
    assert caller.status(number) == 40


def test_failed_frames_are_recommitted_until_they_are_done(opened):
    caller = opened(renders=[{"scene": "sh010*", "fail_frames": "2-3", "fail_times": 2}])
    number = caller.submit()
    for attempt in (1, 2):
        caller.farm.advance(LONG)
        info = caller.info(number)
        assert (info["taskStatus"], info["failedFrames"], info["doneFrames"]) == (30, 2, 2)
        assert caller.states(number) == {"1": 4, "2": 5, "3": 5, "4": 4}
        caller.call(RECOMMIT_FAILED, taskIds=[number])
        assert caller.status(number) == 0
        flags = [frame["recommitFlag"] for frame in caller.frames(number)["items"]]
        assert flags == [0, attempt, attempt, 0]
    caller.farm.advance(LONG)
    assert caller.status(number) == 25
    assert len(list(caller.farm.output_root.rglob("*.png"))) == 4


def test_recommit_names_states(caller):
    number = caller.submit()
    caller.farm.advance(161)
    caller.call(RECOMMIT_FAILED, taskIds=[number], status=[4])
    caller.farm.advance(LONG)
    assert caller.info(number)["renderDuration"] == 800


def test_chosen_frames_are_recommitted_and_paid_again(caller):
    number, other = caller.submit(), caller.submit()
    caller.farm.advance(LONG)
    before = caller.info(number)["renderConsume"]
    frames = caller.frames(number)["items"]
    stranger = caller.frames(other)["items"][0]["id"]
    assert caller.refused(RECOMMIT, taskId=number, ids=[stranger], selectAll=0)[0] == 600
    assert caller.refused(RECOMMIT, taskId=number, ids=[], selectAll=0)[0] == 601
    assert caller.refused(RECOMMIT, ids=[7], selectAll=0)[0] == 404
    caller.call(RECOMMIT, ids=[frames[0]["id"], frames[2]["id"]], selectAll=0)
    caller.farm.advance(LONG)
    info = caller.info(number)
    assert (info["taskStatus"], info["renderDuration"]) == (25, 600)
    assert info["renderConsume"] == pytest.approx(before * 1.5)
    again = caller.frames(number)["items"]
    assert [frame["recommitFlag"] for frame in again] == [1, 0, 1, 0]
    assert again[0]["couponFee"] == frames[0]["couponFee"] * 2
    assert sum(frame["couponFee"] for frame in again) == pytest.approx(info["couponConsume"])


def test_a_recommit_is_refused_as_a_whole(caller):
    done, gone = caller.submit(), caller.submit()
    caller.farm.advance(100)
    caller.call(ABANDON, taskIds=[gone])
    caller.farm.advance(LONG)
    ids = [frame["id"] for number in (done, gone) for frame in caller.frames(number)["items"]]
    assert caller.refused(RECOMMIT, ids=ids, selectAll=0)[0] == 600
    assert (caller.status(done), caller.status(gone)) == (25, 35)


def test_a_stopped_frame_tells_how_long_it_was_rendered(caller):
    number = caller.submit()
    caller.farm.advance(60 + 10)
    caller.call(STOP, taskIds=[number])
    assert {frame["frameExecuteTime"] for frame in caller.frames(number)["items"]} == {10}
    caller.call(START, taskIds=[number])
    caller.farm.advance(LONG)
    assert {frame["frameExecuteTime"] for frame in caller.frames(number)["items"]} == {100}


def test_select_all_overrules_ids(caller):
    number = caller.submit()
    caller.farm.advance(LONG)
    caller.call(RECOMMIT, taskId=number, ids=[1], selectAll=1)
    assert {frame["recommitFlag"] for frame in caller.frames(number)["items"]} == {1}
    assert caller.refused(RECOMMIT, selectAll=1)[0] == 601


def test_frames_under_way_are_not_recommitted(caller):
    number = caller.submit(job(frames="1-9[1]"))
    caller.farm.advance(60)
    caller.call(RECOMMIT, taskId=number, selectAll=1)
    caller.farm.advance(LONG)
    assert (caller.status(number), caller.info(number)["renderDuration"]) == (25, 900)


@pytest.mark.parametrize(("shown", "status"), [({}, 30), ({"70": 70}, 70)])
def test_stopped_frames_are_missing_at_the_end(opened, shown, status):
    caller = opened(frame_seconds=[100, 100], renders=[{"reported_as": shown}])
    number = caller.submit(job(frames="1-9[1]"))
    caller.farm.advance(60)
    frames = caller.frames(number)["items"]
    caller.call(STOP_FRAMES, taskId=number, ids=[frames[at]["id"] for at in (0, 8)], selectAll=0)
    caller.farm.advance(LONG)
    info = caller.info(number)
    assert (info["taskStatus"], info["doneFrames"], info["abortFrames"]) == (status, 7, 2)
    caller.call(START, taskIds=[number])
    caller.farm.advance(LONG)
    assert caller.status(number) == 25


def test_all_frames_can_be_stopped(caller):
    number = caller.submit()
    caller.farm.advance(60)
    caller.call(STOP_FRAMES, taskId=number, selectAll=1, status=[1, 2])
    caller.farm.advance(0)
    assert caller.info(number)["abortFrames"] == 4
    assert caller.status(number) == 30


def test_a_task_over_its_time_is_stopped_and_can_go_on(caller):
    number = caller.submit(job(frames="1-9[1]", task_stop_time="150"))
    caller.farm.advance(60 + 149)
    assert caller.status(number) == 5
    caller.farm.advance(1)
    info = caller.info(number)
    assert (info["taskStatus"], info["doneFrames"], info["abortFrames"], info["overTimeStop"]) == (
        23,
        4,
        5,
        150,
    )
    caller.call(OVERTIME, taskIds=[number], overTime=0)
    caller.call(START, taskIds=[number])
    caller.farm.advance(LONG)
    assert caller.status(number) == 25


@pytest.mark.parametrize(("seconds", "status"), [(50, 23), (250, 23), (301, 25), (0, 25)])
def test_the_time_of_a_working_task_can_be_set(caller, seconds, status):
    number = caller.submit(job(frames="1-9[1]"))
    caller.farm.advance(60 + 70)
    caller.call(OVERTIME, taskIds=[number], overTime=seconds)
    caller.farm.advance(LONG)
    assert caller.status(number) == status


def test_a_frame_over_its_time_fails_and_costs_nothing(caller):
    number = caller.submit(job(job_stop_time="99"))
    caller.farm.advance(LONG)
    info = caller.info(number)
    assert (info["taskStatus"], info["failedFrames"], info["renderConsume"]) == (30, 4, 0)
    assert set(caller.states(number).values()) == {11}


def test_the_limit_of_machines_holds(caller):
    number = caller.submit(job(frames="1-9[1]"))
    caller.farm.advance(60)
    caller.call(LIMIT, taskId=number, taskLimit=6)
    caller.farm.advance(0)
    info = caller.info(number)
    assert (info["executingFrames"], info["taskLimit"]) == (6, 6)
    caller.call(LIMIT, taskId=number, taskLimit=1)
    caller.farm.advance(100)
    assert caller.info(number)["executingFrames"] == 1


def test_a_clone_has_the_files_of_its_origin(caller):
    number = caller.submit()
    clone = caller.create(cloneOriginalId=number)
    caller.call(SUBMIT, taskId=clone)
    assert caller.info(clone)["cloneOriginalId"] == number
    assert caller.call(INFO, taskIds=[clone])["items"][0]["totalFrames"] == 4
