"""A whole render in one Airflow task: create, upload, submit, wait, download."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from airflow_provider_renderbus.api.errors import BadRequest, RenderbusError
from airflow_provider_renderbus.api.validation import one_of, require_bool
from airflow_provider_renderbus.cancel_on_kill import is_execution_timeout
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException, conf
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.reattach import render_store, upload_memory_key
from airflow_provider_renderbus.operators.starting import create_render
from airflow_provider_renderbus.operators.submitting import DEFAULT_TIMEOUT, SubmittingOperator
from airflow_provider_renderbus.operators.task_files import FILE_ARGUMENTS, TaskFiles
from airflow_provider_renderbus.renders import submit
from airflow_provider_renderbus.renders.policy import OnMissingFrames
from airflow_provider_renderbus.renders.reattach import Decision, OnJobChange, decide, is_other_job
from airflow_provider_renderbus.renders.restart import find_usable
from airflow_provider_renderbus.renders.stop import StopRequest, stop_and_confirm
from airflow_provider_renderbus.task_result import records_end, translate_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta
    from decimal import Decimal
    from os import PathLike

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.compat import Context, XComArg
    from airflow_provider_renderbus.operators.file_transfer import Assets, FileTransfer
    from airflow_provider_renderbus.operators.preflight import Job
    from airflow_provider_renderbus.operators.task_files import JsonSource
    from airflow_provider_renderbus.preflight.farm_lists import QueriedLists
    from airflow_provider_renderbus.renders.fingerprint import JobFingerprint
    from airflow_provider_renderbus.renders.policy import (
        Action,
        OnFailedFrames,
        OnInsufficientFunds,
        OnTestFramesDone,
        WaitState,
    )
    from airflow_provider_renderbus.renders.reattach import PreviousRender, RenderStore


class RenderbusRenderOperator(SubmittingOperator):
    """Render a scene: create a render, upload its files, submit it, wait for its end, download the frames.

    The id of the render and a fingerprint of its job are stored before anything else is sent. A retry of the
    Airflow task reattaches to that render: it waits for one that is active, restarts one that was stopped,
    and returns one that has finished. It returns no render of another job: see `on_job_change`. If a user
    clears the Airflow task, a render that was delivered, or whose job or assets have changed, is rendered
    again; one that runs is stopped first.

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
    :param download_pattern: download only files whose path matches this, e.g. ``*.exr``; ``*`` matches
        slashes too (templated).
    :param download_layout: where files go below the folder, such as "{shot}/{layer}"; as in the output
        storage, a folder per leaf, if omitted (templated).
    :param on_missing_frames: if downloaded frames are missing though the farm calls them done, "fail" with
        retries, "accept" it, or "recommit" them, at most `max_recommits` times.
    :param transfer_line: name of the transfer line for uploads and downloads; the farm's default line if
        omitted (templated).
    :param transfer_speed_limit_kb_per_s: speed limit of transfers in KB/s; unlimited if omitted (templated).
    :param transfer_stall_timeout: seconds without progress after which a transfer is killed and fails;
        ``[renderbus] transfer_stall_timeout`` if omitted (templated).
    :param priority: priority among the account's own renders, 50 or 60 (templated).
    :param labels: labels of the render in the web console (templated).
    :param artist: name of the artist, at most 100 characters (templated).
    :param poll_interval: seconds between polls; ``[renderbus] poll_interval`` if omitted.
    :param timeout: how long a try waits for the end, in seconds or as a timedelta. Airflow's
        ``execution_timeout``, which Airflow 3 does not enforce while a task is deferred, limits it too.
    :param max_duration: how long the render may take from its submit, over all tries, in seconds or as a
        timedelta.
    :param max_cost: upper limit of the cost over all layers, in the account's currency; a render that exceeds
        it is stopped, and the task fails without retries. The cost is checked at each poll, and frames that
        are running then still cost money. If the forecast at the pause after the test frames exceeds it, the
        task fails without retries while nothing is rendered, unless the pause is a success (templated).
    :param min_funds: available funds that the account must have, or nothing is submitted (templated).
    :param on_insufficient_funds: when the account runs out of funds, "fail" without retries, or "wait" for a
        top-up and continue.
    :param on_failed_frames: when frames have failed, "fail", "accept" it, or "recommit" them.
    :param max_recommits: how often a frame may be recommitted in all, over all tries.
    :param on_test_frames_done: at the pause after the test frames (state 40), "wait" until a user resumes the
        render, "succeed", or request "full_speed".
    :param on_job_change: if a retry asks for another job than the render of the try before (other frames,
        another scene), "fail" without retries, "rerender" and pay for it, or "reattach" to the earlier one.
    :param preflight: whether to compare software, version, plug-ins, scene file, operating system, platform,
        machines and project with the farm's lists before a render is created. A worker queries the lists once
        an hour; one that cannot be had is a warning.
    :param cancel_on_kill: whether the render is stopped when the Airflow task is killed or times out.
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param renderbus_conn_id: id of the connection (templated).
    :return: render_task_id, state, frames, cost, duration_seconds, output_folders, console_url,
        failed_frames and forecast (:func:`airflow_provider_renderbus.renders.results.summary`), and with
        `download_folder` what `RenderbusDownloadFramesOperator` returns.
    """

    template_fields = (
        *SubmittingOperator.template_fields,
        *FILE_ARGUMENTS,
        "project_name",
        "hardware",
        "priority",
        "labels",
        "assets",
        "download_folder",
        "download_pattern",
        "download_layout",
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
        download_layout: str | XComArg | None = None,
        on_missing_frames: OnMissingFrames = "fail",
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
        on_job_change: OnJobChange = "fail",
        preflight: bool = True,
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
            artist=artist,
            on_insufficient_funds=on_insufficient_funds,
            on_failed_frames=on_failed_frames,
            max_recommits=max_recommits,
            on_test_frames_done=on_test_frames_done,
            cancel_on_kill=cancel_on_kill,
            deferrable=deferrable,
            renderbus_conn_id=renderbus_conn_id,
            **kwargs,
        )
        self.preflight = require_bool("preflight", preflight)
        self.on_job_change = one_of("on_job_change", on_job_change, get_args(OnJobChange))
        self.task_json = task_json
        self.upload_json = upload_json
        self.asset_json = asset_json
        self.tips_json = tips_json
        self.project_name: Any = project_name
        self.hardware: Any = hardware
        self.assets: Any = assets
        self.download_folder: Any = download_folder
        self.download_pattern: Any = download_pattern
        self.download_layout: Any = download_layout
        self.on_missing_frames = one_of("on_missing_frames", on_missing_frames, get_args(OnMissingFrames))
        self.transfer_line: Any = transfer_line
        self.transfer_speed_limit_kb_per_s: Any = transfer_speed_limit_kb_per_s
        self.transfer_stall_timeout: Any = transfer_stall_timeout
        self.priority = priority
        self.labels: Any = labels

    @records_end
    def execute(self, context: Context) -> dict[str, Any]:
        """Render, or reattach to the render of an earlier try."""
        self.note_start(context)
        is_first_try = context["ti"].try_number == 1
        with translate_errors(), self.stop_renders_on_error():
            self.load_connection()
            # Nothing runs yet in a first try, so everything is checked before a request is sent.
            job = self.check_job() if is_first_try else None
            store = render_store(context, self.hook)
            delays = () if is_first_try else submit.CONFIRM_DELAYS
            previous = store.load(delays, settle=self.on_job_change == "rerender")
            if previous is None:
                task_id, reattached = self._first_try(context, store, job or self.check_job()), False
            else:
                task_id, reattached = self._later_try(context, store, previous)
        return self.wait_for_render(context, task_id, reattached=reattached)

    def _first_try(self, context: Context, store: RenderStore, job: Job) -> int:
        """Start a new render, and return its id."""
        task_id = create_render(self, context, job.create)
        # What is stored from here on would replace what a newer try has stored.
        self.require_time("submit_task")
        store.save(task_id, job.fingerprint)
        self.push_links(context, task_id)
        self._upload(context, task_id, job)
        artist = store.tag_artist(self.artist, job.fingerprint)
        self.submit(context, task_id, artist, may_be_submitted=False)
        return task_id

    def _later_try(self, context: Context, store: RenderStore, previous: PreviousRender) -> tuple[int, bool]:
        """Reattach to the render of an earlier try, or start a new one if that cannot be.

        :return: the id of the render, and whether it is the one of an earlier try.
        """
        self.owned_render_task_ids = [previous.render_task_id]
        self.validate_arguments()
        task = find_usable(self.hook, previous.render_task_id)
        if task is not None and (task.is_submitted or submit.confirm_submitted(self.hook, task.id)):
            fingerprint = self._fingerprint_if_readable(previous)
            if self._is_rendered_for(task, previous, fingerprint):
                # That of the render: a retry does not look at the assets, so its own lacks them.
                store.save(task.id, previous.fingerprint or fingerprint)
                self.push_links(context, task.id)
                self.restart_stopped(task.id, is_cleared=previous.is_cleared)
                return task.id, True
            return self._render_again(context, store, previous), False
        # Nothing runs, so a failure from here on has nothing to stop.
        self.owned_render_task_ids = []
        job = self.check_job()
        if task is None:
            return self._first_try(context, store, job), False
        self.push_links(context, task.id)
        try:
            self._upload(context, task.id, job)
        except BadRequest:
            # The submit of an earlier try may have arrived only now; nothing can be uploaded after it.
            if submit.is_submitted(self.hook, task.id):
                return self._later_try(context, store, previous)
            raise
        # Not before the upload: until then a late submit of an earlier try would render that try's job.
        store.save(task.id, job.fingerprint)
        artist = store.tag_artist(self.artist, job.fingerprint)
        self.submit(context, task.id, artist, may_be_submitted=True)
        return task.id, True

    def _is_rendered_for(
        self, task: TaskInfo, previous: PreviousRender, fingerprint: JobFingerprint | None
    ) -> bool:
        """Return whether the submitted render of an earlier try is the one that this try asks for.

        :raises ValueError: it is of another job, and `on_job_change` is "fail".
        """
        decision = decide(
            previous,
            fingerprint,
            has_succeeded=self.policy.is_success(task.status),
            on_job_change=self.on_job_change,
        )
        if fingerprint and previous.fingerprint and not previous.fingerprint.is_comparable(fingerprint):
            self.log.info(
                "Render %s: its job was stored by another version of the provider, and counts as the same",
                task.id,
            )
        is_other = is_other_job(previous, fingerprint)
        differences = (
            previous.fingerprint.differences(fingerprint)
            if is_other and fingerprint and previous.fingerprint
            else ""
        )
        if decision is Decision.FAIL:
            raise ValueError(
                f"Render {task.id} was submitted by an earlier try for another job: {differences}. A retry "
                f"does not pay for another render without being asked. To render the new job, clear this "
                f'task or set on_job_change="rerender"; to take the earlier render, set '
                f'on_job_change="reattach"'
            )
        if is_other:
            self.log.warning("Render %s: it is of another job: %s", task.id, differences)
        if decision is Decision.RERENDER:
            reason = "its job has changed" if is_other else "this task was cleared since"
            self.log.warning("Render %s: %s, starting a new render", task.id, reason)
        return decision is Decision.REATTACH

    def _render_again(self, context: Context, store: RenderStore, previous: PreviousRender) -> int:
        """Stop the submitted render of an earlier try, start a new one, and return its id.

        :raises AirflowFailException: that failed before the submit, and a retry would not know of the clear:
            it would find the old render by its marker, and reattach to it.
        """
        try:
            self._stop_for_rerender(previous.render_task_id)
            # Nothing runs, so a failure from here on has nothing to stop.
            self.owned_render_task_ids = []
            return self._first_try(context, store, self.check_job())
        except AirflowFailException:
            raise
        except (AirflowException, RenderbusError) as error:
            is_known_to_retry = previous.is_delivered is not None or not previous.is_cleared
            may_be_submitted = isinstance(error, RenderbusError) and self.owned_render_task_ids
            if is_known_to_retry or may_be_submitted:
                raise
            raise AirflowFailException(
                f"{error}. Not retrying: a retry would return render {previous.render_task_id} of before the "
                f"clear. Clear this task again"
            ) from error

    def _stop_for_rerender(self, task_id: int) -> None:
        """Stop the render of an earlier try before a new one is paid.

        :raises AirflowException: the farm has not confirmed it; a retry tries again.
        """
        self.require_time("stop_task")
        request = stop_and_confirm(self.hook, StopRequest([task_id]))
        message = request.result_message([task_id])
        if request.pending:
            raise AirflowException(f"No new render was started: {message}")

    def _upload(self, context: Context, task_id: int, job: Job) -> None:
        if job.assets is not None:
            self.file_transfer.upload_files(job.assets, upload_memory_key(context["ti"]))
        self.require_time("submit_task")  # a newer try may be about to submit other files
        job.files.upload(self.hook, task_id, job.farm_values)

    def collect_result(
        self, context: Context, result: dict[str, Any], wait: WaitState | None
    ) -> dict[str, Any] | Action:
        """Download the frames, and note that the result was delivered; or return how to get missing ones."""
        if self.download_folder is not None:
            from airflow_provider_renderbus.operators.frame_download import FrameDownload

            options = self.download_folder, self.download_pattern, self.download_layout
            with translate_errors():
                download = FrameDownload(self.file_transfer, result["render_task_id"], *options)
                delivered = download.deliver(result, wait, self.policy, self.on_missing_frames)
            if not isinstance(delivered, dict):
                return delivered
            result = delivered
        render_store(context, self.hook).mark_delivered()
        return result

    @property
    def report_folder(self) -> Path | None:
        """The folder of the frames."""
        folder = self.download_folder
        return Path(folder) if folder is not None and Path(folder).is_absolute() else None

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
            transfer_prefix="transfer_",
            download_prefix="download_",
        )

    def deferred_render_task_ids(self, context: Context) -> Sequence[int]:
        """Return the stored id."""
        previous = render_store(context, self.hook).load([0.0])
        return [previous.render_task_id] if previous else []

    def check_job(self, lists: QueriedLists | None = None) -> Job:
        """Check what the render needs while nothing is paid, and return what to render.

        :param lists: the farm's lists; those of the connection if omitted.
        """
        from airflow_provider_renderbus.operators.preflight import JobArguments, preflight

        return preflight(
            self,
            JobArguments(
                self._load_sources,
                self.project_name,
                self.hardware,
                self.priority,
                self.labels,
                self.assets,
                self.download_folder,
                self.download_pattern,
                self.download_layout,
                self._has_transfer_arguments,
                lambda: self.file_transfer,
                self.preflight,
            ),
            lists,
        )

    def _load_sources(self) -> dict[str, Any]:
        sources = {name: getattr(self, name) for name in FILE_ARGUMENTS}
        return {**sources, "task_json": self.load_task_json()}

    def load_task_json(self) -> Any:
        """Return what describes the render."""
        return self.task_json

    def _fingerprint_if_readable(self, previous: PreviousRender) -> JobFingerprint | None:
        """Return the fingerprint of this try's job; None if unreadable, so that the render continues."""
        try:
            files = TaskFiles.load(self._load_sources(), self.project_name, self.hardware)
            # A retry ignores changed assets, because the render has copies of them.
            assets = self.file_transfer.resolve(self.assets) if self.assets and previous.is_cleared else None
        except (ValueError, AirflowException) as error:
            self.log.warning(
                "Render %s: its job is not compared with this try's, which cannot be read: %s",
                previous.render_task_id,
                error,
            )
            return None
        return files.fingerprint(assets)

    @property
    def _has_transfer_arguments(self) -> bool:
        others = (
            self.download_layout,
            self.transfer_line,
            self.transfer_speed_limit_kb_per_s,
            self.transfer_stall_timeout,
        )
        return self._has_transfers or self.download_pattern != "*" or any(each is not None for each in others)

    @property
    def _has_transfers(self) -> bool:
        return self.assets is not None or self.download_folder is not None
