"""Operators that change existing renders or their frames. Each takes one render or many."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import calls, validation
from airflow_provider_renderbus.api.errors import NothingToDo, RenderbusError, is_permanent
from airflow_provider_renderbus.api.text import join_limited
from airflow_provider_renderbus.cancel_on_kill import is_first_try_after_clear
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.compat import AirflowException
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.base import RenderbusOperator
from airflow_provider_renderbus.renders.failed_frames import list_failed_frames
from airflow_provider_renderbus.renders.recommit import IDLE_STATUSES, confirm_recommitted
from airflow_provider_renderbus.renders.stop import StopRequest, stop_and_confirm
from airflow_provider_renderbus.task_result import fail_if_charge_uncertain, records_end, translate_errors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.api.models.frames import Frame
    from airflow_provider_renderbus.api.validation import TaskId
    from airflow_provider_renderbus.clients.flows import Flow
    from airflow_provider_renderbus.compat import Context, XComArg


class _TaskActionOperator(RenderbusOperator):
    """Performs an action on one render or on many."""

    template_fields = (*RenderbusOperator.template_fields, "render_task_id")
    action: str

    def __init__(
        self,
        *,
        render_task_id: TaskId | Iterable[TaskId] | XComArg,
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(renderbus_conn_id=renderbus_conn_id, **kwargs)
        self.render_task_id = render_task_id

    @records_end
    def execute(self, context: Context) -> list[int]:
        """Perform the action, and return the ids."""
        given: Any = self.render_task_id
        with translate_errors():
            task_ids = validation.parse_task_ids(
                "render_task_id", [given] if isinstance(given, str | int) else given
            )
            self.push_links(context, *task_ids)
            self._run_action(context, task_ids)
        return task_ids

    def _run_action(self, context: Context, task_ids: list[int]) -> None:
        ids = ", ".join(map(str, task_ids))
        self.log.info("Render %s: requesting %s", ids, self.action)
        try:
            self.hook.run(self._build_calls(task_ids))
        except NothingToDo as error:
            self.log.info("Render %s: %s", ids, error)

    @abstractmethod
    def _build_calls(self, task_ids: list[int]) -> Flow[None]:
        """Yield the calls of the action, after queries that it needs."""


class _FrameActionOperator(_TaskActionOperator):
    """Performs an action on frames of one render or of many."""

    template_fields = (*_TaskActionOperator.template_fields, "frames")

    def __init__(
        self,
        *,
        render_task_id: TaskId | Iterable[TaskId] | XComArg,
        frames: Iterable[str] | XComArg | None = None,
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(render_task_id=render_task_id, renderbus_conn_id=renderbus_conn_id, **kwargs)
        self.frames = frames

    def _named_frames(self, task_ids: list[int]) -> Flow[dict[int, list[Frame]]]:
        """Return the named frames in all tasks, by id of their leaf."""
        names: Any = self.frames
        frames: dict[int, list[Frame]] = {}
        for task_id in task_ids:
            frames |= yield from flows.frames_by_name(task_id, names, argument="frames")
        return frames


class RenderbusStartTaskOperator(_TaskActionOperator):
    """Start renders that were stopped: their remaining frames are rendered and paid for.

    :param render_task_id: id or alias of the render, or a list of them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the ids, as a list.
    """

    action = "start"

    def _build_calls(self, task_ids: list[int]) -> Flow[None]:
        yield [calls.start_task(task_ids)]


class RenderbusStopTaskOperator(_TaskActionOperator):
    """Stop renders, and wait until the farm confirms it.

    Finished frames stay, and the renders can be started again. If the farm does not confirm the stop within
    20 s, the operator fails; a retry stops the renders again.

    :param render_task_id: id or alias of the render, or a list of them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the ids, as a list.
    """

    action = "stop"

    def _build_calls(self, task_ids: list[int]) -> Flow[None]:
        yield [calls.stop_task(task_ids)]

    def _run_action(self, context: Context, task_ids: list[int]) -> None:
        """Stop the renders, and poll until none is active."""
        try:
            with self.hook.no_retry_client() as client:
                client.run(self._build_calls(task_ids))
        except RenderbusError as error:
            if is_permanent(error):
                raise
            self.log.warning("Render %s: stop not accepted yet: %s", ", ".join(map(str, task_ids)), error)
        request = stop_and_confirm(self.hook, StopRequest(task_ids))
        message = request.result_message(task_ids)
        if request.pending:
            raise AirflowException(message)
        self.log.info(message)


class RenderbusAbandonTaskOperator(_TaskActionOperator):
    """Abandon renders: they can never be started again.

    :param render_task_id: id or alias of the render, or a list of them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the ids, as a list.
    """

    action = "abandonment"

    def _build_calls(self, task_ids: list[int]) -> Flow[None]:
        yield [calls.abandon_task(task_ids)]


class RenderbusDeleteTaskOperator(_TaskActionOperator):
    """Delete renders.

    :param render_task_id: id or alias of the render, or a list of them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the ids, as a list.
    """

    action = "deletion"

    def _build_calls(self, task_ids: list[int]) -> Flow[None]:
        yield [calls.delete_task(task_ids)]


class RenderbusFullSpeedOperator(_TaskActionOperator):
    """Resume renders after their test frames (state 40), to render the remaining frames.

    :param render_task_id: id or alias of the render, or a list of them (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the ids, as a list.
    """

    action = "full speed"

    def _build_calls(self, task_ids: list[int]) -> Flow[None]:
        yield [calls.full_speed(task_ids)]


class RenderbusRecommitFramesOperator(_FrameActionOperator):
    """Re-render frames, and pay for them again.

    If the farm's response is lost, the operator fails without retries, because a retry could pay twice. If a
    retry runs all the same, e.g. after the death of a worker, it first asks the farm how often the frames
    were re-rendered. If never, it requests them. If they are being rendered, it succeeds. Otherwise it is
    unknown whether this Airflow task has requested it, and it fails without further retries. After a user has
    cleared the Airflow task, it requests the frames again.

    Frames that the farm would refuse, and with them the whole request, are omitted with a warning: those that
    timed out, were stopped, are merged or are distributed.

    :param render_task_id: id or alias of the render, or a list of them (templated).
    :param frames: names of frames as in the web console, e.g. "6" or "7-9[1]"; each must be in every render,
        and stands for the frames in all leaves of a layered one; the failed frames if omitted (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the ids, as a list.
    """

    action = "re-render of frames"

    def _run_action(self, context: Context, task_ids: list[int]) -> None:
        """Request the frames, unless an earlier try has."""
        with fail_if_charge_uncertain():
            if is_first_try_after_clear(context) or not confirm_recommitted(
                self.hook, lambda: self._frames_to_confirm(task_ids)
            ):
                super()._run_action(context, task_ids)

    def _selected_frames(self, task_ids: list[int]) -> Flow[list[Frame]]:
        """Return the named frames, or the failed frames if none are named."""
        frames: list[Frame] = []
        if self.frames is None:
            for task_id in task_ids:
                frames += yield from list_failed_frames(task_id)
        else:
            named = yield from self._named_frames(task_ids)
            frames = [frame for each in named.values() for frame in each]
        return frames

    def _frames_to_confirm(self, task_ids: list[int]) -> Flow[list[Frame]]:
        """Return the frames that an earlier try may have requested."""
        frames = yield from self._selected_frames(task_ids)
        return [frame for frame in frames if frame.is_recommittable or frame.status not in IDLE_STATUSES]

    def _build_calls(self, task_ids: list[int]) -> Flow[None]:
        frames = yield from self._selected_frames(task_ids)
        eligible = [frame for frame in frames if frame.is_recommittable]
        omitted = [frame.name for frame in frames if not frame.is_recommittable]
        if omitted:
            self.log.warning(
                "Frames %s: omitted, the farm re-renders only frames that are done or failed, neither merged "
                "nor distributed",
                join_limited(omitted),
            )
        if eligible:
            yield [calls.recommit_frames(ids=[frame.id for frame in eligible])]
        elif omitted:
            raise ValueError(
                "frames: must be frames that are done or failed, neither merged nor distributed, got "
                f"{join_limited(omitted)}; the farm re-renders no others"
            )
        else:
            self.log.info("Render %s: no frame has failed", ", ".join(map(str, task_ids)))


class RenderbusStopFramesOperator(_FrameActionOperator):
    """Stop frames.

    :param render_task_id: id or alias of the render, or a list of them (templated).
    :param frames: names of frames as in the web console, e.g. "6" or "7-9[1]"; each must be in every render,
        and stands for the frames in all leaves of a layered one; all frames if omitted (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the ids, as a list.
    """

    action = "stop of frames"

    def _build_calls(self, task_ids: list[int]) -> Flow[None]:
        if self.frames is None:
            leaf_ids: list[int] = []
            for task_id in task_ids:
                leaf_ids += yield from flows.leaf_task_ids(task_id)
            yield [calls.stop_frames(leaf_id, select_all=1) for leaf_id in leaf_ids]
        else:
            named = yield from self._named_frames(task_ids)
            yield [
                calls.stop_frames(leaf_id, [frame.id for frame in frames])
                for leaf_id, frames in named.items()
            ]


class RenderbusSetPriorityOperator(_TaskActionOperator):
    """Set the priority of renders within the account.

    :param render_task_id: id or alias of the render, or a list of them (templated).
    :param priority: 50 or 60 (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the ids, as a list.
    """

    template_fields = (*_TaskActionOperator.template_fields, "priority")
    action = "priority"

    def __init__(
        self,
        *,
        render_task_id: TaskId | Iterable[TaskId] | XComArg,
        priority: int | str | XComArg,
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(render_task_id=render_task_id, renderbus_conn_id=renderbus_conn_id, **kwargs)
        self.priority = priority

    def _build_calls(self, task_ids: list[int]) -> Flow[None]:
        priority = validation.parse_int("priority", self.priority)
        priority = validation.one_of("priority", priority, validation.USER_LEVELS)
        yield [calls.update_task_user_level(task_id, priority) for task_id in task_ids]


class RenderbusSetMachineLimitOperator(_TaskActionOperator):
    """Limit how many machines work on each render.

    :param render_task_id: id or alias of the render, or a list of them (templated).
    :param max_machines: number of machines (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the ids, as a list.
    """

    template_fields = (*_TaskActionOperator.template_fields, "max_machines")
    action = "machine limit"

    def __init__(
        self,
        *,
        render_task_id: TaskId | Iterable[TaskId] | XComArg,
        max_machines: int | str | XComArg,
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(render_task_id=render_task_id, renderbus_conn_id=renderbus_conn_id, **kwargs)
        self.max_machines = max_machines

    def _build_calls(self, task_ids: list[int]) -> Flow[None]:
        max_machines = validation.parse_int("max_machines", self.max_machines)
        max_machines = validation.positive_int("max_machines", max_machines)
        yield [calls.update_task_limit(task_id, max_machines) for task_id in task_ids]
