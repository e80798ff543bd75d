"""Queries to Airflow for the states of task instances, of which there may be thousands."""

import pytest

from airflow_provider_renderbus.polling import task_instance_state
from airflow_provider_renderbus.polling.task_instance_state import _DagRunKey, _TaskKey
from tests.airflow_version import LINE

pytestmark = pytest.mark.skipif(LINE < (3, 0), reason="Airflow 2 reads the states from the database")
RUN = _DagRunKey("night", "run")


@pytest.fixture
def airflow(monkeypatch):
    """Answers queries with the number of active task instances and with the states, and records both."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance  # noqa: PLC0415 - Airflow 3 only

    queries = []

    def airflow(active):
        def get_ti_count(dag_id, *, task_ids, run_ids, states):
            queries.append("count")
            assert (dag_id, task_ids, run_ids) == ("night", ["wait"], ["run"])
            assert states == ["deferred", "restarting", "running"]
            return active

        def get_task_states(dag_id, *, map_index, task_ids, run_ids):
            queries.append("states")
            return {
                "run": {f"wait_{index}": "deferred" if index < active else "failed" for index in range(500)}
            }

        monkeypatch.setattr(RuntimeTaskInstance, "get_ti_count", staticmethod(get_ti_count))
        monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(get_task_states))
        return queries

    return airflow


def states_of(count):
    tasks = [_TaskKey("wait", index) for index in range(count)]
    return task_instance_state._state_reader()(RUN, tasks)


def test_many_tasks_of_ended_run_are_counted_only(airflow):
    queries = airflow(0)
    assert set(states_of(500).values()) == {None}
    assert queries == ["count"]


def test_many_tasks_of_which_some_are_active_are_read_each(airflow):
    queries = airflow(3)
    states = states_of(500)
    assert [key.map_index for key, state in states.items() if state == "deferred"] == [0, 1, 2]
    assert queries == ["count", "states"]


def test_few_tasks_are_read_at_once(airflow):
    queries = airflow(3)
    assert states_of(100)[_TaskKey("wait", 5)] == "failed"
    assert queries == ["states"]
