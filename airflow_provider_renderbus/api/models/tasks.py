"""Tasks: their numbers, states, progress and cost."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any

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
from airflow_provider_renderbus.api.states import Phase, TaskStatus, overall

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_NONE = Decimal(0)
_PHOTON = "RenderPhoton"


@dataclass(frozen=True, slots=True)
class CreatedTasks:
    """The numbers of newly created tasks. A number costs nothing until it is submitted."""

    ids: tuple[int, ...] = required("taskIdList", each(integer))
    aliases: tuple[str, ...] = optional("aliasTaskIdList", each(text), ())
    user_id: int | None = optional("userId", integer)


@dataclass(frozen=True, slots=True)
class Progress:
    """How many frames of a task are in which state; the farm counts jobs, e.g. each tile of a frame."""

    total: int = 0
    done: int = 0
    failed: int = 0
    running: int = 0
    aborted: int = 0

    def __add__(self, other: Progress) -> Progress:
        """Return the progress of two tasks together."""
        return Progress(
            self.total + other.total,
            self.done + other.done,
            self.failed + other.failed,
            self.running + other.running,
            self.aborted + other.aborted,
        )


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """A task's key words (``taskKeyValueVo``)."""

    tiles: str | None = optional("tiles", text)
    all_camera: str | None = optional("allCamera", text)
    renderable_camera: str | None = optional("renderableCamera", text)


