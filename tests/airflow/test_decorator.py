"""`@task.renderbus`: what is taken from the function, and when it is called."""

import pytest

from airflow_provider_renderbus.compat import (
    DAG,
    AirflowException,
    AirflowFailException,
    TaskDeferred,
    task,
)
from airflow_provider_renderbus.decorators import renderbus_task
from airflow_provider_renderbus.operators import RenderbusRenderOperator
from tests.airflow.context import StateStore, context
from tests.airflow.run_to_completion import run_to_completion
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection")


def operator_of(function, *arguments, **options):
    with DAG("night", schedule=None):
        return renderbus_task(function, **options)(*arguments).operator


def run_context(store=None, try_number=1):
    return {**context(try_number), "task_state_store": StateStore() if store is None else store}


def test_decorator_is_registered_with_airflow():
    assert task.renderbus is renderbus_task


def test_decorated_function_is_called_once_per_try_and_not_after_deferral(farm):
    calls = []

    def shot(name):
        calls.append(name)
        return make_task_json()

    operator = operator_of(shot, "sh010", deferrable=True, poll_interval=0.01)
    result = run_to_completion(farm, lambda: operator, run_context())
    assert (result["state"], calls) == ("FINISHED", ["sh010"])


def test_decorated_operator_templates_all_arguments_but_the_result():
    operator = operator_of(make_task_json)
    expected = {*RenderbusRenderOperator.template_fields, "op_args", "op_kwargs"} - {"task_json"}
    assert {*operator.template_fields} == expected


@pytest.mark.parametrize(("given", "expected"), [(None, False), (False, False), (True, True)])
def test_decorator_multiple_outputs_is_off_unless_set(given, expected):
    def shot() -> dict:
        return make_task_json()

    assert operator_of(shot, multiple_outputs=given).multiple_outputs is expected


@pytest.mark.parametrize("returned", [None, "scene.json", [make_task_json()]])
def test_decorated_function_that_returns_no_mapping_fails_without_retries(returned, client):
    def shot():
        return returned

    message = r"shot\(\): must return a mapping, as build_task_json does, got "
    with pytest.raises(AirflowFailException, match=message):
        operator_of(shot).execute(run_context())


def test_decorated_function_that_raises_allows_retry():
    def shot():
        raise LookupError("no shot sh010 in the tracker")

    with pytest.raises(AirflowException, match=r"shot\(\) failed: LookupError: no shot sh010") as raised:
        operator_of(shot).execute(run_context())
    assert not isinstance(raised.value, AirflowFailException)


def test_decorated_function_that_raises_in_a_retry_reattaches(farm):
    store, problems = StateStore(), []

    def shot():
        if problems:
            raise problems[0]
        return make_task_json()

    first = operator_of(shot, deferrable=True, poll_interval=0.01)
    first.cancel_on_kill = False
    with pytest.raises(TaskDeferred) as deferred:
        first.execute(run_context(store))
    problems.append(ConnectionError("the tracker is down"))
    second = operator_of(shot, deferrable=True, poll_interval=0.01)
    result = run_to_completion(farm, lambda: second, run_context(store, try_number=2))
    assert [result["render_task_id"]] == deferred.value.trigger.render_task_ids


def test_decorated_function_of_later_try_that_renders_again_is_called_once(farm):
    store, frames = StateStore(), iter(["1-2[1]", "1-4[1]", "1-8[1]"])

    def shot():
        return make_task_json(frames=next(frames))

    first = operator_of(shot, deferrable=True, poll_interval=0.01)
    first.cancel_on_kill = False
    with pytest.raises(TaskDeferred):
        first.execute(run_context(store))
    second = operator_of(shot, deferrable=True, poll_interval=0.01, on_job_change="rerender")
    result = run_to_completion(farm, lambda: second, run_context(store, try_number=2))
    assert result["frames"]["total"] == 4


def test_decorator_with_task_json_raises_type_error():
    with pytest.raises(TypeError, match="task_json: must be what the decorated function returns"):
        renderbus_task(task_json={})


def test_decorated_async_function_raises_type_error():
    async def shot():
        return {}

    with pytest.raises(TypeError, match="shot: must be a plain function, got an async one"):
        operator_of(shot)
