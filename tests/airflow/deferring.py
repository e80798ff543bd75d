"""A submit that waits for its render, and what it hands over when it defers."""

import pkgutil

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_renderbus.operators.tasks import RenderbusSubmitTaskOperator
from tests.airflow.context import TaskInstance, context


def submit(number, **options):
    options = {"deferrable": True, "poll_interval": 60, **options}
    return RenderbusSubmitTaskOperator(
        task_id="render", render_task_id=number, wait_for_completion=True, **options
    )


def deferred(operator, try_number=1):
    """Return the trigger that an operator hands over, stored and built anew, and what its resumption gets."""
    with pytest.raises(TaskDeferred) as left:
        operator.execute(context(try_number))
    path, arguments = left.value.trigger.serialize()
    trigger = pkgutil.resolve_name(path)(**arguments)
    trigger.task_instance = TaskInstance(try_number)
    return trigger, left.value.kwargs