def _sub_task(data: Any) -> TaskInfo:
    return read_task(data)


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """A task as the farm tells of it, with its sub-tasks where it is layered.

    The fields are the farm's own; what somebody who waits wants to know of the whole task, over all its
    leaves, is in the properties `status`, `progress`, `cost`, `ended` and `output_names`.
    """

    id: int = required("id", integer)
    status_code: int = required("taskStatus", integer)
    alias: str | None = optional("taskAlias", text)
    scene_name: str | None = optional("sceneName", text)
    status_text: str | None = optional("statusText", text)
    pre_task_status: int | None = optional("preTaskStatus", integer)
    pre_status_text: str | None = optional("preStatusText", text)
    total_frames: int | None = optional("totalFrames", integer)
    abort_frames: int | None = optional("abortFrames", integer)
    executing_frames: int | None = optional("executingFrames", integer)
    done_frames: int | None = optional("doneFrames", integer)
    failed_frames: int | None = optional("failedFrames", integer)
    waiting_count: int | None = optional("waitingCount", integer)
    frames_range: str | None = optional("framesRange", text)
    project_name: str | None = optional("projectName", text)
    render_consume: Decimal | None = optional("renderConsume", amount)
    user_account_consume: Decimal | None = optional("userAccountConsume", amount)
    coupon_consume: Decimal | None = optional("couponConsume", amount)
    qy_coupon_consume: Decimal | None = optional("qyCouponConsume", amount)
    arrears: Decimal | None = optional("taskArrears", amount)
    submitted_at: datetime | None = optional("submitDate", moment)
    has_submit_date: bool = optional("submitDate", bool, default=False)
    started_at: datetime | None = optional("startTime", moment)
    completed_at: datetime | None = optional("completedDate", moment)
    render_duration: int | None = optional("renderDuration", integer)
    user_id: int | None = optional("userId", integer)
    user_name: str | None = optional("userName", text)
    producer: str | None = optional("producer", text)
    task_level: int | None = optional("taskLevel", integer)
    task_user_level: int | None = optional("taskUserLevel", integer)
    task_limit: int | None = optional("taskLimit", integer)
    task_over_time: int | None = optional("taskOverTime", integer)
    over_time_stop: int | None = optional("overTimeStop", integer)
    is_over_time: bool | None = optional("isOverTime", flag)
    output_file_name: str | None = optional("outputFileName", text)
    location_output: str | None = optional("locationOutput", text)
    bid: str | None = optional("bid", text)
    munu_task_id: str | None = optional("munuTaskId", text)
    munu_task_ids: str | None = optional("munuTaskIds", text)
    layer_parent_id: int | None = optional("layerParentId", integer)
    layer_name: str | None = optional("layerName", text)
    cg_id: int | None = optional("cgId", integer)
    options: TaskOptions | None = optional("taskKeyValueVo", reader(TaskOptions))
    is_open: int | None = optional("isOpen", integer)
    task_type: str | None = optional("taskType", text)
    task_type_text: str | None = optional("taskTypeText", text)
    render_camera: str | None = optional("renderCamera", text)
    clone_parent_id: int | None = optional("cloneParentId", integer)
    clone_original_id: int | None = optional("cloneOriginalId", integer)
    share_main_capital: int | None = optional("shareMainCapital", integer)
    task_ram: int | None = optional("taskRam", integer)
    is_delete: int | None = optional("isDelete", integer)
    channel: int | None = optional("channel", integer)
    remark: str | None = optional("remark", text)
    labels: str | None = optional("labels", text)
    stop_type: int | None = optional("stopType", integer)
    sub_tasks: tuple[TaskInfo, ...] = optional("respRenderingTaskList", each(_sub_task), (), strict=True)

    def leaves(self) -> Iterator[TaskInfo]:
        """Yield the tasks that hold frames: the task itself, or the lowest of its sub-tasks."""
        if not self.sub_tasks:
            yield self
        for task in self.sub_tasks:
            yield from task.leaves()

    @property
    def status(self) -> TaskStatus:
        """The state of the whole task, over its leaves.

        A parent that lists only photon passes is not at its end, for its main pass is still to come:
        it counts as waiting where all of them have succeeded.
        """
        if not self.sub_tasks:
            return TaskStatus(self.status_code)
        leaves = tuple(self.leaves())
        status = overall(TaskStatus(leaf.status_code) for leaf in leaves)
        if status.phase is Phase.SUCCEEDED and all(leaf.is_photon_pass for leaf in leaves):
            return TaskStatus.WAITING
        return status

    @property
    def is_photon_pass(self) -> bool:
        """Whether it is a photon pass, which prepares the frames of a main pass and has none of its own."""
        return self.task_type == _PHOTON

    @property
    def submitted(self) -> bool:
        """Whether the task was ever submitted: to submit it again could be paid for twice.

        A number that was only created waits, has no sub-tasks and no submit time.
        """
        return self.has_submit_date or bool(self.sub_tasks) or self.status_code != TaskStatus.WAITING

    @property
    def ended(self) -> bool:
        """Whether nothing of the task will move again by itself."""
        return self.status.phase not in {Phase.ACTIVE, Phase.PAUSED}

    @property
    def progress(self) -> Progress:
        """The frames of all leaves."""
        return reduce(Progress.__add__, (_progress(leaf) for leaf in self.leaves()))

    @property
    def cost(self) -> Decimal:
        """What the task has cost so far, over its leaves, in the account's currency."""
        return sum((_cost(leaf) for leaf in self.leaves()), _NONE)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The folders of the leaves' frames in the output storage, as far as the farm has named them."""
        return tuple(leaf.output_file_name for leaf in self.leaves() if leaf.output_file_name)


def _progress(leaf: TaskInfo) -> Progress:
    return Progress(
        leaf.total_frames or 0,
        leaf.done_frames or 0,
        leaf.failed_frames or 0,
        leaf.executing_frames or 0,
        leaf.abort_frames or 0,
    )


def _cost(leaf: TaskInfo) -> Decimal:
    """Return the larger of the farm's two figures: either can be zero while the other is right."""
    parts = (leaf.user_account_consume, leaf.coupon_consume, leaf.qy_coupon_consume)
    return max(leaf.render_consume or _NONE, sum((part or _NONE for part in parts), _NONE))


read_created_tasks = reader(CreatedTasks)
read_task = reader(TaskInfo)
