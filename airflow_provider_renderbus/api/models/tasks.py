"""Tasks: ids, statuses, progress and cost, and the findings of an analysis."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.parsing import (
    ParseError,
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
from airflow_provider_renderbus.api.states import (
    Phase,
    StopType,
    TaskStatus,
    aggregate_status,
    status_of_stop,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_ZERO = Decimal(0)
_PHOTON, _PRE_RENDER = "RenderPhoton", "PreRender"
_ERROR = 1  # the type of a finding
_IS_DELETED_VALUE = 0  # of ``isDelete``
_SUB_TASKS = "respRenderingTaskList"
MAX_DEPTH, MAX_SUB_TASKS = 8, 2000
"""Levels and number of sub-tasks that are read; the documents show one level of a few."""


@dataclass(frozen=True, slots=True)
class CreatedTasks:
    """Ids of newly created tasks. A task costs nothing until it is submitted."""

    ids: tuple[int, ...] = required_field("taskIdList", list_of(read_id))
    aliases: tuple[str, ...] = optional_field("aliasTaskIdList", list_of(read_str), ())
    user_id: int | None = optional_field("userId", read_int)


@dataclass(frozen=True, slots=True)
class Progress:
    """Numbers of a task's frames by status. The farm counts jobs, e.g. each tile of a frame."""

    total: int = 0
    done: int = 0
    failed: int = 0
    running: int = 0
    aborted: int = 0

    def __add__(self, other: Progress) -> Progress:
        """Return the sum of the progress of two tasks."""
        return Progress(
            self.total + other.total,
            self.done + other.done,
            self.failed + other.failed,
            self.running + other.running,
            self.aborted + other.aborted,
        )


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """Options of a task (``taskKeyValueVo``)."""

    tiles: str | None = optional_field("tiles", read_str)
    all_camera: str | None = optional_field("allCamera", read_str)
    renderable_camera: str | None = optional_field("renderableCamera", read_str)


