"""Orders to tasks: stop, start, full speed, recommit, limits."""

from __future__ import annotations

from contextlib import closing

import pytest

from airflow_provider_renderbus.farm import ManualClock, control
from dev.harness.embedded_farm import StockedFarm
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
    RawClient,
    job,
    maya_job,
)

LONG = 100_000


@pytest.fixture
def client(open_client):
    return open_client(frame_seconds=[100, 100])


def test_start_continues_stopped_task(client):
    task_id = client.submit(job(frames="1-9[1]"))
    client.farm.advance(161)
    client.call(STOP, taskIds=[task_id])
    done = client.task_info(task_id)["doneFrames"]
    assert done == 4
    client.call(START, taskIds=[task_id])
    assert client.task_state(task_id) == 0
    client.farm.advance(59)
    assert client.task_state(task_id) == 0
    client.farm.advance(LONG)
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["doneFrames"], info["abortFrames"]) == (25, 9, 0)
    assert {frame["recommitFlag"] for frame in client.frames(task_id)["items"]} == {0}
    assert info["renderDuration"] == 900


def test_start_ignores_event_queued_before_stop(client):
    task_id = client.submit()
    client.farm.advance(50)
    client.call(STOP, taskIds=[task_id])
    client.call(START, taskIds=[task_id])
    client.farm.advance(15)
    assert client.task_state(task_id) == 0
    client.farm.advance(45)
    assert client.task_state(task_id) == 5


def test_start_of_task_not_stopped_changes_nothing(client):
    running, ended, new = client.submit(), client.submit(), client.create()
    client.farm.advance(LONG)
    assert client.call_refused(START, taskIds=[running, ended, new])[0] == 700
    client.farm.advance(LONG)
    assert [client.task_state(task_id) for task_id in (running, ended, new)] == [25, 25, 0]


def test_abandoned_task_never_runs_again(client):
    task_id = client.submit()
    client.farm.advance(60)
    client.call(ABANDON, taskIds=[task_id])
    assert client.task_state(task_id) == 35
    for path in (START, FULL_SPEED, RECOMMIT_FAILED):
        assert client.call_refused(path, taskIds=[task_id])[0] == 600
    assert client.call_refused(RECOMMIT, taskId=task_id, selectAll=1)[0] == 600
    client.farm.advance(LONG)
    assert client.task_state(task_id) == 35


def test_abandon_finished_task_changes_nothing(client):
    task_id = client.submit()
    client.farm.advance(LONG)
    client.call(ABANDON, taskIds=[task_id])
    assert client.task_state(task_id) == 25


def test_delete_stops_task_and_removes_it_from_list(client):
    task_id, other = client.submit(), client.submit()
    client.farm.advance(60)
    client.call(DELETE, taskIds=[task_id])
    client.farm.advance(LONG)
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["isDelete"], info["doneFrames"]) == (10, 0, 0)
    assert [item["id"] for item in client.call(LIST)["items"]] == [other]
    assert [item["id"] for item in client.call(LIST, recycleFlag=1)["items"]] == [task_id]
    assert client.call_refused(START, taskIds=[task_id])[0] == 937
    assert client.call_refused(FRAMES, taskId=task_id)[0] == 937


def test_task_pauses_after_priority_frames_until_full_speed(client):
    task_id = client.submit(job(frames="1-9[1]", pre_frames="101:5", stop_after_test="1"))
    client.farm.advance(LONG)
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["doneFrames"], info["totalFrames"]) == (40, 3, 9)
    types = {frame["frameIndex"]: frame["frameType"] for frame in client.frames(task_id)["items"]}
    assert {name for name, frame_type in types.items() if frame_type == 4} == {"1", "5", "9"}
    client.call(FULL_SPEED, taskIds=[task_id])
    assert client.task_state(task_id) == 5
    client.farm.advance(LONG)
    assert (client.task_state(task_id), client.task_info(task_id)["doneFrames"]) == (25, 9)


