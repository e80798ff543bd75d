"""A deferrable submit operator, and its trigger and resume arguments."""

import pkgutil

import pytest

from airflow_provider_renderbus.compat import TaskDeferred
from airflow_provider_renderbus.operators.tasks import RenderbusSubmitTaskOperator
from tests.airflow.context import TaskInstance, context


def submit(render_task_id, **options):
    options = {"deferrable": True, "poll_interval": 60, **options}
    return RenderbusSubmitTaskOperator(
        task_id="render", render_task_id=render_task_id, wait_for_completion=True, **options
    )


def deferred(operator, try_number=1):
    """Return the trigger of an operator, serialized and rebuilt, and the arguments for its resumption."""
    with pytest.raises(TaskDeferred) as deferral:
        operator.execute(context(try_number))
    path, arguments = deferral.value.trigger.serialize()
    trigger = pkgutil.resolve_name(path)(**arguments)
    trigger.task_instance = TaskInstance(try_number)
    return trigger, deferral.value.kwargs
