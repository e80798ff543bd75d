"""Frames of a leaf task."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.frame_names import numbers_of
from airflow_provider_renderbus.api.parsing import (
    list_of,
    optional_field,
    read_bool,
    read_count,
    read_decimal,
    read_id,
    read_int,
    read_str,
    read_timestamp_ms,
    reader_for,
    required_field,
)
from airflow_provider_renderbus.api.states import FrameStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


# Pre-render, photon and merged photon: they prepare frames, and have no files.
_PREPARING_TYPES = frozenset({1, 2, 3})
# Merged photon, composed priority, composed main, and two kinds of distributed frames.
_NOT_RECOMMITTABLE_TYPES = frozenset({3, 6, 7, 10, 11})


@dataclass(frozen=True, slots=True)
class Frame:
    """One job of a leaf task: a frame, a range of frames on one machine, or a tile of a frame.

    ``name`` is text (``frameIndex``): "6" is a frame, "7-9[1]" a range with its step, "0-1" tile 1 of frame
    0.
    """

    id: int = required_field("id", read_id)
    name: str = required_field("frameIndex", read_str)
    status_code: int = required_field("frameStatus", read_int)
    status_text: str | None = optional_field("frameStatusText", read_str)
    block: str | None = optional_field("frameBlock", read_str)
    task_id: int | None = optional_field("taskId", read_int)
    frame_type: int | None = optional_field("frameType", read_int)
    fee_amount: Decimal | None = optional_field("feeAmount", read_decimal)
    coupon_fee: Decimal | None = optional_field("couponFee", read_decimal)
    arrears_fee: Decimal | None = optional_field("arrearsFee", read_decimal)
    price: Decimal | None = optional_field("framePrice", read_decimal)
    fee_type: int | None = optional_field("feeType", read_int)
    started_at: datetime | None = optional_field("startTime", read_timestamp_ms)
    ended_at: datetime | None = optional_field("endTime", read_timestamp_ms)
    execute_time: int | None = optional_field("frameExecuteTime", read_count)
    recommits: int = optional_field("recommitFlag", read_count, 0)
    task_over_time: int | None = optional_field("taskOverTime", read_int)
    munu_task_id: str | None = optional_field("munuTaskId", read_str)
    munu_job_id: str | None = optional_field("munuJobId", read_str)
    user_id: int | None = optional_field("userId", read_int)
    platform: int | None = optional_field("platform", read_int)
    gop_name: str | None = optional_field("gopName", read_str)
    frame_ram: int | None = optional_field("frameRam", read_int)
    is_copy: bool | None = optional_field("isCopy", read_bool)

    @property
    def status(self) -> FrameStatus:
        """The frame's status; UNKNOWN for a code that is not documented."""
        return FrameStatus(self.status_code)

    @property
    def numbers(self) -> Sequence[int]:
        """The numbers of the frames that it stands for."""
        return numbers_of(self.name)

    @property
    def has_files(self) -> bool:
        """Whether it leaves files in the output storage once it is done."""
        return self.frame_type not in _PREPARING_TYPES

    @property
    def is_recommittable(self) -> bool:
        """Whether the farm recommits the frame. A frame that it refuses refuses the whole request.

        It is done or failed, and neither merged nor distributed. Source: the vendor's desktop client.
        """
        return (
            self.status in {FrameStatus.DONE, FrameStatus.ERROR}
            and self.frame_type not in _NOT_RECOMMITTABLE_TYPES
        )

    def may_be_recommitted(self, max_recommits: int) -> bool:
        """Whether the farm recommits the frame, and it was recommitted less often than allowed."""
        return self.is_recommittable and self.recommits < max_recommits

    @property
    def cost(self) -> Decimal:
        """Cost of the frame, in the account's currency."""
        return (self.fee_amount or Decimal(0)) + (self.coupon_fee or Decimal(0))


@dataclass(frozen=True, slots=True)
class FrameState:
    """What names a frame and says its state, of what the farm returns for a :class:`Frame`."""

    id: int = required_field("id", read_id)
    name: str = required_field("frameIndex", read_str)
    status_code: int = required_field("frameStatus", read_int)
    recommits: int = optional_field("recommitFlag", read_count, 0)

    @property
    def status(self) -> FrameStatus:
        """The frame's status; UNKNOWN for a code that is not documented."""
        return FrameStatus(self.status_code)


@dataclass(frozen=True, slots=True)
class LogPage:
    """Part of a frame's log. ``total`` and ``size`` are bytes, although the object looks like a page."""

    lines: tuple[str, ...] = required_field("items", list_of(read_str))
    total: int | None = optional_field("total", read_count)
    size: int | None = optional_field("size", read_count)
    page_num: int | None = optional_field("pageNum", read_count)
    page_count: int | None = optional_field("pageCount", read_count)


read_frame = reader_for(Frame)
read_frame_state = reader_for(FrameState)
read_log_page = reader_for(LogPage)
