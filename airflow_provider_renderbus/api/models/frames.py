"""Frames of a leaf task."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.parsing import (
    amount,
    each,
    flag,
    integer,
    moment,
    optional,
    reader,
    required,
    text,
)
from airflow_provider_renderbus.api.states import FrameStatus

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Frame:
    """One job of a leaf task: a frame, a range of frames on one machine, or a tile of a frame.

    ``index`` is text: "6" is a frame, "7-9[1]" a range with its step, "0-1" tile 1 of frame 0.
    """

    id: int = required("id", integer)
    index: str = required("frameIndex", text)
    status_code: int = required("frameStatus", integer)
    status_text: str | None = optional("frameStatusText", text)
    block: str | None = optional("frameBlock", text)
    task_id: int | None = optional("taskId", integer)
    frame_type: int | None = optional("frameType", integer)
    fee_amount: Decimal | None = optional("feeAmount", amount)
    coupon_fee: Decimal | None = optional("couponFee", amount)
    arrears_fee: Decimal | None = optional("arrearsFee", amount)
    price: Decimal | None = optional("framePrice", amount)
    fee_type: int | None = optional("feeType", integer)
    started_at: datetime | None = optional("startTime", moment)
    ended_at: datetime | None = optional("endTime", moment)
    execute_time: int | None = optional("frameExecuteTime", integer)
    recommits: int = optional("recommitFlag", integer, 0)
    task_over_time: int | None = optional("taskOverTime", integer)
    munu_task_id: str | None = optional("munuTaskId", text)
    munu_job_id: str | None = optional("munuJobId", text)
    user_id: int | None = optional("userId", integer)
    platform: int | None = optional("platform", integer)
    gop_name: str | None = optional("gopName", text)
    frame_ram: int | None = optional("frameRam", integer)
    is_copy: bool | None = optional("isCopy", flag)

    @property
    def status(self) -> FrameStatus:
        """The frame's state; one that nobody has told us of is UNKNOWN."""
        return FrameStatus(self.status_code)

    @property
    def cost(self) -> Decimal:
        """What the frame has cost, in the account's currency."""
        return (self.fee_amount or Decimal(0)) + (self.coupon_fee or Decimal(0))


@dataclass(frozen=True, slots=True)
class LogPage:
    """A piece of a frame's log. ``total`` and ``size`` are bytes, although it looks like a page."""

    lines: tuple[str, ...] = required("items", each(text))
    total: int | None = optional("total", integer)
    size: int | None = optional("size", integer)
    page_num: int | None = optional("pageNum", integer)
    page_count: int | None = optional("pageCount", integer)


read_frame = reader(Frame)
read_log_page = reader(LogPage)
