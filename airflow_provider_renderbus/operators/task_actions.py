"""What can be ordered about tasks that are there, and about their frames, for one number or many."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_renderbus.api import calls, validation
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.links import ConsoleLinkMixin
from airflow_provider_renderbus.operators.base import RenderbusOperator
from airflow_provider_renderbus.operators.reattach import is_first_try_after_clear
from airflow_provider_renderbus.renders.failed_frames import list_failed_frames
from airflow_provider_renderbus.renders.recommit import confirm_recommitted
from airflow_provider_renderbus.renders.stop import StopRequest, stop_and_confirm
from airflow_provider_renderbus.task_result import fail_if_charge_uncertain, translate_errors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_renderbus.api.models.frames import Frame
    from airflow_provider_renderbus.api.validation import TaskId
    from airflow_provider_renderbus.clients.flows import Flow


class _TasksOperator(ConsoleLinkMixin, RenderbusOperator):
    """Orders one thing for one task or for many.

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    template_fields = (*RenderbusOperator.template_fields, "render_task_id")
    order: str

    def __init__(self, *, render_task_id: TaskId | Iterable[TaskId] | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.render_task_id = render_task_id

    def execute(self, context: Context) -> list[int]:
        """Order it, and return the numbers."""
        given: Any = self.render_task_id
        with translate_errors():
            numbers = validation.parse_task_ids(
                "render_task_id", [given] if isinstance(given, str | int) else given
            )
            self.push_console_url(context, self.hook.console_url(numbers[0]))
            self.carry_out(context, numbers)
        self.log.info("The farm was asked to %s: task %s", self.order, ", ".join(map(str, numbers)))
        return numbers

    def carry_out(self, context: Context, numbers: list[int]) -> None:
        """Order it.

        :param context: of the Airflow task.
        :param numbers: the tasks' numbers.
        """
        self.hook.run(self.act(numbers))

    @abstractmethod
    def act(self, numbers: list[int]) -> Flow[None]:
        """Yield the calls that do it, first those that find out what it is done to."""


class _FramesOperator(_TasksOperator):
    """Orders one thing for frames of one task or of many.

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param frames: names of frames as the farm shows them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    template_fields = (*_TasksOperator.template_fields, "frames")

    def __init__(self, *, frames: Iterable[str] | XComArg | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.frames = frames

    def named_frames(self, numbers: list[int]) -> Flow[dict[int, list[int]]]:
        """Return the ids of the frames of these names in all the tasks, by the leaf that they belong to."""
        names: Any = self.frames
        ids: dict[int, list[int]] = {}
        for number in numbers:
            ids |= yield from flows.frame_ids_by_name(number, names, argument="frames")
        return ids


class RenderbusStartTaskOperator(_TasksOperator):
    """Start tasks that were stopped: their remaining frames are rendered and paid for.

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    order = "start"

    def act(self, numbers: list[int]) -> Flow[None]:
        """Yield the call."""
        yield [calls.start_task(numbers)]


class RenderbusStopTaskOperator(_TasksOperator):
    """Stop tasks, and see that the farm has. Frames that are done stay, and the tasks can be started again.

    Where the farm does not confirm it within 20 s the operator fails: another try stops them again.

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    order = "stop"

    def act(self, numbers: list[int]) -> Flow[None]:
        """Yield the call."""
        yield [calls.stop_task(numbers)]

    def carry_out(self, context: Context, numbers: list[int]) -> None:
        """Stop the tasks, and look until none of them works any more."""
        super().carry_out(context, numbers)
        stopping = stop_and_confirm(self.hook, StopRequest(numbers))
        told = stopping.result_message(numbers)
        if stopping.pending:
            raise AirflowException(told)
        self.log.info(told)


class RenderbusAbandonTaskOperator(_TasksOperator):
    """Give tasks up for good: they cannot be started again.

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    order = "abandon for good"

    def act(self, numbers: list[int]) -> Flow[None]:
        """Yield the call."""
        yield [calls.abandon_task(numbers)]


class RenderbusDeleteTaskOperator(_TasksOperator):
    """Delete tasks.

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    order = "delete"

    def act(self, numbers: list[int]) -> Flow[None]:
        """Yield the call."""
        yield [calls.delete_task(numbers)]


class RenderbusFullSpeedOperator(_TasksOperator):
    """Render the rest of tasks that paused after their priority frames (state 40).

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    order = "go on at full speed"

    def act(self, numbers: list[int]) -> Flow[None]:
        """Yield the call."""
        yield [calls.full_speed(numbers)]


class RenderbusRecommitFramesOperator(_FramesOperator):
    """Render frames again, and pay for them again.

    If the farm's answer is lost, the operator fails without Airflow's retries, for a retry could pay twice.
    A retry that follows all the same, as after the death of a worker, first asks the farm how often the
    frames were rendered again: not at all, and it asks for them; if that is going on, it has nothing left to
    do; else it cannot be told whether this task has asked for it, and it fails without further retries. A
    person who clears the task asks for the frames again.

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param frames: names of frames as the farm shows them, e.g. "6" or "7-9[1]": each must be in every task,
        and is meant in all leaves of a layered one; the failed frames where it is left out (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    order = "render frames again"

    def carry_out(self, context: Context, numbers: list[int]) -> None:
        """Ask for the frames, unless an earlier try has."""
        with fail_if_charge_uncertain():
            if is_first_try_after_clear(context) or not confirm_recommitted(
                self.hook, lambda: self.meant(numbers)
            ):
                super().carry_out(context, numbers)

    def meant(self, numbers: list[int]) -> Flow[list[Frame]]:
        """Ask for the frames that are named, or for those that have failed."""
        found: list[Frame] = []
        if self.frames is None:
            for number in numbers:
                found += yield from list_failed_frames(number)
        else:
            for leaf, ids in (yield from self.named_frames(numbers)).items():
                found += [frame for frame in (yield from flows.list_frames(leaf)) if frame.id in ids]
        return found

    def act(self, numbers: list[int]) -> Flow[None]:
        """Yield the call."""
        if self.frames is None:
            yield [calls.recommit_failed_frames(numbers)]
        else:
            ids = yield from self.named_frames(numbers)
            yield [calls.recommit_frames(ids=[number for of_leaf in ids.values() for number in of_leaf])]


class RenderbusStopFramesOperator(_FramesOperator):
    """Stop frames.

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param frames: names of frames as the farm shows them, e.g. "6" or "7-9[1]": each must be in every task,
        and is meant in all leaves of a layered one; all frames where it is left out (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    order = "stop frames"

    def act(self, numbers: list[int]) -> Flow[None]:
        """Yield a call for each leaf."""
        if self.frames is None:
            leaves: list[int] = []
            for number in numbers:
                leaves += yield from flows.leaf_task_ids(number)
            yield [calls.stop_frames(leaf, select_all=1) for leaf in leaves]
        else:
            ids = yield from self.named_frames(numbers)
            yield [calls.stop_frames(leaf, of_leaf) for leaf, of_leaf in ids.items()]


class RenderbusSetPriorityOperator(_TasksOperator):
    """Set the priority of tasks among the account's own.

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param priority: 50 or 60 (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    template_fields = (*_TasksOperator.template_fields, "priority")
    order = "set the priority"

    def __init__(self, *, priority: int | str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.priority = priority

    def act(self, numbers: list[int]) -> Flow[None]:
        """Yield a call for each task."""
        level = validation.one_of(
            "priority", validation.parse_int("priority", self.priority), validation.USER_LEVELS
        )
        yield [calls.update_task_user_level(number, level) for number in numbers]


class RenderbusSetMachineLimitOperator(_TasksOperator):
    """Limit how many machines render each of the tasks.

    :param render_task_id: number or alias of the task, or a list of them (templated).
    :param max_machines: machines (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the numbers, as a list.
    """

    template_fields = (*_TasksOperator.template_fields, "max_machines")
    order = "set the limit of machines"

    def __init__(self, *, max_machines: int | str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_machines = max_machines

    def act(self, numbers: list[int]) -> Flow[None]:
        """Yield a call for each task."""
        limit = validation.positive_int(
            "max_machines", validation.parse_int("max_machines", self.max_machines)
        )
        yield [calls.update_task_limit(number, limit) for number in numbers]
