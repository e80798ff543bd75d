"""Transfers files for operators, with the transfer command of a connection on this worker."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_renderbus.api import calls, validation
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException, conf
from airflow_provider_renderbus.task_json import schema
from airflow_provider_renderbus.task_json.files import load_json
from airflow_provider_renderbus.transfer import downloads, endpoints, uploads
from airflow_provider_renderbus.transfer.command import MAX_SPEED_KB_PER_S, Command, write_resume_ini
from airflow_provider_renderbus.transfer.errors import (
    InvalidFiles,
    TransferCancelled,
    TransferError,
    TransferIncomplete,
    TransferStalled,
    join_limited,
    raise_all,
)
from airflow_provider_renderbus.transfer.process import TransferRunner

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.api.models.transfer import EngineLine
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook

log = logging.getLogger(__name__)

Assets: TypeAlias = "str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Mapping[str, Any]"

_MAX_STALLS = 2
DEFAULT_STALL_TIMEOUT = 900.0
"""Seconds without progress, if ``[renderbus] transfer_stall_timeout`` is not set."""


@dataclass
class FileTransfer:
    """Transfers files between this worker and the storages of a connection's account.

    The arguments are those of the transfer operators.

    :param argument_prefix: prefix of the operator's arguments `speed_limit_kb_per_s` and `stall_timeout`, for
        error messages.
    :param folder_argument: name of the operator's argument for the download folder, for error messages.
    """

    hook: RenderbusHook
    line: str | None = None
    speed_limit_kb_per_s: int | str | None = None
    stall_timeout: float | str | None = None
    argument_prefix: str = ""
    folder_argument: str = "folder"
    _runner: TransferRunner | None = field(default=None, init=False)
    _cancelled: bool = field(default=False, init=False)

    def validate(self, folder: str | os.PathLike[str] | None = None) -> None:
        """Check what a transfer needs: the command, the arguments, the line if one is named, the folder.

        :param folder: the folder to download to, which is created if missing; None for no download.
        :raises ValueError: an argument is invalid, or the path of the folder is not absolute.
        :raises AirflowFailException: the command cannot be run, or there is no such line.
        :raises AirflowException: the folder cannot be created.
        """
        with _translate_transfer_errors():
            self._prepare()
            if folder is not None:
                self._absolute_path(folder).mkdir(parents=True, exist_ok=True)
            if self.line is not None:
                self._select_line()

    def upload(self, assets: Assets) -> dict[str, int]:
        """Upload assets as `RenderbusUploadAssetsOperator` does, and return what it returns.

        :raises ValueError: an argument or an upload.json is invalid.
        :raises AirflowFailException: files are invalid, or the command cannot be run or fails permanently.
        :raises AirflowException: not all files were uploaded; a retry continues.
        """
        return self.upload_files(self.resolve(assets))

    def resolve(self, assets: Assets) -> list[uploads.Asset]:
        """Return the files that `assets` of :meth:`upload` stands for.

        :raises ValueError: an upload.json is invalid.
        :raises AirflowFailException: files are invalid.
        """
        with _translate_transfer_errors():
            return _resolve_assets(assets)

    def upload_files(self, files: Sequence[uploads.Asset]) -> dict[str, int]:
        """Upload what :meth:`resolve` returned; see :meth:`upload`."""
        with _translate_transfer_errors():
            runner, speed_limit = self._prepare()
            profile = self.hook.send(calls.query_user_profile())
            endpoint = endpoints.input_endpoint(
                self._select_line(),
                profile,
                self.hook.send(calls.get_transfer_bid()),
                main_account=self.hook.uses_main_account_storage(profile),
            )
            resume_ini = write_resume_ini(self._state_folder(), str(self.hook.settings.platform), endpoint)
            result = uploads.upload(runner, endpoint, files, resume_ini, speed_limit)
        return {"files": result.files, "bytes": result.size}

    def download(
        self, render_task_id: int, folder: str | os.PathLike[str], pattern: str = "*"
    ) -> dict[str, int | str | list[str]]:
        """Download frames as `RenderbusDownloadFramesOperator` does, and return what it returns.

        :raises ValueError: an argument is invalid, or the path of the folder is not absolute.
        :raises AirflowFailException: no file matches, a name leads out of the folder, or the command cannot
            be run or fails permanently.
        :raises AirflowException: not all files were downloaded; a retry continues.
        """
        target = self._absolute_path(folder)
        with _translate_transfer_errors(f"Render {render_task_id}: "):
            runner, speed_limit = self._prepare()
            profile = self.hook.send(calls.query_user_profile())
            bids = self.hook.send(calls.get_transfer_bid())
            line = self._select_line()
            results: list[downloads.DownloadResult] = []
            output_folders: list[str] = []
            frames, errors = self._list_frames(render_task_id, pattern)
            for leaf, files, is_whole_folder in frames:
                try:
                    result = downloads.download(
                        runner,
                        endpoints.output_endpoint(line, profile, bids, leaf),
                        files,
                        target,
                        storage_folder=leaf.output_file_name if is_whole_folder else None,
                        speed_limit_kb_per_s=speed_limit,
                    )
                except TransferCancelled:
                    raise
                except TransferError as error:
                    errors.append(error)
                    # The server does not respond, so each further leaf would take as long.
                    if sum(isinstance(each, TransferStalled) for each in errors) >= _MAX_STALLS:
                        break
                    continue
                results.append(result)
                output_folders += dict.fromkeys(file.parts[0] for file in files)
            raise_all(errors)
        return {
            "folder": str(target),
            "output_folders": output_folders,
            "files": sum(result.files for result in results),
            "bytes": sum(result.size for result in results),
            "already_present": sum(result.already_present for result in results),
        }

    def cancel(self) -> None:
        """Kill the command with its child processes, and start no more. Called by ``on_kill``."""
        self._cancelled = True
        if self._runner is not None:
            self._runner.cancel()

    def _list_frames(
        self, render_task_id: int, pattern: str
    ) -> tuple[list[tuple[TaskInfo, list[downloads.RemoteFile], bool]], list[TransferError]]:
        """Return leaves with their matching files, and whether these are exactly the files in its folder.

        The second value is what keeps other files from being downloaded.
        """
        task = self.hook.run(flows.get_task(render_task_id))
        frames = []
        errors: list[TransferError] = []
        listed = 0
        for leaf in task.leaves():
            listing = self.hook.run(flows.list_leaf_files([leaf.id]))
            files, problems = downloads.select_files(listing, pattern)
            listed += len(listing)
            if problems:
                errors.append(InvalidFiles(join_limited(problems)))
            if files:
                is_whole_folder = len(files) == len(listing) and all(
                    file.parts[0] == leaf.output_file_name for file in files
                )
                frames.append((leaf, files, is_whole_folder))
        if not listed:
            raise TransferIncomplete("the farm lists no files yet")
        if not frames and not errors:
            raise InvalidFiles(f"none of the {listed:,} files matches {pattern!r}")
        return frames, errors

    def _select_line(self) -> EngineLine:
        return endpoints.select_line(self.hook.send(calls.get_transfer_config()), self.line)

    def _absolute_path(self, folder: str | os.PathLike[str]) -> Path:
        path = Path(folder)
        if not path.is_absolute():
            raise ValueError(f"{self.folder_argument}: must be an absolute path, got {str(folder)!r}")
        return path

    def _prepare(self) -> tuple[TransferRunner, int]:
        """Return a runner for the command, which can be run, and the speed limit."""
        speed_limit = MAX_SPEED_KB_PER_S
        if self.speed_limit_kb_per_s is not None:
            name = f"{self.argument_prefix}speed_limit_kb_per_s"
            speed_limit = validation.parse_int(name, self.speed_limit_kb_per_s)
        stall_timeout = self.stall_timeout
        if stall_timeout is None:
            stall_timeout = conf.getfloat(
                "renderbus", "transfer_stall_timeout", fallback=DEFAULT_STALL_TIMEOUT
            )
        stall_timeout = validation.parse_seconds(f"{self.argument_prefix}stall_timeout", stall_timeout)
        command = Command.find(self.hook.transfer_command)
        self._runner = TransferRunner(command, self._state_folder() / "logs", stall_timeout)
        if self._cancelled:
            self._runner.cancel()
        return self._runner, speed_limit

    def _state_folder(self) -> Path:
        """Return this connection's folder on this worker, for the resume database and the command's logs."""
        home = os.environ.get("AIRFLOW_HOME", "~/airflow")
        folder = conf.get("renderbus", "transfer_state_folder", fallback="") or f"{home}/renderbus"
        settings = self.hook.settings
        # Files of one account must not count as sent after the connection is changed to another account.
        account = hashlib.sha256(f"{settings.domain} {settings.access_id}".encode()).hexdigest()[:12]
        name = re.sub(r"[^A-Za-z0-9_-]", "_", self.hook.renderbus_conn_id)
        return Path(folder).expanduser() / f"{name}-{account}"


@contextlib.contextmanager
def _translate_transfer_errors(prefix: str = "") -> Iterator[None]:
    """Raise AirflowException for an error after which a retry continues, else AirflowFailException."""
    try:
        yield
    except TransferError as error:
        exception_type = AirflowException if error.retryable else AirflowFailException
        raise exception_type(f"{prefix}{error}") from error
    except OSError as error:
        raise AirflowException(f"{prefix}cannot read or write files on this worker: {error}") from error


def _resolve_assets(assets: Assets) -> list[uploads.Asset]:
    path = os.fspath(assets) if isinstance(assets, str | os.PathLike) else None
    source = assets if isinstance(assets, Mapping) else path
    if isinstance(source, Mapping) or (source or "").endswith(".json"):
        content = load_json("upload.json", source or "")
        for warning in schema.validate("upload.json", content):
            log.warning(warning)
        return uploads.assets_from_upload_json(content)
    return uploads.assets_from_paths(path or assets)
