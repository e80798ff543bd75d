import pytest

from airflow_provider_renderbus.api.states import (
    TASK_STATUS_INFO,
    FrameStatus,
    Phase,
    TaskStatus,
    aggregate_status,
)
from airflow_provider_renderbus.renders.results import Outcome, classify


def test_every_state_stands_in_the_table():
    assert set(TASK_STATUS_INFO) == set(TaskStatus)


def test_a_code_that_nobody_has_told_us_of_is_active():
    assert TaskStatus(4711) is TaskStatus.UNKNOWN
    assert TaskStatus(4711).phase is Phase.ACTIVE
    assert FrameStatus(99) is FrameStatus.UNKNOWN


def test_what_is_no_code_is_no_state():
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
def test_the_leaves_tell_the_state_of_the_whole(leaves, whole):
    assert aggregate_status(TaskStatus(leaf) for leaf in leaves) == whole


@pytest.mark.parametrize("status", TaskStatus)
def test_what_a_state_means_to_somebody_who_waits(status):
    for_good = {TaskStatus.STOP, TaskStatus.USER_STOP, TaskStatus.ARREARAGE_STOP, TaskStatus.ABANDON}
    waits = {
        TaskStatus.UNKNOWN,
        TaskStatus.WAITING,
        TaskStatus.RENDERING,
        TaskStatus.PRE_RENDERING,
        TaskStatus.FINISHED_TEST,
        TaskStatus.ANALYSE,
        TaskStatus.RENDERING_TASK_SUBMITTING,
        TaskStatus.UPDATING,
    }
    expected = (
        Outcome.SUCCEEDED
        if status is TaskStatus.FINISHED
        else Outcome.FAILED_PERMANENTLY
        if status in for_good
        else None
        if status in waits
        else Outcome.FAILED
    )
    assert classify(status) is expected


def test_a_state_that_is_wanted_is_reached_whatever_it_is():
    assert classify(TaskStatus.FINISHED_TEST, {TaskStatus.FINISHED_TEST}) is Outcome.SUCCEEDED
    assert classify(TaskStatus.FINISHED, {TaskStatus.FINISHED_TEST}) is Outcome.FAILED
