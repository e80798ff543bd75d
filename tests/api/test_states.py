import pytest

from airflow_provider_renderbus.api.states import (
    TASK_STATUS_INFO,
    FrameStatus,
    Phase,
    TaskStatus,
    aggregate_status,
)


def test_task_status_info_covers_every_status():
    assert set(TASK_STATUS_INFO) == set(TaskStatus)


def test_status_of_undocumented_code_is_unknown_and_active():
    assert TaskStatus(4711) is TaskStatus.UNKNOWN
    assert TaskStatus(4711).phase is Phase.ACTIVE
    assert FrameStatus(99) is FrameStatus.UNKNOWN


def test_task_status_of_a_name_raises_value_error():
    with pytest.raises(ValueError, match="FINISHED"):
        TaskStatus("FINISHED")


@pytest.mark.parametrize(
    ("leaves", "whole"),
    [
        ([25, 25], 25),
        ([25, 5], 5),
        ([0, 5], 5),
        ([45, 0], 0),
        ([25, 40], 40),
        ([40, 5], 5),
        ([25, 10], 10),
        ([30, 25], 30),
        ([30, 45], 45),
        ([70, 30], 30),
        ([4711, 25], TaskStatus.UNKNOWN),
    ],
)
def test_aggregate_status_of_leaves(leaves, whole):
    for own in (0, 5, 10, 25, 4711):
        assert aggregate_status(TaskStatus(own), map(TaskStatus, leaves)) == whole


@pytest.mark.parametrize(
    ("own", "leaves", "whole"),
    [
        (60, [25, 25], 60),
        (60, [45], 60),
        (65, [0, 0], 65),
        (65, [5, 25], 65),
        (100, [25, 25], 100),
        (100, [10], 100),
        (100, [40], 100),
        (100, [5, 25], 5),
        (100, [0, 45], 0),
    ],
)
def test_aggregate_status_own_status_that_applies_whatever_the_leaves_do(own, leaves, whole):
    assert aggregate_status(TaskStatus(own), map(TaskStatus, leaves)) == whole
