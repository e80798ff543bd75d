"""Results: what a state means for a wait."""

import pytest

from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.renders.results import Outcome, classify


@pytest.mark.parametrize("status", TaskStatus)
def test_classify_status_without_target_states(status):
    permanent = {TaskStatus.STOP, TaskStatus.USER_STOP, TaskStatus.ARREARAGE_STOP, TaskStatus.ABANDON}
    pending = {
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
        if status in permanent
        else None
        if status in pending
        else Outcome.FAILED
    )
    assert classify(status) is expected


def test_classify_with_target_states_succeeds_at_them_only():
    assert classify(TaskStatus.FINISHED_TEST, {TaskStatus.FINISHED_TEST}) is Outcome.SUCCEEDED
    assert classify(TaskStatus.FINISHED, {TaskStatus.FINISHED_TEST}) is Outcome.FAILED
