"""Transfers files for operators, with the transfer command of a connection on this worker."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_renderbus.api import calls, validation
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException, conf
from airflow_provider_renderbus.operators.state_folder import state_folder
from airflow_provider_renderbus.task_json import schema
from airflow_provider_renderbus.task_json.files import load_json
from airflow_provider_renderbus.transfer import endpoints, uploads
from airflow_provider_renderbus.transfer.command import MAX_SPEED_KB_PER_S, Command, write_resume_ini
from airflow_provider_renderbus.transfer.errors import TransferError, TransferSetupError
from airflow_provider_renderbus.transfer.folder import make_private_folder, probe_folder
from airflow_provider_renderbus.transfer.layout import check_layout
from airflow_provider_renderbus.transfer.process import TransferRunner

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_renderbus.api.models.account import UserProfile
    from airflow_provider_renderbus.api.models.transfer import EngineLine
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
    from airflow_provider_renderbus.transfer.endpoints import StorageEndpoint

log = logging.getLogger(__name__)

Assets: TypeAlias = "str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Mapping[str, Any]"

_MAX_MEMORY_SECONDS = 7 * 86_400
DEFAULT_STALL_TIMEOUT = 900.0
"""Seconds without progress, if ``[renderbus] transfer_stall_timeout`` is not set."""


@dataclass
class FileTransfer:
    """Transfers files between this worker and the storages of a connection's account.

    The arguments are those of the transfer operators.

    :param transfer_prefix: prefix of the operator's arguments `line`, `speed_limit_kb_per_s` and
        `stall_timeout`, for error messages.
    :param download_prefix: prefix of the operator's arguments `folder` and `pattern`, likewise.
    """

    hook: RenderbusHook
    line: str | None = None
    speed_limit_kb_per_s: int | str | None = None
    stall_timeout: float | str | None = None
    transfer_prefix: str = ""
    download_prefix: str = ""
    _runner: TransferRunner | None = field(default=None, init=False)
    _cancelled: bool = field(default=False, init=False)
    _input: StorageEndpoint | None = field(default=None, init=False)

    def check_arguments(self, pattern: Any = "*", layout: Any = None) -> None:
        """Check the arguments of transfers, also if there is nothing to transfer.

        :param pattern: which files to download.
        :param layout: where they go below the folder.
        :raises ValueError: an argument is invalid.
        """
        self._limits()
        self.check_pattern(pattern)
        if layout is not None:
            check_layout(f"{self.download_prefix}layout", layout)

    def check_worker(self, folder: Any = None) -> None:
        """Check what a transfer needs on this worker: the command, and folders that can be written.

        :param folder: the folder to download to, which is created if missing; None for no download.
        :raises ValueError: it is not absolute, or no path.
        :raises AirflowFailException: the command cannot be run.
        :raises AirflowException: a folder cannot be written; another worker may have it.
        """
        _probe("[renderbus] transfer_state_folder", self._state_folder())
        with translate_transfer_errors():
            self.prepare()
        if folder is not None:
            _probe(f"{self.download_prefix}folder", self.absolute_path(folder))

    def check_pattern(self, pattern: Any) -> str:
        """Return a pattern of files to download.

        :raises ValueError: it is none.
        """
        return validation.non_blank_line(f"{self.download_prefix}pattern", pattern)

    def check_storage(self, profile: UserProfile, *, uploads: bool) -> None:
        """Check that the farm has a line for transfers and, for uploads, an input storage.

        :param profile: of the account.
        :raises AirflowFailException: it has none.
        """
        with translate_transfer_errors():
            if uploads:
                self._input = self._input_endpoint(profile)
            else:
                self.select_line()

    def upload(self, assets: Assets, memory_key: str | None = None) -> dict[str, int]:
        """Upload assets as `RenderbusUploadAssetsOperator` does, and return what it returns.

        :param memory_key: of the uploads that continue each other, from
            :func:`.reattach.upload_memory_key`; None to
            upload all files.
        :raises ValueError: an argument or an upload.json is invalid.
        :raises AirflowFailException: files are invalid, or the command cannot be run or fails permanently.
        :raises AirflowException: not all files were uploaded; a retry continues.
        """
        return self.upload_files(self.resolve(assets), memory_key)

    def resolve(self, assets: Assets) -> list[uploads.Asset]:
        """Return the files that `assets` of :meth:`upload` stands for.

        :raises ValueError: an upload.json is invalid.
        :raises AirflowFailException: files are invalid.
        """
        with translate_transfer_errors("assets: "):
            return _resolve_assets(assets)

    def upload_files(self, files: Sequence[uploads.Asset], memory_key: str | None = None) -> dict[str, int]:
        """Upload what :meth:`resolve` returned; see :meth:`upload`."""
        is_shared = _upload_memory() == "worker"
        folder = self._state_folder(None if is_shared else memory_key)
        has_memory = is_shared or memory_key is not None
        with translate_transfer_errors():
            runner, speed_limit = self.prepare(folder)
            self._delete_old_folders()
            endpoint = self._input or self._input_endpoint(self.hook.send(calls.query_user_profile()))
            platform = str(self.hook.settings.platform)
            resume_ini = write_resume_ini(folder, platform, endpoint) if has_memory else None
            result = uploads.upload(runner, endpoint, files, resume_ini, speed_limit)
        return {"files": result.files, "bytes": result.size}

    @property
    def is_cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """Kill the command with its child processes, and start no more. Called by ``on_kill``."""
        self._cancelled = True
        if self._runner is not None:
            self._runner.cancel()

    def select_line(self) -> EngineLine:
        """Return the transfer line to use."""
        try:
            return endpoints.select_line(self.hook.send(calls.get_transfer_config()), self.line)
        except TransferSetupError as error:
            if self.line is None:
                raise
            raise TransferSetupError(f"{self.transfer_prefix}line: {error}") from None

    def absolute_path(self, folder: Any) -> Path:
        """Return the path of a folder to download to.

        :raises ValueError: it is not absolute, or no path.
        """
        name = f"{self.download_prefix}folder"
        path: Any = os.fspath(folder) if isinstance(folder, os.PathLike) else folder
        if not isinstance(path, str) or not path.startswith("/"):
            raise ValueError(f"{name}: must be an absolute path, got {validation.excerpt(folder)}")
        return Path(validation.one_line(name, path))

    def _input_endpoint(self, profile: UserProfile) -> StorageEndpoint:
        return endpoints.input_endpoint(
            self.select_line(),
            profile,
            self.hook.send(calls.get_transfer_bid()),
            main_account=self.hook.uses_main_account_storage(profile),
        )

    def prepare(self, state_folder: Path | None = None) -> tuple[TransferRunner, int]:
        """Return a runner for the command, which can be run, and the speed limit.

        :param state_folder: for the command's logs; that of the connection if omitted.
        """
        speed_limit, stall_timeout = self._limits()
        _upload_memory()
        command = Command.find(self.hook.transfer_command)
        state_folder = state_folder or self._state_folder()
        make_private_folder(state_folder)
        self._runner = TransferRunner(
            command, state_folder / "logs", stall_timeout, wait_to_be_killed=self.hook.wait_to_be_killed
        )
        if self._cancelled:
            self._runner.cancel()
        return self._runner, speed_limit

    def _limits(self) -> tuple[int, float]:
        """Return the speed limit in KB/s and the stall timeout in seconds. The line is checked too."""
        if self.line is not None:
            validation.non_blank_line(f"{self.transfer_prefix}line", self.line)
        speed_limit = MAX_SPEED_KB_PER_S
        if self.speed_limit_kb_per_s is not None:
            name = f"{self.transfer_prefix}speed_limit_kb_per_s"
            speed_limit = validation.parse_int_from(name, self.speed_limit_kb_per_s, 1, MAX_SPEED_KB_PER_S)
        stall_timeout = self.stall_timeout
        if stall_timeout is None:
            stall_timeout = conf.getfloat(
                "renderbus", "transfer_stall_timeout", fallback=DEFAULT_STALL_TIMEOUT
            )
        stall_timeout = validation.parse_seconds(f"{self.transfer_prefix}stall_timeout", stall_timeout)
        return speed_limit, stall_timeout

    def _state_folder(self, memory_key: str | None = None) -> Path:
        """Return this connection's folder on this worker, for the resume database and the command's logs.

        :param memory_key: of the uploads that share a resume database; None for all.
        """
        settings = self.hook.settings
        # Files of one account must not count as sent after the connection is changed to another account.
        account = hashlib.sha256(f"{settings.domain} {settings.access_id}".encode()).hexdigest()[:12]
        name = re.sub(r"[^A-Za-z0-9_-]", "_", self.hook.renderbus_conn_id)
        suffix = "" if memory_key is None else f"-{hashlib.sha256(memory_key.encode()).hexdigest()[:12]}"
        return state_folder() / f"{name}-{account}{suffix}"

    def _delete_old_folders(self) -> None:
        """Delete the resume databases of tasks that have not uploaded for a week."""
        folder = self._state_folder()
        for other in folder.parent.glob(f"{folder.name}-{'[0-9a-f]' * 12}"):
            with contextlib.suppress(OSError):
                if time.time() - other.stat().st_mtime > _MAX_MEMORY_SECONDS:
                    shutil.rmtree(other)


def _upload_memory() -> str:
    """Return for how long a worker skips unchanged files.

    :raises ValueError: the option is invalid.
    """
    memory = conf.get("renderbus", "transfer_memory", fallback="task")
    return str(validation.one_of("[renderbus] transfer_memory", memory, ("task", "worker")))


@contextlib.contextmanager
def translate_transfer_errors(prefix: str = "") -> Iterator[None]:
    """Raise AirflowException for an error after which a retry continues, else AirflowFailException."""
    try:
        yield
    except TransferError as error:
        exception_type = AirflowException if error.retryable else AirflowFailException
        raise exception_type(f"{prefix}{error}") from error
    except OSError as error:
        raise AirflowException(f"{prefix}cannot read or write files on this worker: {error}") from error


def _probe(name: str, folder: Path) -> None:
    try:
        probe_folder(folder)
    except OSError as error:
        raise AirflowException(
            f"{name}: must be a folder in which this worker can write files, got {str(folder)!r}: "
            f"{error.strerror or error}; nothing was submitted. Mount or create it, change its permissions, "
            f"or name another"
        ) from error


def _resolve_assets(assets: Assets) -> list[uploads.Asset]:
    given: Any = assets
    if isinstance(given, bytes | bytearray | memoryview) or not isinstance(
        given, str | os.PathLike | Mapping | Iterable
    ):
        raise ValueError(f"assets: must be paths, or an upload.json, got {validation.excerpt(given)}")
    path = os.fspath(given) if isinstance(given, str | os.PathLike) else None
    source: Any = path or given
    if not isinstance(source, Mapping) and not str(path).endswith(".json"):
        return uploads.assets_from_paths(source)
    try:
        content = load_json("upload.json", source)
        warnings = schema.validate("upload.json", content)
    except ValueError as error:
        raise ValueError(f"assets: {error}") from None
    for warning in warnings:
        log.warning(warning)
    return uploads.assets_from_upload_json(content)