def _sub_task(data: Any) -> TaskInfo:
    return _read_task(data)


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """A task, with its sub-tasks if it is layered.

    The fields are the farm's own. The properties `status`, `progress`, `cost`, `is_terminal` and
    `output_folders` describe the whole task, over all its leaves.
    """

    id: int = required_field("id", read_id)
    status_code: int = required_field("taskStatus", read_int)
    alias: str | None = optional_field("taskAlias", read_str)
    scene_name: str | None = optional_field("sceneName", read_str)
    status_text: str | None = optional_field("statusText", read_str)
    pre_task_status: int | None = optional_field("preTaskStatus", read_int)
    pre_status_text: str | None = optional_field("preStatusText", read_str)
    total_frames: int | None = optional_field("totalFrames", read_count)
    abort_frames: int | None = optional_field("abortFrames", read_count)
    executing_frames: int | None = optional_field("executingFrames", read_count)
    done_frames: int | None = optional_field("doneFrames", read_count)
    failed_frames: int | None = optional_field("failedFrames", read_count)
    waiting_count: int | None = optional_field("waitingCount", read_count)
    frames_range: str | None = optional_field("framesRange", read_str)
    project_name: str | None = optional_field("projectName", read_str)
    render_consume: Decimal | None = optional_field("renderConsume", read_decimal)
    user_account_consume: Decimal | None = optional_field("userAccountConsume", read_decimal)
    coupon_consume: Decimal | None = optional_field("couponConsume", read_decimal)
    qy_coupon_consume: Decimal | None = optional_field("qyCouponConsume", read_decimal)
    arrears: Decimal | None = optional_field("taskArrears", read_decimal)
    submitted_at: datetime | None = optional_field("submitDate", read_timestamp_ms)
    has_submit_date: bool = optional_field("submitDate", bool, default=False)
    started_at: datetime | None = optional_field("startTime", read_timestamp_ms)
    completed_at: datetime | None = optional_field("completedDate", read_timestamp_ms)
    render_duration: int | None = optional_field("renderDuration", read_count)
    user_id: int | None = optional_field("userId", read_int)
    user_name: str | None = optional_field("userName", read_str)
    producer: str | None = optional_field("producer", read_str)
    task_level: int | None = optional_field("taskLevel", read_int)
    task_user_level: int | None = optional_field("taskUserLevel", read_int)
    task_limit: int | None = optional_field("taskLimit", read_int)
    task_over_time: int | None = optional_field("taskOverTime", read_int)
    over_time_stop: int | None = optional_field("overTimeStop", read_int)
    is_over_time: bool | None = optional_field("isOverTime", read_bool)
    output_file_name: str | None = optional_field("outputFileName", read_str)
    location_output: str | None = optional_field("locationOutput", read_str)
    bid: str | None = optional_field("bid", read_str)
    munu_task_id: str | None = optional_field("munuTaskId", read_str)
    munu_task_ids: str | None = optional_field("munuTaskIds", read_str)
    layer_parent_id: int | None = optional_field("layerParentId", read_int)
    layer_name: str | None = optional_field("layerName", read_str)
    cg_id: int | None = optional_field("cgId", read_int)
    options: TaskOptions | None = optional_field("taskKeyValueVo", reader_for(TaskOptions))
    is_open: int | None = optional_field("isOpen", read_int)
    task_type: str | None = optional_field("taskType", read_str)
    task_type_text: str | None = optional_field("taskTypeText", read_str)
    render_camera: str | None = optional_field("renderCamera", read_str)
    clone_parent_id: int | None = optional_field("cloneParentId", read_int)
    clone_original_id: int | None = optional_field("cloneOriginalId", read_int)
    share_main_capital: int | None = optional_field("shareMainCapital", read_int)
    task_ram: int | None = optional_field("taskRam", read_int)
    is_delete: int | None = optional_field("isDelete", read_int)
    channel: int | None = optional_field("channel", read_int)
    remark: str | None = optional_field("remark", read_str)
    labels: str | None = optional_field("labels", read_str)
    stop_type: int | None = optional_field("stopType", read_int)
    sub_tasks: tuple[TaskInfo, ...] = optional_field(_SUB_TASKS, list_of(_sub_task), (), strict=True)

    def leaves(self) -> Iterator[TaskInfo]:
        """Yield the tasks that hold frames: the task itself, or the lowest of its sub-tasks."""
        if not self.sub_tasks:
            yield self
        for task in self.sub_tasks:
            yield from task.leaves()

    @property
    def status(self) -> TaskStatus:
        """Status of the whole task: see :func:`~airflow_provider_renderbus.api.states.aggregate_status`.

        A parent that lists only photon passes has not finished, because its main pass is still to come: it
        counts as waiting if all photon passes have succeeded.
        """
        status = _status(self)
        if self.sub_tasks and status.phase is Phase.SUCCEEDED:
            return TaskStatus.WAITING if all(leaf.is_photon_pass for leaf in self.leaves()) else status
        return status

    @property
    def stop_types(self) -> tuple[StopType, ...]:
        """Who or what stopped the stopped leaves, as far as the farm says it; each once."""
        stopped = (
            StopType(leaf.stop_type or 0) for leaf in self.leaves() if _status(leaf).phase is Phase.STOPPED
        )
        return tuple(dict.fromkeys(kind for kind in stopped if kind is not StopType.UNKNOWN))

    @property
    def is_photon_pass(self) -> bool:
        """Whether it is a photon pass, which prepares the frames of a main pass and has none of its own."""
        return self.task_type == _PHOTON

    @property
    def is_pre_render(self) -> bool:
        """Whether it is a preprocessing pass, which has no frames of its own either."""
        return self.task_type == _PRE_RENDER

    @property
    def is_submitted(self) -> bool:
        """Whether the task was ever submitted: a second submit could be paid for twice.

        A task that was only created is waiting, and has no sub-tasks and no submit time.
        """
        return self.has_submit_date or bool(self.sub_tasks) or self.status_code != TaskStatus.WAITING

    @property
    def is_deleted(self) -> bool:
        """Whether the task was deleted. The farm's field is 0 then."""
        return self.is_delete == _IS_DELETED_VALUE

    @property
    def is_terminal(self) -> bool:
        """Whether the task does not leave its status by itself."""
        return self.status.phase not in {Phase.ACTIVE, Phase.PAUSED}

    @property
    def progress(self) -> Progress:
        """Progress of all leaves together."""
        return reduce(Progress.__add__, (_progress(leaf) for leaf in self.leaves()))

    @property
    def cost(self) -> Decimal:
        """Cost so far, over all leaves, in the account's currency."""
        return sum((_cost(leaf) for leaf in self.leaves()), _ZERO)

    @property
    def output_folders(self) -> tuple[str, ...]:
        """Folders of the leaves' frames in the output storage, as far as the farm has named them."""
        return tuple(leaf.output_file_name for leaf in self.leaves() if leaf.output_file_name)


