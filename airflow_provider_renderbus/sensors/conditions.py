"""Waiting for frames, files or money."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.validation import (
    non_empty_str,
    non_empty_strs,
    parse_decimal,
    parse_int,
    parse_task_id,
    positive_int,
)
from airflow_provider_renderbus.polling.worker import ConditionWorkerPoller
from airflow_provider_renderbus.renders.conditions import (
    FilesPresent,
    FramesDone,
    SufficientFunds,
    stored,
)
from airflow_provider_renderbus.sensors.base import RenderbusSensor
from airflow_provider_renderbus.triggers.conditions import RenderbusConditionTrigger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import XComArg

    from airflow_provider_renderbus.api.validation import TaskId
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
    from airflow_provider_renderbus.renders.conditions import Condition


class _ConditionSensor(RenderbusSensor):
    """A sensor whose waiting is for a condition."""

    def watch(self, hook: RenderbusHook) -> ConditionWorkerPoller:
        """Return what looks at the condition from a worker."""
        return ConditionWorkerPoller(hook, self.condition(), keeps_state=not self.reschedule)

    def trigger(self, deadline: float) -> RenderbusConditionTrigger:
        """Return what waits for the condition in the triggerer."""
        return RenderbusConditionTrigger(
            self.renderbus_conn_id, stored(self.condition()), self.poke_interval, deadline
        )

    @abstractmethod
    def condition(self) -> Condition:
        """Return what is waited for.

        :raises ValueError: an argument is not what the farm takes.
        """


class RenderbusFramesSensor(_ConditionSensor):
    """Wait until frames of a task are done, so that compositing can start before the whole task has ended.

    It fails when the task ends in another way than finished before the frames are done.

    :param render_task_id: number or alias of the task (templated).
    :param frames: names of frames as the farm shows them, e.g. "6" or "7-9[1]", which must all be done, in
        all leaves of a layered task (templated).
    :param min_fraction: how many of all frames must be done, from 0 to 1, where `frames` is left out
        (templated).
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param poke_interval: seconds between two looks; ``[renderbus] poll_interval`` where it is left out.
    :param renderbus_conn_id: id of the connection (templated).
    :return: a mapping with render_task_id, done, required (how many are waited for) and total (how many there
        are).
    """

    template_fields = (*RenderbusSensor.template_fields, "render_task_id", "frames", "min_fraction")

    def __init__(
        self,
        *,
        render_task_id: TaskId | XComArg,
        frames: Sequence[str] | XComArg | None = None,
        min_fraction: float | str | XComArg = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.render_task_id = render_task_id
        self.frames: Any = frames
        self.min_fraction: Any = min_fraction

    def condition(self) -> FramesDone:
        """Return what is waited for."""
        try:
            min_fraction = float(self.min_fraction)
        except (TypeError, ValueError):
            min_fraction = 0.0
        if not 0 < min_fraction <= 1:
            raise ValueError(
                f"min_fraction: a number above 0 and up to 1 is wanted, not {self.min_fraction!r}"
            )
        chosen = None if self.frames is None else tuple(non_empty_strs("frames", self.frames))
        if chosen == ():
            raise ValueError("frames: at least one frame's name is wanted")
        return FramesDone(parse_task_id("render_task_id", self.render_task_id), chosen, min_fraction)


class RenderbusOutputSensor(_ConditionSensor):
    """Wait until files of a task are in the output storage.

    It fails when the task ends in another way than finished before they are there.

    :param render_task_id: number or alias of the task (templated).
    :param pattern: which files count, matched against their paths, e.g. "*.exr"; ``*`` matches slashes too
        (templated).
    :param min_files: how many there must be (templated).
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param poke_interval: seconds between two looks; ``[renderbus] poll_interval`` where it is left out.
    :param renderbus_conn_id: id of the connection (templated).
    :return: a mapping with render_task_id and files.
    """

    template_fields = (*RenderbusSensor.template_fields, "render_task_id", "pattern", "min_files")

    def __init__(
        self,
        *,
        render_task_id: TaskId | XComArg,
        pattern: str | XComArg = "*",
        min_files: int | str | XComArg = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.render_task_id = render_task_id
        self.pattern: Any = pattern
        self.min_files = min_files

    def condition(self) -> FilesPresent:
        """Return what is waited for."""
        return FilesPresent(
            parse_task_id("render_task_id", self.render_task_id),
            non_empty_str("pattern", self.pattern),
            positive_int("min_files", parse_int("min_files", self.min_files)),
        )


class RenderbusFundsSensor(_ConditionSensor):
    """Wait until the account can spend enough: balance, coupons and credit together.

    A sub-account that pays from its main account, or whose figures are hidden, does not show what it has.
    What it shows is only advice then: nothing is waited for, and a warning in the log says so.

    :param min_funds: how much, in the account's currency (templated).
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param poke_interval: seconds between two looks; ``[renderbus] poll_interval`` where it is left out.
    :param renderbus_conn_id: id of the connection (templated).
    :return: a mapping with available_funds, as text so that no digit is lost, and currency.
    """

    template_fields = (*RenderbusSensor.template_fields, "min_funds")

    def __init__(self, *, min_funds: float | str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.min_funds = min_funds

    def condition(self) -> SufficientFunds:
        """Return what is waited for."""
        return SufficientFunds(str(parse_decimal("min_funds", self.min_funds)))

    def result(self, reached: Any) -> Any:
        """Return what the account shows, with a warning where that is less than what is wanted."""
        if Decimal(reached["available_funds"]) < parse_decimal("min_funds", self.min_funds):
            self.log.warning("The account does not show what it has, so this is only advice: %s", reached)
        return reached
