import dataclasses
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from airflow_provider_renderbus.api.models.account import read_user_profile
from airflow_provider_renderbus.api.models.frames import read_frame, read_frame_state
from airflow_provider_renderbus.api.models.tasks import (
    MAX_DEPTH,
    MAX_SUB_TASKS,
    Progress,
    TaskInfo,
    read_task,
)
from airflow_provider_renderbus.api.parsing import (
    MAX_COUNT,
    MAX_INT,
    ParseError,
    list_of,
    read_bool,
    read_count,
    read_decimal,
    read_id,
    read_int,
    read_non_empty_str,
    read_str,
    read_timestamp_ms,
)
from airflow_provider_renderbus.api.states import FrameStatus, StopType, TaskStatus
from airflow_provider_renderbus.renders.results import summary

# A layered task as in the vendor's document: the parent stays at 0 while its leaves have finished.
PHOTON = {
    "id": 18280,
    "taskStatus": 25,
    "taskType": "RenderPhoton",
    "totalFrames": 1,
    "doneFrames": 1,
    "renderConsume": 1.57,
    "couponConsume": 1.57,
    "userAccountConsume": 0,
    "startTime": 1535602601000,
    "completedDate": 1535603874000,
    "outputFileName": "18280_衣帽间",
}
MAIN = {
    **PHOTON,
    "id": 18281,
    "taskType": "Render",
    "totalFrames": 17,
    "doneFrames": 16,
    "failedFrames": 1,
    "renderConsume": 0.0,
    "couponConsume": 6.7,
    "startTime": 1535603885000,
    "completedDate": 1535604765000,
    "outputFileName": "18281_衣帽间",
}


def layered(*leaves):
    return read_task({"id": 18278, "taskStatus": 0, "isOpen": 1, "respRenderingTaskList": list(leaves)})


def test_task_info_of_layered_task_aggregates_its_leaves():
    task = layered(PHOTON, MAIN)
    assert task.status is TaskStatus.FINISHED
    assert task.is_terminal
    assert task.progress == Progress(total=18, done=17, failed=1)
    assert task.cost == Decimal("8.27")
    assert task.output_folders == ("18280_衣帽间", "18281_衣帽间")


def test_reader_returns_frozen_model_equal_to_a_constructed_one():
    task = read_task({"id": 1, "taskStatus": 25})
    assert task == TaskInfo(id=1, status_code=25)
    assert hash(task) == hash(TaskInfo(id=1, status_code=25))
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.id = 2


def test_task_info_leaves_of_nested_sub_tasks_are_the_lowest():
    assert [
        leaf.id for leaf in layered({"id": 2, "taskStatus": 0, "respRenderingTaskList": [MAIN]}).leaves()
    ] == [18281]


def test_task_info_with_finished_photon_passes_only_is_waiting():
    assert layered(PHOTON).status is TaskStatus.WAITING
    assert not layered(PHOTON).is_terminal
    assert layered({**PHOTON, "taskStatus": 45}).status is TaskStatus.FAILED


@pytest.mark.parametrize(("own", "status"), [(0, 25), (60, 60), (65, 65), (100, 100)])
def test_task_info_nested_sub_task_applies_its_own_status(own, status):
    layer = {"id": 2, "taskStatus": own, "respRenderingTaskList": [MAIN]}
    assert layered(layer).status == layered(layer, PHOTON).status == status


def test_task_info_of_a_photon_pass_itself_is_finished():
    assert read_task(PHOTON).status is TaskStatus.FINISHED


def test_task_info_without_sub_tasks_is_its_own_leaf():
    for sub_tasks in (None, []):
        task = read_task({"id": 1, "taskStatus": 5, "respRenderingTaskList": sub_tasks})
        assert list(task.leaves()) == [task]
        assert task.status is TaskStatus.RENDERING


def test_task_info_cost_is_the_larger_of_two_figures():
    assert read_task(
        {"id": 1, "taskStatus": 5, "renderConsume": 0.0, "couponConsume": 0.039}
    ).cost == Decimal("0.039")
    assert read_task({"id": 1, "taskStatus": 5, "renderConsume": 2, "couponConsume": 0.5}).cost == 2


