"""Creating, describing and submitting a render."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.arguments import task_number
from airflow_provider_renderbus.ends import airflow_failures
from airflow_provider_renderbus.operators.base import RenderbusOperator
from airflow_provider_renderbus.operators.task_json import filled_in
from airflow_provider_renderbus.operators.waiting import WaitingOperator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_renderbus.api.arguments import TaskNumber


class RenderbusCreateTaskOperator(RenderbusOperator):
    """Create a task number, which costs nothing until it is submitted.

    :param count: how many numbers (templated).
    :param task_user_level: priority among the account's own tasks, 50 or 60 (templated).
    :param labels: labels that the task carries on the farm's web pages (templated).
    :param artist: name of the person who made the scene (templated).
    :param clone_original_id: number or alias of the task that is cloned (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the number, or the list of numbers where `count` is greater than 1.
    """

    template_fields = (
        *RenderbusOperator.template_fields,
        "count",
        "task_user_level",
        "labels",
        "artist",
        "clone_original_id",
    )

    def __init__(
        self,
        *,
        count: int = 1,
        task_user_level: int = 50,
        labels: Sequence[str] | None = None,
        artist: str | None = None,
        clone_original_id: TaskNumber | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.count = count
        self.task_user_level = task_user_level
        self.labels = labels
        self.artist = artist
        self.clone_original_id = clone_original_id

    def execute(self, context: Context) -> int | list[int]:
        """Create the numbers."""
        with airflow_failures():
            call = calls.create_task(
                count=int(self.count),
                task_user_level=int(self.task_user_level),
                labels=self.labels,
                artist=self.artist,
                clone_original_id=self.clone_original_id,
            )
        numbers = self.send(call).ids
        self.log.info("Created %s", ", ".join(f"task {number}" for number in numbers))
        return numbers[0] if int(self.count) == 1 else list(numbers)


class RenderbusUploadTaskJsonOperator(RenderbusOperator):
    """Upload a task's task.json, which describes the render.

    ``task_info.task_id``, ``task_info.user_id`` and ``task_info.platform`` are filled in from the created
    task, the account and the connection.

    :param render_task_id: number or alias of the task (templated).
    :param task_json: the file, as a mapping or as JSON text (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the size of each uploaded file in bytes, by its name.
    """

    template_fields = (*RenderbusOperator.template_fields, "render_task_id", "task_json")
    template_fields_renderers = {"task_json": "json"}  # noqa: RUF012 - as Airflow declares it

    def __init__(
        self, *, render_task_id: TaskNumber | XComArg, task_json: Mapping[str, Any] | str, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.render_task_id = render_task_id
        self.task_json = task_json

    def execute(self, context: Context) -> dict[str, int]:
        """Complete the file and upload it."""
        with airflow_failures():
            number = task_number("render_task_id", self.render_task_id)
            profile = self.hook.send(calls.query_user_profile())
            content = filled_in(
                self.task_json,
                task_id=number,
                user_id=profile.user_id,
                platform=self.hook.settings.platform,
            )
            self.hook.send(calls.upload_task_json(number, content))
        size = len(content.encode())
        self.log.info("Uploaded task.json of task %s, %s bytes", number, size)
        return {"task.json": size}


class RenderbusSubmitTaskOperator(WaitingOperator):
    """Submit a task, which starts to spend money; wait for its end where asked to.

    A task that is already submitted, e.g. by an earlier try of this Airflow task, is never submitted again
    but taken up as it is.

    :param render_task_id: number or alias of the task (templated).
    :param producer: name of the artist, which comes back in the task's info (templated).
    :param wait_for_completion: whether to wait until the task has finished.
    :param poll_interval: seconds between two looks; ``[renderbus] poll_interval`` where it is left out.
    :param timeout: seconds, or a timedelta, to wait for the end at most.
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param renderbus_conn_id: id of the connection (templated).
    :return: the number; with `wait_for_completion` a mapping of number, state, frames, cost, seconds and
        outputs (:func:`airflow_provider_renderbus.api.outcomes.summary`).
    """

    template_fields = (*WaitingOperator.template_fields, "render_task_id", "producer")

    def __init__(
        self,
        *,
        render_task_id: TaskNumber | XComArg,
        producer: str | None = None,
        wait_for_completion: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.render_task_id = render_task_id
        self.producer = producer
        self.wait_for_completion = wait_for_completion

    def execute(self, context: Context) -> int | dict[str, Any]:
        """Submit the task, unless it is submitted, and wait where asked to."""
        with airflow_failures():
            number = task_number("render_task_id", self.render_task_id)
            interval = self.interval()
            self.link_console(context, self.hook.console_url(number))
            self._submit(number)
        return self.wait(number, interval) if self.wait_for_completion else number

    def _submit(self, number: int) -> None:
        known = self.hook.send(calls.query_task_info([number])).get(number)
        if known is not None and known.submitted_at is not None:
            self.log.info("Task %s is already submitted (%s); taking it up", number, known.status.name)
            return
        self.hook.send(calls.submit_task(number, producer=self.producer))
        self.log.info("Submitted task %s: %s", number, self.console_address)
