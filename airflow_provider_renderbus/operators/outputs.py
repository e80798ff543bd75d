"""The files of a task."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.arguments import task_number
from airflow_provider_renderbus.clients import sequences
from airflow_provider_renderbus.ends import airflow_failures
from airflow_provider_renderbus.links import ConsoleLinked
from airflow_provider_renderbus.operators.base import RenderbusOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_renderbus.api.arguments import TaskNumber


class RenderbusListOutputsOperator(ConsoleLinked, RenderbusOperator):
    """List a task's files in the output storage: of all its leaves, in folders within folders too.

    :param render_task_id: number or alias of the task (templated).
    :param pattern: only files whose path matches this, e.g. "*.exr"; ``*`` matches slashes too (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: a list of mappings with ``path``, relative to the storage's root, and ``size`` in bytes.
    """

    template_fields = (*RenderbusOperator.template_fields, "render_task_id", "pattern")

    def __init__(
        self, *, render_task_id: TaskNumber | XComArg, pattern: str | XComArg = "*", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.render_task_id = render_task_id
        self.pattern: Any = pattern

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """List the files."""
        with airflow_failures():
            number = task_number("render_task_id", self.render_task_id)
            self.link_console(context, self.hook.console_url(number))
            files = self.hook.run(sequences.output_files(number))
        matching = [file for file in files if fnmatch.fnmatchcase(file.path, self.pattern)]
        self.log.info("%s of %s files of task %s match %s", len(matching), len(files), number, self.pattern)
        return [{"path": file.path, "size": file.size} for file in matching]
