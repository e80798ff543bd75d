"""What can be done to frames of a task, and to its files."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.arguments import task_number
from airflow_provider_renderbus.clients import sequences
from airflow_provider_renderbus.ends import airflow_failures, paid_once
from airflow_provider_renderbus.operators.base import RenderbusOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_renderbus.api.arguments import TaskNumber


class _FramesOperator(RenderbusOperator):
    """Does something with the frames of a task.

    :param render_task_id: number or alias of the task (templated).
    :param frames: names of frames as the farm shows them, e.g. "6" or "7-9[1]" (templated).
    :param renderbus_conn_id: id of the connection (templated).
    """

    template_fields = (*RenderbusOperator.template_fields, "render_task_id", "frames")

    def __init__(
        self,
        *,
        render_task_id: TaskNumber | XComArg,
        frames: Sequence[str] | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.render_task_id = render_task_id
        self.frames = frames


class RenderbusRecommitFramesOperator(_FramesOperator):
    """Render frames again, and pay for them again.

    If the farm's answer is lost, the operator fails without Airflow's retries, for a retry could pay twice.

    :param render_task_id: number or alias of the task (templated).
    :param frames: names of frames as the farm shows them, e.g. "6" or "7-9[1]", in all leaves of a layered
        task; the failed frames where it is left out (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the task's number.
    """

    def execute(self, context: Context) -> int:
        """Recommit the frames."""
        names: Any = self.frames
        with airflow_failures(), paid_once():
            number = task_number("render_task_id", self.render_task_id)
            if names is None:
                self.hook.send(calls.recommit_failed_frames([number]))
                self.log.info("Recommitted the failed frames of task %s", number)
            else:
                ids = self.hook.run(sequences.recommit_frames_by_name(number, names))
                self.log.info("Recommitted %s frames of task %s", len(ids), number)
        return number


class RenderbusStopFramesOperator(_FramesOperator):
    """Stop frames of a task.

    :param render_task_id: number or alias of the task (templated).
    :param frames: names of frames as the farm shows them, e.g. "6" or "7-9[1]", in all leaves of a layered
        task; all frames where it is left out (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the task's number.
    """

    def execute(self, context: Context) -> int:
        """Stop the frames."""
        names: Any = self.frames
        with airflow_failures():
            number = task_number("render_task_id", self.render_task_id)
            if names is None:
                leaves = self.hook.run(sequences.sub_task_ids(number))
                for leaf in leaves:
                    self.hook.send(calls.stop_frames(leaf, select_all=1))
                self.log.info("Stopped all frames of task %s", number)
            else:
                ids = self.hook.run(sequences.stop_frames_by_name(number, names))
                self.log.info("Stopped %s frames of task %s", len(ids), number)
        return number


class RenderbusListOutputsOperator(RenderbusOperator):
    """List a task's files in the output storage: of all its leaves, in folders within folders too.

    :param render_task_id: number or alias of the task (templated).
    :param pattern: only files whose path matches this, e.g. "*.exr"; ``*`` matches slashes too (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: a list of mappings with ``path``, relative to the storage's root, and ``size`` in bytes.
    """

    template_fields = (*RenderbusOperator.template_fields, "render_task_id", "pattern")

    def __init__(self, *, render_task_id: TaskNumber | XComArg, pattern: str = "*", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.render_task_id = render_task_id
        self.pattern = pattern

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """List the files."""
        with airflow_failures():
            number = task_number("render_task_id", self.render_task_id)
            files = self.hook.run(sequences.output_files(number))
        matching = [file for file in files if fnmatch.fnmatchcase(file.path, self.pattern)]
        self.log.info("%s of %s files of task %s match %s", len(matching), len(files), number, self.pattern)
        return [{"path": file.path, "size": file.size} for file in matching]
