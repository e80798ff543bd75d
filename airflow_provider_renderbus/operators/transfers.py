"""Scenes up, frames down."""

from __future__ import annotations

import fnmatch
import functools
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.validation import parse_task_id
from airflow_provider_renderbus.cancel_on_kill import is_execution_timeout
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.links import ConsoleLinkMixin
from airflow_provider_renderbus.operators.base import RenderbusOperator
from airflow_provider_renderbus.task_result import translate_errors

if TYPE_CHECKING:
    import os

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_renderbus.api.validation import TaskId
    from airflow_provider_renderbus.operators.file_transfer import Assets, Courier


class _TransferOperator(RenderbusOperator):
    """An operator that runs the transfer command, and ends it with its children when it is killed.

    :param line: name of the transfer line; the farm's default line where it is left out (templated).
    :param speed_limit_kb_per_s: KB/s; none where it is left out (templated).
    :param stall_timeout: seconds without progress after which the transfer is ended and fails;
        ``[renderbus] transfer_stall_timeout`` where it is left out (templated).
    :param renderbus_conn_id: id of the connection (templated).
    """

    template_fields = (*RenderbusOperator.template_fields, "line", "speed_limit_kb_per_s", "stall_timeout")

    def __init__(
        self,
        *,
        line: str | XComArg | None = None,
        speed_limit_kb_per_s: int | str | XComArg | None = None,
        stall_timeout: float | str | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.line: Any = line
        self.speed_limit_kb_per_s: Any = speed_limit_kb_per_s
        self.stall_timeout: Any = stall_timeout

    @functools.cached_property
    def courier(self) -> Courier:
        """What carries the files."""
        from airflow_provider_renderbus.operators.file_transfer import Courier

        return Courier(self.hook, self.line, self.speed_limit_kb_per_s, self.stall_timeout)

    def on_kill(self) -> None:
        """End the transfer command, with its children.

        :raises SystemExit: after a signal, for Airflow 3 would let the task run on. It allows a retry.
        """
        self.courier.stop()
        if not is_execution_timeout():
            raise SystemExit("Killed: the transfer was ended")


class RenderbusUploadAssetsOperator(_TransferOperator):
    """Send scenes and assets to the farm's input storage, under the paths that they have here.

    Before anything is sent all files are looked at: whether they are there, can be read, and have names that
    can be sent. What was sent before from this worker and has not changed is not sent again.

    :param assets: absolute paths of files, of folders, or patterns such as ``/mnt/shots/**/*.exr``; or an
        upload.json, as a mapping or as a path ending in ``.json`` (templated).
    :param line: name of the transfer line; the farm's default line where it is left out (templated).
    :param speed_limit_kb_per_s: KB/s; none where it is left out (templated).
    :param stall_timeout: seconds without progress after which the transfer is ended and fails;
        ``[renderbus] transfer_stall_timeout`` where it is left out (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: a mapping with ``files`` and ``bytes`` of all that is listed.
    """

    template_fields = (*_TransferOperator.template_fields, "assets")

    def __init__(self, *, assets: Assets | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.assets: Any = assets

    def execute(self, context: Context) -> dict[str, int]:
        """Send the files."""
        with translate_errors():
            return self.courier.send(self.assets)


class RenderbusDownloadFramesOperator(ConsoleLinkMixin, _TransferOperator):
    """Fetch the frames of a task, of all its leaves, into a folder.

    Each file is whole in the folder or not there: it comes into a hidden folder in it, and gets its name when
    it has the size that the farm lists. A file that is there with the listed size and time is not fetched
    again. Nothing is written outside the folder, nor through a link in it.

    :param render_task_id: number or alias of the task (templated).
    :param folder: absolute path of a folder, which is made where it is missing; frames keep the folders that
        they have in the output storage, one for each leaf (templated).
    :param pattern: only files whose path matches this, e.g. "*.exr"; ``*`` matches slashes too (templated).
    :param line: name of the transfer line; the farm's default line where it is left out (templated).
    :param speed_limit_kb_per_s: KB/s; none where it is left out (templated).
    :param stall_timeout: seconds without progress after which the transfer is ended and fails;
        ``[renderbus] transfer_stall_timeout`` where it is left out (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: a mapping with ``folder``, ``output_folders`` (the leaves' folders in it), ``files``, ``bytes``,
        and ``already_present``, the number of files that were there already.
    """

    template_fields = (*_TransferOperator.template_fields, "render_task_id", "folder", "pattern")

    def __init__(
        self,
        *,
        render_task_id: TaskId | XComArg,
        folder: str | os.PathLike[str] | XComArg,
        pattern: str | XComArg = "*",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.render_task_id = render_task_id
        self.folder: Any = folder
        self.pattern: Any = pattern

    def execute(self, context: Context) -> dict[str, Any]:
        """Fetch the files."""
        with translate_errors():
            number = parse_task_id("render_task_id", self.render_task_id)
            self.push_console_url(context, self.hook.console_url(number))
            return self.courier.fetch(number, self.folder, self.pattern)


class RenderbusListOutputsOperator(ConsoleLinkMixin, RenderbusOperator):
    """List a task's files in the output storage: of all its leaves, in folders within folders too.

    :param render_task_id: number or alias of the task (templated).
    :param pattern: only files whose path matches this, e.g. "*.exr"; ``*`` matches slashes too (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: a list of mappings with ``path``, relative to the storage's root, and ``size`` in bytes.
    """

    template_fields = (*RenderbusOperator.template_fields, "render_task_id", "pattern")

    def __init__(
        self, *, render_task_id: TaskId | XComArg, pattern: str | XComArg = "*", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.render_task_id = render_task_id
        self.pattern: Any = pattern

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """List the files."""
        with translate_errors():
            number = parse_task_id("render_task_id", self.render_task_id)
            self.push_console_url(context, self.hook.console_url(number))
            files = self.hook.run(flows.list_output_files(number))
        matching = [file for file in files if fnmatch.fnmatchcase(file.path, self.pattern)]
        self.log.info("%s of %s files of task %s match %s", len(matching), len(files), number, self.pattern)
        return [{"path": file.path, "size": file.size} for file in matching]