def _status(task: TaskInfo) -> TaskStatus:
    own = status_of_stop(TaskStatus(task.status_code), task.stop_type)
    return aggregate_status(own, map(_status, task.sub_tasks)) if task.sub_tasks else own


def _progress(leaf: TaskInfo) -> Progress:
    return Progress(
        leaf.total_frames or 0,
        leaf.done_frames or 0,
        leaf.failed_frames or 0,
        leaf.executing_frames or 0,
        leaf.abort_frames or 0,
    )


def _cost(leaf: TaskInfo) -> Decimal:
    """Return the larger of the farm's two figures: either can be zero while the other is correct."""
    parts = (leaf.user_account_consume, leaf.coupon_consume, leaf.qy_coupon_consume)
    return max(leaf.render_consume or _ZERO, sum((part or _ZERO for part in parts), _ZERO))


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """A code of tips.json: the finding and its solution (documented in Chinese only)."""

    code: str = required_field("code", read_str)
    id: int | None = optional_field("id", read_int)
    kind: int | None = optional_field("type", read_int)
    language_flag: int | None = optional_field("languageFlag", read_int)
    description: str | None = optional_field("desDescriptionCn", read_str)
    solution: str | None = optional_field("desSolutionCn", read_str)
    solution_path: str | None = optional_field("solutionPath", read_str)
    is_repair: bool | None = optional_field("isRepair", read_bool)
    is_delete: int | None = optional_field("isDelete", read_int)
    is_open: bool | None = optional_field("isOpen", read_bool)
    last_modify_admin: str | None = optional_field("lastModifyAdmin", read_str)
    updated_at: datetime | None = optional_field("updateTime", read_timestamp_ms)

    @property
    def is_blocking(self) -> bool:
        """Whether it is an error that the farm enforces: it refuses the job."""
        return self.kind == _ERROR and self.is_open is not False


read_created_tasks = reader_for(CreatedTasks)
read_error_detail = reader_for(ErrorDetail)
_read_task = reader_for(TaskInfo)


def read_task(data: Any) -> TaskInfo:
    """Read a task with its sub-tasks.

    :raises ParseError: it is no task, or its sub-tasks are too many or nested too deep to be read.
    """
    level, count = _sub_tasks_of([data]), 0
    for _ in range(MAX_DEPTH):
        count += len(level)
        if not level or count > MAX_SUB_TASKS:
            break
        level = _sub_tasks_of(level)
    if count > MAX_SUB_TASKS:
        raise ParseError(f"TaskInfo.{_SUB_TASKS}: must hold at most {MAX_SUB_TASKS} sub-tasks, got more")
    if level:
        raise ParseError(f"TaskInfo.{_SUB_TASKS}: nested too deep, must have at most {MAX_DEPTH} levels")
    return _read_task(data)


def _sub_tasks_of(tasks: list[Any]) -> list[Any]:
    lists = [task.get(_SUB_TASKS) for task in tasks if type(task) is dict]
    return [sub_task for sub_tasks in lists if type(sub_tasks) is list for sub_task in sub_tasks]