def test_summary_of_task_is_plain_json():
    result = summary(layered(PHOTON, MAIN))
    assert [layer["name"] for layer in result.pop("layers")] == ["18280 (photon pass)", "18281"]
    assert result == {
        "render_task_id": 18278,
        "scene": None,
        "state": "FINISHED",
        "frames": {"total": 18, "done": 17, "failed": 1, "running": 0, "aborted": 0},
        "cost": "8.27",
        "duration_seconds": 2164.0,
        "queue_seconds": None,
        "forecast": None,
        "output_folders": ["18280_衣帽间", "18281_衣帽间"],
    }
    assert summary(read_task({"id": 1, "taskStatus": 0}))["duration_seconds"] is None


def test_frame_has_status_and_cost():
    frame = read_frame({"id": 1, "frameIndex": "0-1", "frameStatus": 4, "feeAmount": 0.44, "couponFee": 0.01})
    assert (frame.status, frame.cost) == (FrameStatus.DONE, Decimal("0.45"))
    assert frame.recommits == 0
    assert read_frame_state({"id": 1, "frameIndex": "0-1", "frameStatus": 4}).status is FrameStatus.DONE


@pytest.mark.parametrize(
    ("status", "frame_type", "recommittable"),
    [(4, 5, True), (5, 5, True), (5, None, True), (11, 5, False), (2, 5, False), (4, 7, False)],
)
def test_frame_is_recommittable_if_done_or_failed_and_not_merged(status, frame_type, recommittable):
    frame = read_frame({"id": 1, "frameIndex": "1", "frameStatus": status, "frameType": frame_type})
    assert frame.is_recommittable is recommittable
    assert frame.may_be_recommitted(1) is recommittable
    assert not frame.may_be_recommitted(0)


@pytest.mark.parametrize(
    ("stop_types", "status", "names"),
    [
        ((3, 3), TaskStatus.ARREARAGE_STOP, (StopType.BILLING,)),
        ((6, None), TaskStatus.UPDATING, ()),
        ((5, 1), TaskStatus.USER_STOP, (StopType.API, StopType.USER)),
        ((99, None), TaskStatus.USER_STOP, ()),
    ],
)
def test_task_info_of_stopped_leaves_counts_as_their_stop_types_say(stop_types, status, names):
    leaves = [{**MAIN, "taskStatus": 15, "stopType": stop_type} for stop_type in stop_types]
    task = layered(*leaves)
    assert (task.status, task.stop_types) == (status, names)


def test_user_profile_available_funds_are_balance_coupons_and_credit():
    profile = {"userId": 1, "rmbbalance": 1.5, "usdbalance": 100, "coupon": 49.93, "credit": 2}
    chinese = read_user_profile({**profile, "zone": 1})
    assert (chinese.available_funds, chinese.currency) == (Decimal("53.43"), "RMB")
    other = read_user_profile({**profile, "zone": 2})
    assert (other.available_funds, other.currency) == (Decimal("151.93"), "USD")


@pytest.mark.parametrize("hidden", ["useMainBalance", "hideBalance"])
def test_user_profile_with_hidden_funds_has_less_than_no_amount(hidden):
    profile = {"userId": 1, "zone": 1, "rmbbalance": 5}
    assert [read_user_profile(profile).has_less_than(Decimal(each)) for each in (5, 6)] == [False, True]
    assert not read_user_profile({**profile, hidden: 1}).has_less_than(Decimal(6))


def test_user_profile_with_invalid_balance_raises_parse_error():
    assert read_user_profile({"userId": 1, "zone": 1, "rmbbalance": "500.5"}).available_funds == Decimal(
        "500.5"
    )
    with pytest.raises(ParseError, match="rmbbalance"):
        read_user_profile({"userId": 1, "rmbbalance": {"amount": 5}})


def test_reader_optional_field_of_wrong_type_takes_default():
    task = read_task({"id": "7", "taskStatus": 5, "totalFrames": [], "submitDate": "today", "labels": {}})
    assert (task.id, task.total_frames, task.submitted_at, task.labels) == (7, None, None, None)


def test_field_readers_accept_the_farms_other_types():
    assert (read_str(7), read_int("7"), read_bool(True), read_bool(0)) == ("7", 7, True, False)
    assert read_decimal("500.50") == Decimal("500.50")
    assert (read_decimal("1E+2"), read_decimal(" 2.5e-7 ")) == (Decimal(100), Decimal("2.5e-7"))