def test_priority_frames_without_pause_render_first(client):
    task_id = client.submit(job(frames="1-9[1]", pre_frames="011", stop_after_test="2"))
    client.farm.advance(60)
    states = client.frame_states(task_id)
    assert [name for name, state in states.items() if state == 2] == ["5", "9"]
    client.farm.advance(LONG)
    assert client.task_state(task_id) == 25


def test_full_speed_before_pause_prevents_it(client):
    task_id = client.submit(job(frames="1-9[1]", pre_frames="100", stop_after_test="1"))
    client.farm.advance(70)
    client.call(FULL_SPEED, taskIds=[task_id])
    client.farm.advance(LONG)
    assert client.task_state(task_id) == 25


def test_paused_task_stopped_and_started_pauses_again(client):
    task_id = client.submit(job(frames="1-9[1]", pre_frames="100", stop_after_test="1"))
    client.farm.advance(LONG)
    client.call(STOP, taskIds=[task_id])
    assert client.task_state(task_id) == 10
    client.call(START, taskIds=[task_id])
    client.farm.advance(LONG)
    assert client.task_state(task_id) == 40


def test_recommit_failed_frames_until_done(open_client):
    client = open_client(renders=[{"scene": "sh010*", "fail_frames": "2-3", "fail_times": 2}])
    task_id = client.submit()
    for attempt in (1, 2):
        client.farm.advance(LONG)
        info = client.task_info(task_id)
        assert (info["taskStatus"], info["failedFrames"], info["doneFrames"]) == (30, 2, 2)
        assert client.frame_states(task_id) == {"1": 4, "2": 5, "3": 5, "4": 4}
        client.call(RECOMMIT_FAILED, taskIds=[task_id])
        assert client.task_state(task_id) == 0
        flags = [frame["recommitFlag"] for frame in client.frames(task_id)["items"]]
        assert flags == [0, attempt, attempt, 0]
    client.farm.advance(LONG)
    assert client.task_state(task_id) == 25
    assert len(list(client.farm.output_root.rglob("*.png"))) == 4


def test_recommit_failed_frames_with_states(client):
    task_id = client.submit()
    client.farm.advance(161)
    client.call(RECOMMIT_FAILED, taskIds=[task_id], status=[4])
    client.farm.advance(LONG)
    assert client.task_info(task_id)["renderDuration"] == 800


def test_recommit_selected_frames_charges_again(client):
    task_id, other = client.submit(), client.submit()
    client.farm.advance(LONG)
    before = client.task_info(task_id)["renderConsume"]
    frames = client.frames(task_id)["items"]
    foreign_id = client.frames(other)["items"][0]["id"]
    assert client.call_refused(RECOMMIT, taskId=task_id, ids=[foreign_id], selectAll=0)[0] == 600
    assert client.call_refused(RECOMMIT, taskId=task_id, ids=[], selectAll=0)[0] == 601
    assert client.call_refused(RECOMMIT, ids=[7], selectAll=0)[0] == 404
    assert client.call_refused(RECOMMIT_FAILED, taskIds=[task_id])[0] == 700
    client.call(RECOMMIT, ids=[frames[0]["id"], frames[2]["id"]], selectAll=0)
    client.farm.advance(LONG)
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["renderDuration"]) == (25, 600)
    assert info["renderConsume"] == pytest.approx(before * 1.5)
    recommitted = client.frames(task_id)["items"]
    assert [frame["recommitFlag"] for frame in recommitted] == [1, 0, 1, 0]
    assert recommitted[0]["couponFee"] == frames[0]["couponFee"] * 2
    assert sum(frame["couponFee"] for frame in recommitted) == pytest.approx(info["couponConsume"])


def test_recommit_with_abandoned_task_refuses_all(client):
    finished, abandoned = client.submit(), client.submit()
    client.farm.advance(100)
    client.call(ABANDON, taskIds=[abandoned])
    client.farm.advance(LONG)
    ids = [frame["id"] for task_id in (finished, abandoned) for frame in client.frames(task_id)["items"]]
    assert client.call_refused(RECOMMIT, ids=ids, selectAll=0)[0] == 600
    assert (client.task_state(finished), client.task_state(abandoned)) == (25, 35)


