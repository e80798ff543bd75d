"""Creating, describing and submitting a render."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.validation import parse_task_id
from airflow_provider_renderbus.operators.base import DescribedOperator, RenderbusOperator
from airflow_provider_renderbus.operators.submitting import RenderingOperator
from airflow_provider_renderbus.renders import submit as steps
from airflow_provider_renderbus.renders.restart import restart_stopped
from airflow_provider_renderbus.task_result import translate_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_renderbus.api.validation import TaskId


class RenderbusCreateTaskOperator(RenderbusOperator):
    """Create a task number, which costs nothing until it is submitted.

    :param count: how many numbers (templated).
    :param priority: priority among the account's own tasks, 50 or 60 (templated).
    :param labels: labels that the task carries on the farm's web pages (templated).
    :param artist: name of the person who made the scene (templated).
    :param clone_original_id: number or alias of the task that is cloned (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the number, or the list of numbers where `count` is greater than 1.
    """

    template_fields = (
        *RenderbusOperator.template_fields,
        "count",
        "priority",
        "labels",
        "artist",
        "clone_original_id",
    )

    def __init__(
        self,
        *,
        count: int | str | XComArg = 1,
        priority: int | str | XComArg = 50,
        labels: Sequence[str] | XComArg | None = None,
        artist: str | XComArg | None = None,
        clone_original_id: TaskId | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.count = count
        self.priority = priority
        self.labels: Any = labels
        self.artist: Any = artist
        self.clone_original_id: Any = clone_original_id

    def execute(self, context: Context) -> int | list[int]:
        """Create the numbers."""
        with translate_errors():
            numbers = steps.create_tasks(
                self.hook,
                self.count,
                priority=self.priority,
                labels=self.labels,
                artist=self.artist,
                clone_original_id=self.clone_original_id,
            )
        return numbers[0] if len(numbers) == 1 else list(numbers)


class RenderbusUploadTaskJsonOperator(DescribedOperator):
    """Upload the files that describe a render, before it is submitted.

    All are checked before anything is sent. What is missing or of a wrong type fails, so does a finding in
    tips.json that the farm enforces; what is merely unusual is a warning in the log. Into task.json go the
    task's number, the account's user and the connection's platform, and project and machines where they are
    named.

    :param render_task_id: number or alias of the task (templated).
    :param task_json: describes the render; a mapping, JSON text, or a path ending in ``.json`` (templated).
    :param upload_json: lists the assets, given likewise (templated).
    :param asset_json: what an analysis found of assets, given likewise (templated).
    :param tips_json: what an analysis found wrong, given likewise (templated).
    :param project_name: a project of the account (templated).
    :param hardware: the kind of machine to render on, by as much of model ("Default"), ram in GB (64) and
        gpu_num (2) as tells it from all others (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the size of each uploaded file in bytes, by its name.
    """

    template_fields = (*DescribedOperator.template_fields, "render_task_id")

    def __init__(self, *, render_task_id: TaskId | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.render_task_id = render_task_id

    def execute(self, context: Context) -> dict[str, int]:
        """Check, complete and upload the files."""
        with translate_errors():
            number = parse_task_id("render_task_id", self.render_task_id)
            return self.description().upload(self.hook, number)


class RenderbusSubmitTaskOperator(RenderingOperator):
    """Submit a task, which starts to spend money; wait for its end where asked to.

    A task that is already submitted, e.g. by an earlier try of this Airflow task, is never submitted again
    but taken up; to render anew, clear the task that creates the number too. A later try starts a render
    again that was stopped, unless it neither waits nor has `cancel_on_kill`.

    :param render_task_id: number or alias of the task (templated).
    :param artist: name of the person who made the scene, which comes back in the task's info (templated).
    :param wait_for_completion: whether to wait until the task has finished.
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
    :return: the number; with `wait_for_completion` a mapping of render_task_id, state, frames, cost,
        duration_seconds, output_folders, console_url and failed_frames
        (:func:`airflow_provider_renderbus.renders.results.summary`).
    """

    template_fields = (*RenderingOperator.template_fields, "render_task_id", "artist")
    anew = "clear the task that creates the number too"

    def __init__(
        self,
        *,
        render_task_id: TaskId | XComArg,
        artist: str | XComArg | None = None,
        wait_for_completion: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.render_task_id = render_task_id
        self.artist: Any = artist
        self.wait_for_completion = wait_for_completion

    def execute(self, context: Context) -> int | dict[str, Any]:
        """Submit the task, unless it is submitted, and wait where asked to."""
        is_later_try = context["ti"].try_number > 1
        with translate_errors(), self.stop_renders_on_error():
            number = parse_task_id("render_task_id", self.render_task_id)
            self.read_connection()
            # A try that may have stopped the render is followed by one that answers for it.
            answers_for_it = is_later_try and (self.wait_for_completion or self.cancel_on_kill)
            self.owned_render_task_ids = [number] if answers_for_it else []
            self.check()
            self.push_console_url(context, self.hook.console_url(number))
            known = steps.find_task(self.hook, number)
            submitted = known is not None and known.is_submitted
            if not submitted and is_later_try:
                submitted = steps.confirm_submitted(self.hook, number)
            if not submitted:
                self.submit(number, self.artist, may_be_sent=is_later_try)
            elif answers_for_it:
                restart_stopped(self.hook, [number])
            else:
                self.log.info("Task %s is already submitted", number)
        if self.wait_for_completion:
            return self.see_through(context, number, taken_up=is_later_try)
        self.release_renders(context)
        return number

    def deferred_render_task_ids(self, context: Context) -> Sequence[int]:
        """Return the number that was submitted."""
        return [parse_task_id("render_task_id", self.render_task_id)]
