"""A whole render in one task: create, upload, submit, wait."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.errors import BadRequest
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.cancel_on_kill import is_execution_timeout
from airflow_provider_renderbus.operators.base import DescribedOperator
from airflow_provider_renderbus.operators.reattach import render_store
from airflow_provider_renderbus.operators.submitting import BUDGET, RenderingOperator
from airflow_provider_renderbus.renders import submit as steps
from airflow_provider_renderbus.renders.restart import restart_stopped
from airflow_provider_renderbus.task_result import translate_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.operators.file_transfer import Assets, FileTransfer
    from airflow_provider_renderbus.operators.task_files import TaskFiles
    from airflow_provider_renderbus.renders.reattach import PreviousRender, RenderStore

# What is over for good.
_LOST = {TaskStatus.ABANDON, TaskStatus.RENDERING_TASK_SUBMIT_FAIL}
_DELETED = 0


class RenderbusRenderOperator(DescribedOperator, RenderingOperator):
    """Render a scene: create a task number, send assets, upload task.json, submit, wait, fetch the frames.

    The number is remembered before anything else is sent, so another try of the Airflow task takes the same
    render up: one that goes on is waited for, one that was stopped is started again, one that has finished
    is returned. A person who clears the Airflow task after the render has succeeded gets a new render.

    :param task_json: describes the render; a mapping, JSON text, or a path ending in ``.json`` (templated).
    :param upload_json: lists the assets, given likewise (templated).
    :param asset_json: what an analysis found of assets, given likewise (templated).
    :param tips_json: what an analysis found wrong, given likewise (templated).
    :param project_name: a project of the account (templated).
    :param hardware: the kind of machine to render on, by as much of model ("Default"), ram in GB (64) and
        gpu_num (2) as tells it from all others (templated).
    :param assets: what is sent to the input storage before the submit: absolute paths of files, folders or
        patterns, or an upload.json; nothing where it is left out (templated).
    :param download_folder: absolute path of the folder to which the frames are fetched after the end; they
        are left on the farm where it is left out (templated).
    :param download_pattern: only files whose path matches this are fetched, e.g. "*.exr"; ``*`` matches
        slashes too (templated).
    :param transfer_line: name of the transfer line, up and down; the farm's default line where it is left
        out (templated).
    :param transfer_speed_limit_kb_per_s: KB/s; none where it is left out (templated).
    :param transfer_stall_timeout: seconds without progress after which a transfer is ended and fails;
        ``[renderbus] transfer_stall_timeout`` where it is left out (templated).
    :param priority: priority among the account's own tasks, 50 or 60 (templated).
    :param labels: labels that the task carries on the farm's web pages (templated).
    :param artist: name of the person who made the scene (templated).
    :param poll_interval: seconds between two looks; ``[renderbus] poll_interval`` where it is left out.
    :param timeout: seconds, or a timedelta, that a try waits for the end at most. Airflow's
        ``execution_timeout``, which it does not heed while a task is deferred, counts likewise.
    :param max_duration: seconds, or a timedelta, that a render may take from its submit, over all tries.
    :param max_cost: what the render may cost, in the account's currency and over all its layers; one that
        goes on and has cost more is stopped, and fails without retries (templated).
    :param min_funds: what the account must be able to spend, or nothing is submitted (templated).
    :param on_insufficient_funds: "fail" without retries when the money is out, or "wait" for a top-up and go
        on.
    :param on_failed_frames: what to do when frames have failed: "fail", "accept" it, or "recommit" them.
    :param max_recommits: how often a frame may be rendered again in all, over all tries.
    :param on_test_frames_done: what to do at the pause after the priority frames (state 40): "wait" until
        somebody goes on, "succeed", or ask for "full_speed".
    :param cancel_on_kill: whether the render is stopped when the Airflow task is killed or its time is over.
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param renderbus_conn_id: id of the connection (templated).
    :return: render_task_id, state, frames, cost, duration_seconds, output_folders, console_url and
        failed_frames (:func:`airflow_provider_renderbus.renders.results.summary`), and with `download_folder`
        the folder.
    """

    template_fields = (
        *DescribedOperator.template_fields,
        *BUDGET,
        "priority",
        "labels",
        "artist",
        "assets",
        "download_folder",
        "download_pattern",
        "transfer_line",
        "transfer_speed_limit_kb_per_s",
        "transfer_stall_timeout",
    )

    anew = "abandon or delete its task on the farm, and clear this task"

    def __init__(
        self,
        *,
        priority: int | str | XComArg = 50,
        labels: Sequence[str] | XComArg | None = None,
        artist: str | XComArg | None = None,
        assets: Assets | XComArg | None = None,
        download_folder: str | PathLike[str] | XComArg | None = None,
        download_pattern: str | XComArg = "*",
        transfer_line: str | XComArg | None = None,
        transfer_speed_limit_kb_per_s: int | str | XComArg | None = None,
        transfer_stall_timeout: float | str | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.assets: Any = assets
        self.download_folder: Any = download_folder
        self.download_pattern: Any = download_pattern
        self.transfer_line: Any = transfer_line
        self.transfer_speed_limit_kb_per_s: Any = transfer_speed_limit_kb_per_s
        self.transfer_stall_timeout: Any = transfer_stall_timeout
        self.priority = priority
        self.labels: Any = labels
        self.artist: Any = artist

    def execute(self, context: Context) -> dict[str, Any]:
        """Render, or take up what an earlier try has begun."""
        with translate_errors(), self.stop_renders_on_error():
            self.read_connection()
            # A first try is checked before anything is asked; a later one first answers for what is there.
            is_first_try = context["ti"].try_number == 1
            description = None
            if is_first_try:
                self.check()
                description = self._checked_description()
            memory = render_store(context, self.hook)
            kept = memory.load()
            self.owned_render_task_ids = [kept.render_task_id] if kept else []
            if not is_first_try:
                self.check()
            taken_up = None if kept is None else self._take_up(kept)
            is_begun = taken_up is not None and (
                taken_up.is_submitted or steps.confirm_submitted(self.hook, taken_up.id)
            )
            if is_begun:
                description = None
            else:
                self.owned_render_task_ids = []
                description = description or self._checked_description()
            number = self._create() if taken_up is None else taken_up.id
            memory.save(number)
            self.push_console_url(context, self.hook.console_url(number))
            if description is None:
                restart_stopped(self.hook, [number])
            else:
                self._begin(number, description, memory, may_be_sent=taken_up is not None)
        return self.see_through(context, number, taken_up=taken_up is not None)

    def deliver(self, context: Context, result: dict[str, Any]) -> dict[str, Any]:
        """Fetch the frames, and remember that the render has been handed on."""
        if self.download_folder is not None:
            with translate_errors():
                fetched = self.courier.download(
                    result["render_task_id"], self.download_folder, self.download_pattern
                )
            result = {**result, "folder": fetched["folder"]}
        render_store(context, self.hook).mark_delivered(result["render_task_id"])
        return result

    def on_kill(self) -> None:
        """End a transfer with its children, and stop the render.

        :raises SystemExit: after a signal, for Airflow 3 would let the task run on. It allows a retry.
        """
        try:
            if self._transfers:
                self.courier.cancel()
        finally:
            super().on_kill()
        if self._transfers and not is_execution_timeout():
            raise SystemExit("Killed: its transfers were ended")

    @functools.cached_property
    def courier(self) -> FileTransfer:
        """What carries files between this worker and the farm."""
        from airflow_provider_renderbus.operators.file_transfer import FileTransfer

        return FileTransfer(
            self.hook,
            self.transfer_line,
            self.transfer_speed_limit_kb_per_s,
            self.transfer_stall_timeout,
            argument_prefix="transfer_",
            folder_argument="download_folder",
        )

    def deferred_render_task_ids(self, context: Context) -> Sequence[int]:
        """Return the number that is remembered."""
        kept = render_store(context, self.hook).load()
        return [kept.render_task_id] if kept else []

    def _checked_description(self) -> TaskFiles:
        """Read the files, and check what the transfers will need while nothing is paid."""
        if self._transfers:
            self.courier.validate(self.download_folder)
        return self.description()

    @property
    def _transfers(self) -> bool:
        return self.assets is not None or self.download_folder is not None

    def _begin(self, number: int, description: TaskFiles, memory: RenderStore, *, may_be_sent: bool) -> None:
        if self.assets is not None:
            self.courier.upload(self.assets)
        try:
            description.upload(self.hook, number)
        except BadRequest:
            # The submit of an earlier try may have arrived only now: nothing is uploaded after it.
            if may_be_sent and steps.is_submitted(self.hook, number):
                return
            raise
        self.submit(number, memory.tag_artist(self.artist), may_be_sent=may_be_sent)

    def _create(self) -> int:
        (number,) = steps.create_tasks(
            self.hook, priority=self.priority, labels=self.labels, artist=self.artist
        )
        return number

    def _take_up(self, kept: PreviousRender) -> TaskInfo | None:
        """Return the render that an earlier try began, or None where a new one is due."""
        number = kept.render_task_id
        known = steps.find_task(self.hook, number)
        if known is None or known.is_delete == _DELETED or known.status in _LOST:
            self.log.warning("Task %s of an earlier try is gone or lost on the farm; rendering anew", number)
            return None
        if kept.rerender and self.succeeds(known.status):
            self.log.info(
                "Task %s is %s and this task was cleared since; rendering anew", number, known.status.name
            )
            return None
        return known