def test_stopped_frame_reports_seconds_until_stop(client):
    task_id = client.submit()
    client.farm.advance(60 + 10)
    client.call(STOP, taskIds=[task_id])
    assert {frame["frameExecuteTime"] for frame in client.frames(task_id)["items"]} == {10}
    client.call(START, taskIds=[task_id])
    client.farm.advance(LONG)
    assert {frame["frameExecuteTime"] for frame in client.frames(task_id)["items"]} == {100}


def test_recommit_select_all_ignores_ids(client):
    task_id = client.submit()
    client.farm.advance(LONG)
    client.call(RECOMMIT, taskId=task_id, ids=[1], selectAll=1)
    assert {frame["recommitFlag"] for frame in client.frames(task_id)["items"]} == {1}
    assert client.call_refused(RECOMMIT, selectAll=1)[0] == 601


def frame_ids(client, task_id, *states):
    return [frame["id"] for frame in client.frames(task_id)["items"] if frame["frameStatus"] in states]


@pytest.mark.parametrize("state", [1, 2, 3, 11])
def test_recommit_frame_in_other_state_refuses_all(open_client, state):
    client = open_client(frame_seconds=[100, 100], machines=2)
    task_id = client.submit(job(frames="1-9[1]", **({"job_stop_time": "99"} if state == 11 else {})))
    other = client.submit(job(frames="1-2[1]"))
    client.farm.advance(60 + 100)
    if state == 3:
        client.call(STOP, taskIds=[task_id])
    refused, allowed = frame_ids(client, task_id, state)[0], frame_ids(client, other, 4)
    for ids in ([refused], [*allowed, refused], [refused, *allowed]):
        code, message = client.call_refused(RECOMMIT, ids=ids, selectAll=0)
        assert (code, f"Frame {refused} cannot be recommitted" in message) == (600, True)
    assert {frame["recommitFlag"] for frame in client.frames(other)["items"]} == {0}
    client.call(RECOMMIT, ids=allowed, selectAll=0)


def test_recommit_merged_frame_refuses_all(client):
    task_id = client.submit(job(frames="1-2[1]", tiles="2"))
    client.farm.advance(LONG)
    frames = client.frames(task_id)["items"]
    assert [frame["frameType"] for frame in frames] == [5, 5, 7] * 2
    for ids in ([frames[2]["id"]], [frame["id"] for frame in frames]):
        assert client.call_refused(RECOMMIT, ids=ids, selectAll=0)[0] == 600
    client.call(RECOMMIT, ids=[frames[1]["id"]], selectAll=0)
    client.farm.advance(LONG)
    assert client.task_state(task_id) == 25
    flags = [frame["recommitFlag"] for frame in client.frames(task_id)["items"]]
    assert flags == [0, 1, 1, 0, 0, 0]  # the merge of a tile follows it


def test_recommit_of_failed_tile_renders_its_merged_frame(open_client):
    client = open_client(renders=[{"fail_frames": "1", "fail_times": 1}])
    task_id = client.submit(job(frames="1-2[1]", tiles="2"))
    client.farm.advance(LONG)
    assert client.frame_states(task_id) == {"1-1": 5, "1-2": 5, "1": 5, "2-1": 4, "2-2": 4, "2": 4}
    client.call(RECOMMIT_FAILED, taskIds=[task_id])
    client.farm.advance(LONG)
    assert client.frame_states(task_id)["1"] == 4 or client.task_state(task_id) == 30


@pytest.mark.parametrize("path", [RECOMMIT, RECOMMIT_FAILED])
def test_recommit_by_state_leaves_out_other_frames(client, path):
    task_id = client.submit(job(frames="1-9[1]"))
    client.farm.advance(161)
    client.call(path, taskId=task_id, selectAll=1, taskIds=[task_id], status=[1, 2, 3, 4, 11])
    client.farm.advance(LONG)
    flags = [frame["recommitFlag"] for frame in client.frames(task_id)["items"]]
    assert flags == [1, 1, 1, 1, 0, 0, 0, 0, 0]
    assert client.call_refused(path, taskId=task_id, selectAll=1, taskIds=[task_id], status=[3])[0] == 700


