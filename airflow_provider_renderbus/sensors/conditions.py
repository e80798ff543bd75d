"""Sensors that wait for frames, output files or funds."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.validation import (
    non_blank_line,
    non_empty_strs,
    parse_decimal,
    parse_int,
    parse_task_id,
    positive_int,
)
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.polling.worker import ConditionWorkerPoller
from airflow_provider_renderbus.renders.conditions import (
    FilesPresent,
    FramesDone,
    SufficientFunds,
    condition_to_dict,
)
from airflow_provider_renderbus.sensors.base import DEFERRABLE, RenderbusSensor
from airflow_provider_renderbus.triggers.conditions import RenderbusConditionTrigger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow_provider_renderbus.api.validation import TaskId
    from airflow_provider_renderbus.compat import XComArg
    from airflow_provider_renderbus.renders.conditions import Condition


class _ConditionSensor(RenderbusSensor):
    """A sensor that waits for a condition."""

    def make_poller(self, hook: RenderbusHook) -> ConditionWorkerPoller:
        """Return what polls on a worker."""
        return ConditionWorkerPoller(hook, self.condition(), keeps_state=not self.reschedule)

    def make_trigger(self, deadline: float) -> RenderbusConditionTrigger:
        """Return the trigger that waits until a deadline."""
        condition = condition_to_dict(self.condition())
        return RenderbusConditionTrigger(self.renderbus_conn_id, condition, self.poke_interval, deadline)

    @abstractmethod
    def condition(self) -> Condition:
        """Return what to wait for.

        :raises ValueError: an argument is wrong.
        """


class RenderbusFramesSensor(_ConditionSensor):
    """Wait until frames of a render are done, e.g. to start compositing before the whole render is.

    A frame counts when it is done in every layer that has it. A layer that lists no frames yet counts as
    having all of them. A name that no frame or layer has is logged at the first poll.

    It fails if the render ends in any state but FINISHED before the frames are done.

    :param render_task_id: id or alias of the render (templated).
    :param frames: names of frames as the farm shows them, e.g. "6" or "7-9[1]", which must all be done
        (templated).
    :param min_fraction: the fraction of all frames that must be done, above 0 and up to 1; only used if
        `frames` is omitted (templated).
    :param layers: names of the layers that count, as in the `layers` of a result; all if omitted (templated).
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param poke_interval: seconds between polls; ``[renderbus] poll_interval`` if omitted.
    :param renderbus_conn_id: id of the connection (templated).
    :return: a mapping with render_task_id, done, required (how many are waited for), total (how many there
        are) and frames, the complete ones as ranges, e.g. "1-8, 12".
    """

    template_fields = (*RenderbusSensor.template_fields, "render_task_id", "frames", "min_fraction", "layers")

    def __init__(
        self,
        *,
        render_task_id: TaskId | XComArg,
        frames: Sequence[str] | XComArg | None = None,
        min_fraction: float | str | XComArg = 1.0,
        layers: Sequence[str] | XComArg | None = None,
        deferrable: bool = DEFERRABLE,
        poke_interval: float | timedelta | None = None,
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            deferrable=deferrable,
            poke_interval=poke_interval,
            renderbus_conn_id=renderbus_conn_id,
            **kwargs,
        )
        self.render_task_id = render_task_id
        self.frames: Any = frames
        self.min_fraction: Any = min_fraction
        self.layers: Any = layers

    def condition(self) -> FramesDone:
        """Return what to wait for."""
        try:
            min_fraction = float(parse_decimal("min_fraction", self.min_fraction))
        except ValueError:
            min_fraction = 0.0
        if not 0 < min_fraction <= 1:
            raise ValueError(f"min_fraction: must be a number above 0 and up to 1, got {self.min_fraction!r}")
        frame_names = None if self.frames is None else tuple(non_empty_strs("frames", self.frames))
        if frame_names == ():
            raise ValueError("frames: must name at least one frame, got an empty list")
        layers = None if self.layers is None else tuple(non_empty_strs("layers", self.layers))
        if layers == ():
            raise ValueError("layers: must name at least one layer, got an empty list")
        task_id = parse_task_id("render_task_id", self.render_task_id)
        return FramesDone(task_id, frame_names, min_fraction, layers)


class RenderbusOutputSensor(_ConditionSensor):
    """Wait until files of a render are in the output storage.

    It fails if the render ends in any state but FINISHED before the files are there.

    :param render_task_id: id or alias of the render (templated).
    :param pattern: which files count, matched against their paths, e.g. ``*.exr``; ``*`` matches slashes too
        (templated).
    :param min_files: how many files there must be (templated).
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param poke_interval: seconds between polls; ``[renderbus] poll_interval`` if omitted.
    :param renderbus_conn_id: id of the connection (templated).
    :return: a mapping with render_task_id and files, their number.
    """

    template_fields = (*RenderbusSensor.template_fields, "render_task_id", "pattern", "min_files")

    def __init__(
        self,
        *,
        render_task_id: TaskId | XComArg,
        pattern: str | XComArg = "*",
        min_files: int | str | XComArg = 1,
        deferrable: bool = DEFERRABLE,
        poke_interval: float | timedelta | None = None,
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            deferrable=deferrable,
            poke_interval=poke_interval,
            renderbus_conn_id=renderbus_conn_id,
            **kwargs,
        )
        self.render_task_id = render_task_id
        self.pattern: Any = pattern
        self.min_files = min_files

    def condition(self) -> FilesPresent:
        """Return what to wait for."""
        return FilesPresent(
            parse_task_id("render_task_id", self.render_task_id),
            non_blank_line("pattern", self.pattern),
            positive_int("min_files", parse_int("min_files", self.min_files)),
        )


class RenderbusFundsSensor(_ConditionSensor):
    """Wait until the account can spend enough: balance, coupons and credit together.

    A sub-account that pays from its main account, or whose figures are hidden, does not show its funds. Then
    the sensor succeeds at once and logs a warning, since what it sees is only advice.

    :param min_funds: the amount, in the account's currency (templated).
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param poke_interval: seconds between polls; ``[renderbus] poll_interval`` if omitted.
    :param renderbus_conn_id: id of the connection (templated).
    :return: a mapping with available_funds, as text so that no digit is lost, and currency.
    """

    template_fields = (*RenderbusSensor.template_fields, "min_funds")

    def __init__(
        self,
        *,
        min_funds: float | str | XComArg,
        deferrable: bool = DEFERRABLE,
        poke_interval: float | timedelta | None = None,
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            deferrable=deferrable,
            poke_interval=poke_interval,
            renderbus_conn_id=renderbus_conn_id,
            **kwargs,
        )
        self.min_funds = min_funds

    def condition(self) -> SufficientFunds:
        """Return what to wait for."""
        return SufficientFunds(str(parse_decimal("min_funds", self.min_funds)))

    def build_result(self, value: Any) -> Any:
        """Return what the account shows, and log a warning if that is less than `min_funds`."""
        if Decimal(value["available_funds"]) < parse_decimal("min_funds", self.min_funds):
            self.log.warning(
                "The account hides its funds: %s %s is only advice, min_funds %s was not checked",
                value["available_funds"],
                value["currency"],
                self.min_funds,
            )
        return value
