"""A whole render in one Airflow task: create, upload, submit, wait, download."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_renderbus.api.errors import BadRequest
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.cancel_on_kill import is_execution_timeout
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.reattach import render_store
from airflow_provider_renderbus.operators.submitting import DEFAULT_TIMEOUT, SubmittingOperator
from airflow_provider_renderbus.operators.task_files import FILE_ARGUMENTS, TaskFiles
from airflow_provider_renderbus.renders import restart, submit
from airflow_provider_renderbus.task_result import translate_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta
    from decimal import Decimal
    from os import PathLike

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.operators.file_transfer import Assets, FileTransfer
    from airflow_provider_renderbus.operators.task_files import JsonSource
    from airflow_provider_renderbus.renders.policy import (
        OnFailedFrames,
        OnInsufficientFunds,
        OnTestFramesDone,
    )
    from airflow_provider_renderbus.renders.reattach import PreviousRender, RenderStore

# A render in one of these states cannot be restarted.
_UNRECOVERABLE = {TaskStatus.ABANDON, TaskStatus.RENDERING_TASK_SUBMIT_FAIL}
# The value of ``isDelete`` of a deleted task.
_IS_DELETED_VALUE = 0


class RenderbusRenderOperator(SubmittingOperator):
    """Render a scene: create a render, upload its files, submit it, wait for its end, download the frames.

    The id of the render is stored before anything else is sent. A retry of the Airflow task reattaches to
    that render: it waits for one that is active, restarts one that was stopped, and returns one that has
    finished. If a user clears the Airflow task after the render has succeeded, the scene is rendered again.

    :param task_json: describes the render; a mapping, JSON text, or a path ending in ``.json`` (templated).
    :param upload_json: lists the assets, as a mapping, JSON text or path (templated).
    :param asset_json: the assets that an analysis found, as a mapping, JSON text or path (templated).
    :param tips_json: the problems that an analysis found, as a mapping, JSON text or path (templated).
    :param project_name: a project of the account (templated).
    :param hardware: the hardware to render on: as many of model ("Default"), ram in GB (64) and gpu_num (2)
        as identify it (templated).
    :param assets: what to upload to the input storage before the submit: absolute paths of files, folders or
        patterns, or an upload.json; nothing if omitted (templated).
    :param download_folder: absolute path of the folder to download the frames to; they stay on the farm if
        omitted (templated).
    :param download_pattern: download only files whose path matches this, e.g. "*.exr"; ``*`` matches slashes
        too (templated).
    :param transfer_line: name of the transfer line for uploads and downloads; the farm's default line if
        omitted (templated).
    :param transfer_speed_limit_kb_per_s: speed limit of transfers in KB/s; unlimited if omitted (templated).
    :param transfer_stall_timeout: seconds without progress after which a transfer is killed and fails;
        ``[renderbus] transfer_stall_timeout`` if omitted (templated).
    :param priority: priority among the account's own renders, 50 or 60 (templated).
    :param labels: labels of the render in the web console (templated).
    :param artist: name of the artist (templated).
    :param poll_interval: seconds between polls; ``[renderbus] poll_interval`` if omitted.
    :param timeout: how long a try waits for the end, in seconds or as a timedelta. Airflow's
        ``execution_timeout``, which Airflow 3 does not enforce while a task is deferred, limits it too.
    :param max_duration: how long the render may take from its submit, over all tries, in seconds or as a
        timedelta.
    :param max_cost: upper limit of the cost over all layers, in the account's currency; a render that exceeds
        it is stopped, and the task fails without retries (templated).
    :param min_funds: available funds that the account must have, or nothing is submitted (templated).
    :param on_insufficient_funds: when the account runs out of funds, "fail" without retries, or "wait" for a
        top-up and continue.
    :param on_failed_frames: when frames have failed, "fail", "accept" it, or "recommit" them.
    :param max_recommits: how often a frame may be recommitted in all, over all tries.
    :param on_test_frames_done: at the pause after the test frames (state 40), "wait" until a user resumes the
        render, "succeed", or request "full_speed".
    :param cancel_on_kill: whether the render is stopped when the Airflow task is killed or times out.
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param renderbus_conn_id: id of the connection (templated).
    :return: render_task_id, state, frames, cost, duration_seconds, output_folders, console_url and
        failed_frames (:func:`airflow_provider_renderbus.renders.results.summary`), and with `download_folder`
        the folder.
    """

    template_fields = (
        *SubmittingOperator.template_fields,
        *FILE_ARGUMENTS,
        "project_name",
        "hardware",
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
    template_fields_renderers = dict.fromkeys(FILE_ARGUMENTS, "json")
    rerender_hint = "abandon or delete the render on the farm, and clear this task"

    def __init__(
        self,
        *,
        task_json: JsonSource | XComArg,
        upload_json: JsonSource | XComArg | None = None,
        asset_json: JsonSource | XComArg | None = None,
        tips_json: JsonSource | XComArg | None = None,
        project_name: str | XComArg | None = None,
        hardware: Mapping[str, Any] | XComArg | None = None,
        assets: Assets | XComArg | None = None,
        download_folder: str | PathLike[str] | XComArg | None = None,
        download_pattern: str | XComArg = "*",
        transfer_line: str | XComArg | None = None,
        transfer_speed_limit_kb_per_s: int | str | XComArg | None = None,
        transfer_stall_timeout: float | str | XComArg | None = None,
        priority: int | str | XComArg = 50,
        labels: Sequence[str] | XComArg | None = None,
        artist: str | XComArg | None = None,
        poll_interval: float | None = None,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
        max_duration: float | timedelta | None = None,
        max_cost: Decimal | float | str | XComArg | None = None,
        min_funds: Decimal | float | str | XComArg | None = None,
        on_insufficient_funds: OnInsufficientFunds = "fail",
        on_failed_frames: OnFailedFrames = "fail",
        max_recommits: int = 1,
        on_test_frames_done: OnTestFramesDone = "wait",
        cancel_on_kill: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            poll_interval=poll_interval,
            timeout=timeout,
            max_duration=max_duration,
            max_cost=max_cost,
            min_funds=min_funds,
            on_insufficient_funds=on_insufficient_funds,
            on_failed_frames=on_failed_frames,
            max_recommits=max_recommits,
            on_test_frames_done=on_test_frames_done,
            cancel_on_kill=cancel_on_kill,
            deferrable=deferrable,
            renderbus_conn_id=renderbus_conn_id,
            **kwargs,
        )
        self.task_json = task_json
        self.upload_json = upload_json
        self.asset_json = asset_json
        self.tips_json = tips_json
        self.project_name: Any = project_name
        self.hardware: Any = hardware
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
        """Render, or reattach to the render of an earlier try."""
        with translate_errors(), self.stop_renders_on_error():
            self.load_connection()
            # Nothing runs yet in a first try, so everything is checked before a request is sent.
            files = self._check_all() if context["ti"].try_number == 1 else None
            store = render_store(context, self.hook)
            previous = store.load()
            if previous is None:
                task_id, reattached = self._first_try(context, store, files or self._check_all()), False
            else:
                task_id, reattached = self._later_try(context, store, previous, files)
        return self.wait_for_render(context, task_id, reattached=reattached)

    def _first_try(self, context: Context, store: RenderStore, files: TaskFiles) -> int:
        """Start a new render, and return its id."""
        (task_id,) = submit.create_tasks(
            self.hook, priority=self.priority, labels=self.labels, artist=self.artist
        )
        store.save(task_id)
        self.push_console_url(context, task_id)
        self._upload_and_submit(task_id, files, store, may_be_submitted=False)
        return task_id

    def _later_try(
        self, context: Context, store: RenderStore, previous: PreviousRender, files: TaskFiles | None
    ) -> tuple[int, bool]:
        """Reattach to the render of an earlier try, or start a new one if that cannot be.

        :return: the id of the render, and whether it is the one of an earlier try.
        """
        self.owned_render_task_ids = [previous.render_task_id]
        self.validate_arguments()
        task = self._reattach(previous)
        if task is not None and (task.is_submitted or submit.confirm_submitted(self.hook, task.id)):
            store.save(task.id)
            self.push_console_url(context, task.id)
            restart.restart_stopped(self.hook, [task.id])
            return task.id, True
        # Nothing runs, so a failure from here on has nothing to stop.
        self.owned_render_task_ids = []
        files = files or self._load_and_check_files()
        if task is None:
            return self._first_try(context, store, files), False
        store.save(task.id)
        self.push_console_url(context, task.id)
        self._upload_and_submit(task.id, files, store, may_be_submitted=True)
        return task.id, True

    def _reattach(self, previous: PreviousRender) -> TaskInfo | None:
        """Return the render of an earlier try, or None if a new one is needed."""
        task = submit.find_task(self.hook, previous.render_task_id)
        if task is None or task.is_delete == _IS_DELETED_VALUE or task.status in _UNRECOVERABLE:
            state = task.status.name if task is not None and task.status in _UNRECOVERABLE else "deleted"
            self.log.warning("Render %s: %s, starting a new render", previous.render_task_id, state)
            return None
        if previous.rerender and self.policy.is_success(task.status):
            self.log.info(
                "Render %s: %s, and this task was cleared since, starting a new render",
                task.id,
                task.status.name,
            )
            return None
        return task

    def _upload_and_submit(
        self, task_id: int, files: TaskFiles, store: RenderStore, *, may_be_submitted: bool
    ) -> None:
        if self.assets is not None:
            self.file_transfer.upload(self.assets)
        try:
            files.upload(self.hook, task_id)
        except BadRequest:
            # The submit of an earlier try may have arrived only now; nothing can be uploaded after it.
            if may_be_submitted and submit.is_submitted(self.hook, task_id):
                return
            raise
        self.submit(task_id, store.tag_artist(self.artist), may_be_submitted=may_be_submitted)

    def collect_result(self, context: Context, result: dict[str, Any]) -> dict[str, Any]:
        """Download the frames, and note that the result of the render was delivered."""
        task_id = result["render_task_id"]
        if self.download_folder is not None:
            with translate_errors():
                downloaded = self.file_transfer.download(task_id, self.download_folder, self.download_pattern)
            result = {**result, "folder": downloaded["folder"]}
        render_store(context, self.hook).mark_delivered(task_id)
        return result

    def on_kill(self) -> None:
        """Kill a transfer with its child processes, and stop the render.

        :raises SystemExit: after a signal, since Airflow 3 would continue the task. It allows a retry.
        """
        try:
            if self._has_transfers:
                self.file_transfer.cancel()
        finally:
            super().on_kill()
        if self._has_transfers and not is_execution_timeout():
            raise SystemExit("Killed: the transfer was cancelled")

    @functools.cached_property
    def file_transfer(self) -> FileTransfer:
        """Transfers files between this worker and the farm."""
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
        """Return the stored id."""
        previous = render_store(context, self.hook).load()
        return [previous.render_task_id] if previous else []

    def _check_all(self) -> TaskFiles:
        self.validate_arguments()
        return self._load_and_check_files()

    def _load_and_check_files(self) -> TaskFiles:
        """Read the files that describe the render, and check what transfers need while nothing is paid."""
        if self._has_transfers:
            self.file_transfer.validate(self.download_folder)
        return TaskFiles.load(
            {name: getattr(self, name) for name in FILE_ARGUMENTS}, self.project_name, self.hardware
        )

    @property
    def _has_transfers(self) -> bool:
        return self.assets is not None or self.download_folder is not None