def test_start_renders_timed_out_frames_and_no_failed_ones(open_client):
    client = open_client(frame_seconds=[100, 300], renders=[{"scene": "sh010*", "fail_frames": "2"}])
    task_id = client.submit(job(frames="1-9[1]", job_stop_time="200"))
    client.farm.advance(LONG)
    before = client.frame_states(task_id)
    assert set(before.values()) == {4, 5, 11}
    assert before["2"] in {5, 11}
    client.call(START, taskIds=[task_id])
    waiting = {name for name, state in client.frame_states(task_id).items() if state == 1}
    assert waiting == {name for name, state in before.items() if state == 11}
    client.farm.advance(LONG)
    assert (client.task_state(task_id), client.frame_states(task_id)) == (30, before)


def test_start_of_task_with_failed_frames_only_refuses(open_client):
    client = open_client(renders=[{"fail_frames": "2"}])
    task_id = client.submit()
    client.farm.advance(LONG)
    assert client.task_state(task_id) == 30
    assert client.call_refused(START, taskIds=[task_id])[0] == 700


class TestStopType:
    @pytest.fixture
    def client(self, farm):
        return RawClient(farm)

    def stop_types(self, client, task_id):
        info = client.task_info(task_id)
        return [item["stopType"] for item in (info, *(info["respRenderingTaskList"] or []))]

    @pytest.mark.parametrize("path", [STOP, ABANDON, DELETE])
    def test_stop_type_of_stop_by_call_is_api(self, client, path):
        task_id, layered = client.submit(), client.submit(maya_job())
        client.call(path, taskIds=[task_id, layered])
        assert (self.stop_types(client, task_id), self.stop_types(client, layered)) == ([5], [0, 5, 5])

    @pytest.mark.parametrize(
        ("by", "stop_type"),
        [
            ("user", 1), ("administrator", 2), ("client", 4), ("api", 5), ("full_speed", 6),
            ("project_deleted", 7), ("after_submit", 9),
        ],
    )  # fmt: skip
    def test_stop_type_of_stop_by_others_is_theirs(self, client, by, stop_type):
        task_id, layered = client.submit(), client.submit(maya_job())
        client.farm.stop(task_id, by=by)
        control.send_command(client.farm.connection(), {"stop": {"task_id": layered, "by": by}})
        assert client.task_state(task_id) == 10
        assert self.stop_types(client, task_id) == [stop_type]
        assert self.stop_types(client, layered) == [0, stop_type, stop_type]

    def test_stop_type_of_farm_is_billing_or_overtime(self, open_client):
        client = open_client(
            account={"coupon": "2", "balance": "0"}, renders=[{"cost": "1"}], frame_seconds=[100, 100]
        )
        overtime = client.submit(job(frames="1-9[1]", task_stop_time="50"))
        client.farm.advance(LONG)
        assert (client.task_state(overtime), self.stop_types(client, overtime)) == (23, [10])
        unpaid = client.submit(job(frames="1-9[1]"))
        client.farm.advance(LONG)
        assert (client.task_state(unpaid), self.stop_types(client, unpaid)) == (20, [3])

    def test_stop_type_outlives_restart_and_ends_with_start(self, tmp_path):
        with closing(StockedFarm(tmp_path / "farm", ManualClock())) as farm:
            client = RawClient(farm)
            task_id, finished = client.submit(), client.submit()
            farm.stop(task_id, by="administrator")
            farm.advance(LONG)
        with closing(StockedFarm(tmp_path / "farm", ManualClock())) as farm:
            client = RawClient(farm)
            assert self.stop_types(client, task_id) == [2]
            client.call(START, taskIds=[task_id])
            assert (self.stop_types(client, task_id), self.stop_types(client, finished)) == ([0], [0])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"task_id": 1}, "task_id: must be the id of a task, got 1"),
            ({"task_id": [1]}, "task_id: must be the id of a task"),
            ({"by": "billing"}, "by: must be one of user, administrator, .*, got 'billing'"),
            ({"by": []}, "by: must be one of"),
            ({"who": "me"}, "unexpected keyword argument 'who'"),
        ],
    )
    def test_stop_command_invalid_is_refused(self, client, options, message):
        task_id = client.submit()
        with pytest.raises(ValueError, match=message):
            control.send_command(client.farm.connection(), {"stop": {"task_id": task_id} | options})
        assert client.task_state(task_id) == 0


