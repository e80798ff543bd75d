"""Operators that upload scenes and assets, and list output files."""

from __future__ import annotations

import fnmatch
import functools
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.validation import non_blank_line, parse_task_id
from airflow_provider_renderbus.cancel_on_kill import is_execution_timeout
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.base import RenderbusOperator
from airflow_provider_renderbus.operators.reattach import upload_memory_key
from airflow_provider_renderbus.task_result import records_end, translate_errors

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.validation import TaskId
    from airflow_provider_renderbus.compat import Context, XComArg
    from airflow_provider_renderbus.operators.file_transfer import Assets, FileTransfer


class TransferOperator(RenderbusOperator):
    """An operator that runs the transfer command."""

    template_fields = (*RenderbusOperator.template_fields, "line", "speed_limit_kb_per_s", "stall_timeout")

    def __init__(
        self,
        *,
        line: str | XComArg | None,
        speed_limit_kb_per_s: int | str | XComArg | None,
        stall_timeout: float | str | XComArg | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.line: Any = line
        self.speed_limit_kb_per_s: Any = speed_limit_kb_per_s
        self.stall_timeout: Any = stall_timeout

    @functools.cached_property
    def file_transfer(self) -> FileTransfer:
        """Transfers files with the command of the connection."""
        from airflow_provider_renderbus.operators.file_transfer import FileTransfer

        return FileTransfer(self.hook, self.line, self.speed_limit_kb_per_s, self.stall_timeout)

    def on_kill(self) -> None:
        """Kill the transfer command with its child processes.

        :raises SystemExit: unless at an execution_timeout. After a signal, Airflow 3 would not end the task.
            It allows a retry.
        """
        self.file_transfer.cancel()
        self.hook.require_own_try()
        if not is_execution_timeout():
            raise SystemExit("Killed: transfer cancelled")


class RenderbusUploadAssetsOperator(TransferOperator):
    """Upload scenes and assets to the farm's input storage, with the paths that they have on this worker.

    All files are checked before anything is uploaded: they must exist, be readable and have names that
    can be transferred. A retry on the same worker skips the files that it has uploaded before and that have
    not changed; see ``[renderbus] transfer_memory``.

    :param assets: absolute paths of files, of folders, or patterns such as ``/mnt/shots/**/*.exr``; or an
        upload.json, as a mapping or as a path ending in ``.json`` (templated).
    :param line: name of the transfer line; the farm's default line if omitted (templated).
    :param speed_limit_kb_per_s: speed limit in KB/s; unlimited if omitted (templated).
    :param stall_timeout: seconds without progress after which the transfer is killed and fails;
        ``[renderbus] transfer_stall_timeout`` if omitted (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: ``files`` and ``bytes``, of all files including those that are skipped.
    """

    template_fields = (*TransferOperator.template_fields, "assets")
    operator_extra_links = ()

    def __init__(
        self,
        *,
        assets: Assets | XComArg,
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
        self.assets: Any = assets

    @records_end
    def execute(self, context: Context) -> dict[str, int]:
        """Upload the files."""
        with translate_errors():
            return self.file_transfer.upload(self.assets, upload_memory_key(context["ti"]))


class RenderbusListOutputsOperator(RenderbusOperator):
    """List the files of all leaves of a render in the output storage, including those in subfolders.

    :param render_task_id: id or alias of the render (templated).
    :param pattern: only files whose path matches this, e.g. ``*.exr``; ``*`` matches slashes too (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: a list of mappings with ``path``, relative to the storage's root, and ``size`` in bytes.
    """

    template_fields = (*RenderbusOperator.template_fields, "render_task_id", "pattern")

    def __init__(
        self,
        *,
        render_task_id: TaskId | XComArg,
        pattern: str | XComArg = "*",
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(renderbus_conn_id=renderbus_conn_id, **kwargs)
        self.render_task_id = render_task_id
        self.pattern: Any = pattern

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """List the files."""
        with translate_errors():
            render_task_id = parse_task_id("render_task_id", self.render_task_id)
            pattern = non_blank_line("pattern", self.pattern)
            self.push_links(context, render_task_id)
            files = self.hook.run(flows.list_output_files(render_task_id))
        matching = [file for file in files if fnmatch.fnmatchcase(file.path, pattern)]
        self.log.info(
            "Render %s: %s of %s files match %r", render_task_id, len(matching), len(files), self.pattern
        )
        return [{"path": file.path, "size": file.size} for file in matching]
