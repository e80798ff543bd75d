"""Queries to Airflow for the states of task instances, of which there may be thousands."""

import asyncio
from types import SimpleNamespace

import pytest

from airflow_provider_renderbus.polling import task_instance_state
from airflow_provider_renderbus.polling.batching import JOIN_WINDOW, Batcher
from airflow_provider_renderbus.polling.task_instance_state import _DagRunKey, _TaskKey, prepare_queries
from dev.harness.virtual_time_loop import VirtualTimeLoop
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
            queries.append("states" if map_index is None else map_index)
            indexes = range(500) if map_index is None else [map_index]
            return {"run": {f"wait_{index}": "deferred" if index < active else "failed" for index in indexes}}

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


def test_few_tasks_are_read_one_by_one_since_the_answer_for_all_may_be_large(airflow):
    queries = airflow(3)
    assert list(states_of(5).values()) == ["deferred"] * 3 + ["failed"] * 2
    assert sorted(queries) == [0, 1, 2, 3, 4]


def test_tasks_that_are_cancelled_during_a_query_share_the_next_one():
    batches, running = [], []

    async def query(run, tasks):
        assert not running
        running.append(run)
        batches.append([task.map_index for task in tasks])
        await asyncio.sleep(3 * JOIN_WINDOW)
        running.clear()
        return dict.fromkeys(tasks, "deferred")

    async def cancel(index):
        await asyncio.sleep(index * 1.2 * JOIN_WINDOW)
        return await query_states(RUN, _TaskKey("wait", index))

    async def cancel_all():
        return await asyncio.gather(*map(cancel, range(4)))

    query_states = Batcher(query, one_at_a_time=True)
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        answers = runner.run(cancel_all())
    assert batches == [[0], [1, 2, 3]]
    assert [answer[_TaskKey("wait", index)] for index, answer in enumerate(answers)] == ["deferred"] * 4


@pytest.mark.parametrize("is_in_triggerer", [True, False])
def test_triggerer_is_asked_once_before_anything_is_killed(is_in_triggerer, airflow, monkeypatch):
    from airflow.sdk.execution_time import task_runner  # noqa: PLC0415 - Airflow 3 only

    queries = airflow(1)
    if is_in_triggerer:
        comms = type("TriggerCommsDecoder", (), {})()
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)

    async def start_triggers():
        for index in range(3):
            prepare_queries(SimpleNamespace(dag_id="night", run_id="run", task_id="wait", map_index=index))
        await asyncio.sleep(59)
        assert queries == []
        await asyncio.sleep(60)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(start_triggers())
    assert queries == ([0] if is_in_triggerer else [])