@pytest.mark.parametrize(("reported_as", "state"), [({}, 30), ({"70": 70}, 70)])
def test_stop_frames_ends_task_with_stopped_frames(open_client, reported_as, state):
    client = open_client(frame_seconds=[100, 100], renders=[{"reported_as": reported_as}])
    task_id = client.submit(job(frames="1-9[1]"))
    client.farm.advance(60)
    frames = client.frames(task_id)["items"]
    client.call(STOP_FRAMES, taskId=task_id, ids=[frames[index]["id"] for index in (0, 8)], selectAll=0)
    client.farm.advance(LONG)
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["doneFrames"], info["abortFrames"]) == (state, 7, 2)
    client.call(START, taskIds=[task_id])
    client.farm.advance(LONG)
    assert client.task_state(task_id) == 25


def test_stop_all_frames(client):
    task_id = client.submit()
    client.farm.advance(60)
    client.call(STOP_FRAMES, taskId=task_id, selectAll=1, status=[1, 2])
    client.farm.advance(0)
    assert client.task_info(task_id)["abortFrames"] == 4
    assert client.task_state(task_id) == 30


def test_task_timeout_stops_task_that_can_continue(client):
    task_id = client.submit(job(frames="1-9[1]", task_stop_time="150"))
    client.farm.advance(60 + 149)
    assert client.task_state(task_id) == 5
    client.farm.advance(1)
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["doneFrames"], info["abortFrames"], info["overTimeStop"]) == (
        23,
        4,
        5,
        150,
    )
    client.call(OVERTIME, taskIds=[task_id], overTime=0)
    client.call(START, taskIds=[task_id])
    client.farm.advance(LONG)
    assert client.task_state(task_id) == 25


@pytest.mark.parametrize(("seconds", "state"), [(50, 23), (250, 23), (301, 25), (0, 25)])
def test_set_overtime_applies_to_working_task(client, seconds, state):
    task_id = client.submit(job(frames="1-9[1]"))
    client.farm.advance(60 + 70)
    client.call(OVERTIME, taskIds=[task_id], overTime=seconds)
    client.farm.advance(LONG)
    assert client.task_state(task_id) == state


def test_frame_timeout_fails_and_costs_nothing(client):
    task_id = client.submit(job(job_stop_time="99"))
    client.farm.advance(LONG)
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["failedFrames"], info["renderConsume"]) == (30, 4, 0)
    assert set(client.frame_states(task_id).values()) == {11}


def test_update_task_limit_limits_machines(client):
    task_id = client.submit(job(frames="1-9[1]"))
    client.farm.advance(60)
    client.call(LIMIT, taskId=task_id, taskLimit=6)
    client.farm.advance(0)
    info = client.task_info(task_id)
    assert (info["executingFrames"], info["taskLimit"]) == (6, 6)
    client.call(LIMIT, taskId=task_id, taskLimit=1)
    client.farm.advance(100)
    assert client.task_info(task_id)["executingFrames"] == 1


def test_clone_has_files_of_origin(client):
    task_id = client.submit()
    clone = client.create(cloneOriginalId=task_id)
    client.call(SUBMIT, taskId=clone)
    assert client.task_info(clone)["cloneOriginalId"] == task_id
    assert client.call(INFO, taskIds=[clone])["items"][0]["totalFrames"] == 4