def test_read_timestamp_ms_returns_aware_time_or_none_for_zero():
    assert read_timestamp_ms(1535602289000) == datetime(2018, 8, 30, 4, 11, 29, tzinfo=UTC)
    assert read_timestamp_ms(0) is None


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (read_int, 1.5),
        (read_int, "x"),
        (read_int, True),
        (read_int, MAX_INT + 1),
        (read_int, "9" * 5000),
        (read_int, "1_000"),
        (read_int, "٣٥"),
        (read_count, -1),
        (read_count, MAX_COUNT + 1),
        (read_id, 0),
        (read_id, "-5"),
        (read_str, None),
        (read_decimal, "much"),
        (read_decimal, "1e999"),
        (read_decimal, "9e99"),
        (read_decimal, 1e308),
        (read_decimal, 10**400),
        (read_decimal, float("inf")),
        (read_timestamp_ms, 10**30),
        (read_timestamp_ms, "now"),
        (read_timestamp_ms, -1),
        (read_bool, 2),
        (read_bool, []),
        (list_of(read_str), "a"),
    ],
)
def test_field_reader_with_wrong_type_raises_parse_error(read, value):
    with pytest.raises(ParseError, match=r"^must be .*, got (a|an|one|null)\b"):
        read(value)


def test_read_non_empty_str_with_empty_string_raises_parse_error():
    assert read_non_empty_str("/a") == "/a"
    with pytest.raises(ParseError, match="must not be an empty string"):
        read_non_empty_str("")


@pytest.mark.parametrize("value", [-1, 10**400, "9" * 20, 1.5])
def test_reader_with_integer_out_of_range_takes_default_or_raises(value):
    assert read_task({"id": 1, "taskStatus": 0, "totalFrames": value}).total_frames is None
    with pytest.raises(ParseError, match=r"TaskInfo\.id: must be an integer"):
        read_task({"id": value, "taskStatus": 0})


def nested(levels):
    task = {"id": 1, "taskStatus": 5}
    for _ in range(levels):
        task = {"id": 1, "taskStatus": 0, "respRenderingTaskList": [task]}
    return task


def test_read_task_reads_all_allowed_levels():
    assert read_task(nested(MAX_DEPTH)).status is TaskStatus.RENDERING


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 260, 10_000])
def test_read_task_with_too_many_levels_raises_parse_error(levels):
    with pytest.raises(ParseError, match="nested too deep"):
        read_task(nested(levels))


@pytest.mark.parametrize("width", [1, 2])
def test_read_task_with_too_many_sub_tasks_raises_parse_error(width):
    leaf = {"id": 1, "taskStatus": 25}
    layer = {"id": 1, "taskStatus": 0, "respRenderingTaskList": [leaf] * (MAX_SUB_TASKS // width)}
    assert len(list(layered(*layer["respRenderingTaskList"]).leaves())) == MAX_SUB_TASKS // width
    with pytest.raises(ParseError, match=f"at most {MAX_SUB_TASKS} sub-tasks"):
        read_task({"id": 1, "taskStatus": 0, "respRenderingTaskList": [layer] * width})


@pytest.mark.parametrize(
    ("fields", "submitted"),
    [
        ({}, False),
        ({"submitDate": None}, False),
        ({"submitDate": 0}, False),
        ({"submitDate": 1535602289000}, True),
        ({"submitDate": "2018-08-30"}, True),
        ({"taskStatus": 5}, True),
        ({"taskStatus": 25, "submitDate": 0}, True),
        ({"respRenderingTaskList": [MAIN]}, True),
    ],
)
def test_task_info_is_submitted_if_it_may_have_been(fields, submitted):
    assert read_task({"id": 1, "taskStatus": 0, **fields}).is_submitted is submitted


@pytest.mark.parametrize(("is_delete", "deleted"), [(0, True), (1, False), (None, False)])
def test_task_info_is_deleted_if_the_field_is_zero(is_delete, deleted):
    assert read_task({"id": 1, "taskStatus": 25, "isDelete": is_delete}).is_deleted is deleted


@pytest.mark.parametrize(("name", "frame_type", "numbers"), [("7-9[1]", 0, [7, 8, 9]), ("6", 1, [6])])
def test_frame_has_numbers_and_files_unless_it_prepares_others(name, frame_type, numbers):
    frame = read_frame({"id": 1, "frameStatus": 4, "frameIndex": name, "frameType": frame_type})
    assert (list(frame.numbers), frame.has_files) == (numbers, frame_type == 0)
