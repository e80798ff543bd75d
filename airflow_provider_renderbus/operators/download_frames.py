"""The operator that downloads frames, also while they are rendered."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args

from airflow_provider_renderbus.api.validation import (
    one_of,
    parse_int,
    parse_int_from,
    parse_seconds,
    parse_task_id,
    positive_int,
    require_bool,
)
from airflow_provider_renderbus.cancel_on_kill import execution_deadline
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.compat import AirflowException, conf
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.transfers import TransferOperator
from airflow_provider_renderbus.polling.worker import (
    ConditionWorkerPoller,
    default_poll_interval,
    deferral_timeout,
)
from airflow_provider_renderbus.renders import recommit
from airflow_provider_renderbus.renders.conditions import RenderAdvanced, condition_to_dict
from airflow_provider_renderbus.renders.policy import MAX_RECOMMITS, OnMissingFrames
from airflow_provider_renderbus.renders.results import FINISHED, WaitResult, describe
from airflow_provider_renderbus.task_result import records_end, result_or_raise, translate_errors
from airflow_provider_renderbus.triggers.conditions import RenderbusConditionTrigger

if TYPE_CHECKING:
    import os

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.api.validation import TaskId
    from airflow_provider_renderbus.compat import Context, XComArg
    from airflow_provider_renderbus.operators.frame_delivery import Delivery
    from airflow_provider_renderbus.operators.frame_download import FrameDownload


class RenderbusDownloadFramesOperator(TransferOperator):
    """Download the frames of all leaves of a render to a folder, and check that they are whole.

    Each file in the folder is complete: it is downloaded to a hidden staging folder in it, and moved when it
    has the listed size. A file that exists with the listed size and time is skipped. Nothing is written
    outside the folder, nor through a link in it. Frames that the farm calls done and that have no file, or an
    empty one, are missing: see `on_missing_frames`.

    :param render_task_id: id or alias of the render (templated).
    :param folder: absolute path of a folder, which is created if missing (templated).
    :param pattern: only files whose path matches this, e.g. ``*.exr``; ``*`` matches slashes too (templated).
    :param layout: where files go below the folder, such as "{shot}/{layer}", for the same path each night; of
        {layer}, {shot}, {render_task_id} and {output_folder}. As in the output storage, a folder per leaf, if
        omitted (templated).
    :param on_missing_frames: if frames that are done have no file or an empty one, "fail" with retries,
        "accept" it and return their names, or "recommit" them: wait for the end of the render, pay for
        them again, and wait for them.
    :param max_recommits: how often a frame may be recommitted in all, over all tries and by whomever.
    :param verify_only: whether to download nothing, and only compare the folder with the done frames.
    :param follow: whether to download frames while the render runs, until it ends. It never stops a render.
        If that ends in any state but FINISHED, it downloads the frames that are done, and fails.
    :param burst_frames: with `follow`, how many more frames must be done for the next download.
    :param timeout: how long to wait for a render in all, in seconds or as a timedelta.
    :param poll_interval: seconds between polls while it waits; ``[renderbus] poll_interval`` if omitted.
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param line: name of the transfer line; the farm's default line if omitted (templated).
    :param speed_limit_kb_per_s: speed limit in KB/s; unlimited if omitted (templated).
    :param stall_timeout: seconds without progress after which the transfer is killed and fails;
        ``[renderbus] transfer_stall_timeout`` if omitted (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: ``render_task_id``, ``folder``, ``output_folders`` (the layers' folders in it), ``layers`` (as in
        :func:`airflow_provider_renderbus.renders.results.layer_summaries`, and the local ``folder``),
        ``files``, ``bytes``, ``already_present``, the number of files that are skipped, and
        ``missing_frames``: a mapping per layer with its name as ``layer``, its ``render_task_id`` and the
        names of its ``frames``.
    """

    template_fields = (*TransferOperator.template_fields, "render_task_id", "folder", "pattern", "layout")

    def __init__(
        self,
        *,
        render_task_id: TaskId | XComArg,
        folder: str | os.PathLike[str] | XComArg,
        pattern: str | XComArg = "*",
        layout: str | XComArg | None = None,
        on_missing_frames: OnMissingFrames = "fail",
        max_recommits: int = 1,
        verify_only: bool = False,
        follow: bool = False,
        burst_frames: int = 1,
        timeout: float | timedelta = timedelta(days=7),
        poll_interval: float | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        line: str | XComArg | None = None,
        speed_limit_kb_per_s: int | str | XComArg | None = None,
        stall_timeout: float | str | XComArg | None = None,
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            line=line,
            speed_limit_kb_per_s=speed_limit_kb_per_s,
            stall_timeout=stall_timeout,
            renderbus_conn_id=renderbus_conn_id,
            **kwargs,
        )
        self.render_task_id = render_task_id
        self.folder: Any = folder
        self.pattern: Any = pattern
        self.layout: Any = layout
        self.on_missing_frames = one_of("on_missing_frames", on_missing_frames, get_args(OnMissingFrames))
        self.max_recommits = parse_int_from("max_recommits", max_recommits, 0, MAX_RECOMMITS)
        self.verify_only = require_bool("verify_only", verify_only)
        self.follow = require_bool("follow", follow)
        if verify_only and (follow or on_missing_frames == "recommit"):
            other = "follow" if follow else 'on_missing_frames="recommit"'
            raise ValueError(
                f"verify_only: downloads nothing, so it must not be set with {other}; to re-render the "
                f"frames that it returns as missing_frames, use RenderbusRecommitFramesOperator"
            )
        self.burst_frames = positive_int("burst_frames", parse_int("burst_frames", burst_frames))
        self.timeout = parse_seconds(
            "timeout", timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        )
        self.poll_interval = poll_interval
        self.deferrable = require_bool("deferrable", deferrable)

    @records_end
    def execute(self, context: Context) -> dict[str, Any]:
        """Download the files, or compare them."""
        with translate_errors():
            download = self._download()
            self._seconds_between_polls()
            self.push_links(context, download.render_task_id)
            if self.verify_only:
                delivery = download.verify()
                return self._accept_or_require(delivery)
        now = self.hook.clock.now()
        deadline = now + self.timeout
        if self.deferrable:
            deadline = min(deadline, execution_deadline(self, context, now))
        return self._run(context, download, deadline, may_be_recommitted=context["ti"].try_number > 1)

    @records_end
    def execute_complete(
        self, context: Context, event: dict[str, Any], deadline: float | None = None
    ) -> dict[str, Any]:
        """Continue when more frames are done. ``dag.test()`` loses `deadline`."""
        result_or_raise(WaitResult.from_dict_or_failure(event))
        with translate_errors():
            download = self._download()
        if deadline is None:
            deadline = self.hook.clock.now() + self.timeout
        return self._run(context, download, deadline, may_be_recommitted=False)

    def _run(
        self, context: Context, download: FrameDownload, deadline: float, *, may_be_recommitted: bool
    ) -> dict[str, Any]:
        """Download what is done, and wait for more until the render has ended."""
        while True:
            with translate_errors():
                task = self.hook.run(flows.get_task(download.render_task_id))
                # Frames that an earlier try has recommitted are waited for.
                is_final = task.is_terminal or not (self.follow or self.on_missing_frames == "recommit")
                if is_final:
                    delivery = download.fetch(task)
                    if not self._recommit(download, delivery, may_be_recommitted=may_be_recommitted):
                        return self._result(task, delivery)
                elif self.follow:
                    download.fetch(task, is_final=False)
            may_be_recommitted = False
            burst = self.burst_frames if self.follow and not is_final else 0
            condition = RenderAdvanced(task.id, task.progress.done, burst)
            self._wait(context, condition, deadline)

    def _result(self, task: TaskInfo, delivery: Delivery) -> dict[str, Any]:
        """Return the result of a download that has ended.

        :raises AirflowException: the render that it has followed has failed, or frames are missing.
        """
        if self.follow and task.status not in FINISHED:
            folder = delivery.result["folder"]
            raise AirflowException(f"{describe(task)}. Its frames that are done are in {folder}")
        return self._accept_or_require(delivery)

    def _accept_or_require(self, delivery: Delivery) -> dict[str, Any]:
        return delivery.accept() if self.on_missing_frames == "accept" else delivery.require()

    def _recommit(self, download: FrameDownload, delivery: Delivery, *, may_be_recommitted: bool) -> bool:
        """Recommit missing frames if that is allowed, and return whether they are being rendered again."""
        if self.on_missing_frames != "recommit" or not delivery.lacking:
            return False
        task_id, frames = download.render_task_id, delivery.frames
        if frames and may_be_recommitted and recommit.has_recommit_arrived(self.hook, task_id, frames):
            return True
        eligible = [frame for frame in frames if frame.may_be_recommitted(self.max_recommits)]
        if eligible:
            recommit.recommit(self.hook, task_id, eligible)
        return bool(eligible)

    def _wait(self, context: Context, condition: RenderAdvanced, deadline: float) -> None:
        """Wait for a condition on this worker, or defer until it is met."""
        poll_interval = self._seconds_between_polls()
        poller = ConditionWorkerPoller(self.hook, condition)
        if not self.deferrable:
            result_or_raise(poller.poll_until(deadline, poll_interval))
            return
        result = poller.poll()
        if result is not None:
            result_or_raise(result)
            return
        self.defer(
            trigger=RenderbusConditionTrigger(
                self.renderbus_conn_id, condition_to_dict(condition), poll_interval, deadline
            ),
            method_name=self.execute_complete.__name__,
            kwargs={"deadline": deadline},
            timeout=deferral_timeout(deadline, self.hook.clock.now()),
        )

    def _download(self) -> FrameDownload:
        from airflow_provider_renderbus.operators.frame_download import FrameDownload

        render_task_id = parse_task_id("render_task_id", self.render_task_id)
        return FrameDownload(self.file_transfer, render_task_id, self.folder, self.pattern, self.layout)

    def _seconds_between_polls(self) -> float:
        value = default_poll_interval() if self.poll_interval is None else self.poll_interval
        return parse_seconds("poll_interval", value)
