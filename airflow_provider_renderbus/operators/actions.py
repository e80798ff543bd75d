"""What can be done to tasks that are there: one call each, for one number or many."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import arguments, calls
from airflow_provider_renderbus.ends import airflow_failures
from airflow_provider_renderbus.operators.base import RenderbusOperator

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_renderbus.api.arguments import TaskNumber
    from airflow_provider_renderbus.api.call import Call


class _TasksOperator(RenderbusOperator):
    """Does one thing to one task or to many.

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    template_fields = (*RenderbusOperator.template_fields, "render_task_id")
    done: str

    def __init__(self, *, render_task_id: TaskNumber | Sequence[TaskNumber] | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.render_task_id = render_task_id

    def execute(self, context: Context) -> list[int]:
        """Do it, and return the numbers."""
        given: Any = self.render_task_id
        with airflow_failures():
            numbers = arguments.task_numbers(
                "render_task_id", [given] if isinstance(given, str | int) else given
            )
            calls_to_make = list(self.calls(numbers))
        for call in calls_to_make:
            self.send(call)
        self.log.info("%s: task %s", self.done, ", ".join(map(str, numbers)))
        return numbers

    @abstractmethod
    def calls(self, numbers: list[int]) -> Iterable[Call[None]]:
        """Return the calls that do it to tasks."""


class RenderbusStartTaskOperator(_TasksOperator):
    """Start tasks that were stopped: their remaining frames are rendered and paid for.

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    done = "Started"

    def calls(self, numbers: list[int]) -> Iterable[Call[None]]:
        """Return the call."""
        return [calls.start_task(numbers)]


class RenderbusStopTaskOperator(_TasksOperator):
    """Stop tasks. Frames that are done stay, and the tasks can be started again.

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    done = "Stopped"

    def calls(self, numbers: list[int]) -> Iterable[Call[None]]:
        """Return the call."""
        return [calls.stop_task(numbers)]


class RenderbusAbandonTaskOperator(_TasksOperator):
    """Give tasks up for good: they cannot be started again.

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    done = "Abandoned"

    def calls(self, numbers: list[int]) -> Iterable[Call[None]]:
        """Return the call."""
        return [calls.abandon_task(numbers)]


class RenderbusDeleteTaskOperator(_TasksOperator):
    """Delete tasks.

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    done = "Deleted"

    def calls(self, numbers: list[int]) -> Iterable[Call[None]]:
        """Return the call."""
        return [calls.delete_task(numbers)]


class RenderbusFullSpeedOperator(_TasksOperator):
    """Render the rest of tasks that paused after their priority frames (state 40).

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    done = "Asked for full speed"

    def calls(self, numbers: list[int]) -> Iterable[Call[None]]:
        """Return the call."""
        return [calls.full_speed(numbers)]


class RenderbusSetPriorityOperator(_TasksOperator):
    """Set the priority of tasks among the account's own.

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param task_user_level: 50 or 60 (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    template_fields = (*_TasksOperator.template_fields, "task_user_level")
    done = "Set the priority"

    def __init__(self, *, task_user_level: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.task_user_level = task_user_level

    def calls(self, numbers: list[int]) -> Iterable[Call[None]]:
        """Return a call for each task."""
        return [
            calls.update_task_user_level(number, arguments.whole("task_user_level", self.task_user_level))
            for number in numbers
        ]


class RenderbusSetTaskLimitOperator(_TasksOperator):
    """Limit how many machines render each of the tasks.

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param task_limit: machines (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    template_fields = (*_TasksOperator.template_fields, "task_limit")
    done = "Set the limit of machines"

    def __init__(self, *, task_limit: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.task_limit = task_limit

    def calls(self, numbers: list[int]) -> Iterable[Call[None]]:
        """Return a call for each task."""
        return [
            calls.update_task_limit(number, arguments.whole("task_limit", self.task_limit))
            for number in numbers
        ]
