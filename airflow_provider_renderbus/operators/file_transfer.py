"""Transfers files for operators, with the transfer command of a connection on this worker."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_renderbus.api import calls, validation
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException, conf
from airflow_provider_renderbus.task_json import schema
from airflow_provider_renderbus.task_json.files import load_json
from airflow_provider_renderbus.transfer import endpoints, uploads
from airflow_provider_renderbus.transfer.command import MAX_SPEED_KB_PER_S, Command, write_resume_ini
from airflow_provider_renderbus.transfer.errors import TransferError
from airflow_provider_renderbus.transfer.folder import make_private_folder
from airflow_provider_renderbus.transfer.process import TransferRunner

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_renderbus.api.models.transfer import EngineLine
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook

log = logging.getLogger(__name__)

Assets: TypeAlias = "str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Mapping[str, Any]"

_MAX_MEMORY_SECONDS = 7 * 86_400
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
        with translate_transfer_errors():
            self.prepare()
            if folder is not None:
                self.absolute_path(folder).mkdir(parents=True, exist_ok=True)
            if self.line is not None:
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
        with translate_transfer_errors():
            return _resolve_assets(assets)

    def upload_files(self, files: Sequence[uploads.Asset], memory_key: str | None = None) -> dict[str, int]:
        """Upload what :meth:`resolve` returned; see :meth:`upload`."""
        is_shared = _upload_memory() == "worker"
        folder = self._state_folder(None if is_shared else memory_key)
        has_memory = is_shared or memory_key is not None
        with translate_transfer_errors():
            runner, speed_limit = self.prepare(folder)
            self._delete_old_folders()
            profile = self.hook.send(calls.query_user_profile())
            endpoint = endpoints.input_endpoint(
                self.select_line(),
                profile,
                self.hook.send(calls.get_transfer_bid()),
                main_account=self.hook.uses_main_account_storage(profile),
            )
            platform = str(self.hook.settings.platform)
            resume_ini = write_resume_ini(folder, platform, endpoint) if has_memory else None
            result = uploads.upload(runner, endpoint, files, resume_ini, speed_limit)
        return {"files": result.files, "bytes": result.size}

    def cancel(self) -> None:
        """Kill the command with its child processes, and start no more. Called by ``on_kill``."""
        self._cancelled = True
        if self._runner is not None:
            self._runner.cancel()

    def select_line(self) -> EngineLine:
        """Return the transfer line to use."""
        return endpoints.select_line(self.hook.send(calls.get_transfer_config()), self.line)

    def absolute_path(self, folder: str | os.PathLike[str]) -> Path:
        """Return the path of a folder to download to.

        :raises ValueError: it is not absolute.
        """
        path = Path(folder)
        if not path.is_absolute():
            raise ValueError(f"{self.folder_argument}: must be an absolute path, got {str(folder)!r}")
        return path

    def prepare(self, state_folder: Path | None = None) -> tuple[TransferRunner, int]:
        """Return a runner for the command, which can be run, and the speed limit.

        :param state_folder: for the command's logs; that of the connection if omitted.
        """
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
        _upload_memory()
        command = Command.find(self.hook.transfer_command)
        state_folder = state_folder or self._state_folder()
        make_private_folder(state_folder)
        self._runner = TransferRunner(command, state_folder / "logs", stall_timeout)
        if self._cancelled:
            self._runner.cancel()
        return self._runner, speed_limit

    def _state_folder(self, memory_key: str | None = None) -> Path:
        """Return this connection's folder on this worker, for the resume database and the command's logs.

        :param memory_key: of the uploads that share a resume database; None for all.
        """
        home = os.environ.get("AIRFLOW_HOME", "~/airflow")
        folder = conf.get("renderbus", "transfer_state_folder", fallback="") or f"{home}/renderbus"
        settings = self.hook.settings
        # Files of one account must not count as sent after the connection is changed to another account.
        account = hashlib.sha256(f"{settings.domain} {settings.access_id}".encode()).hexdigest()[:12]
        name = re.sub(r"[^A-Za-z0-9_-]", "_", self.hook.renderbus_conn_id)
        suffix = "" if memory_key is None else f"-{hashlib.sha256(memory_key.encode()).hexdigest()[:12]}"
        return Path(folder).expanduser() / f"{name}-{account}{suffix}"

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


def _resolve_assets(assets: Assets) -> list[uploads.Asset]:
    path = os.fspath(assets) if isinstance(assets, str | os.PathLike) else None
    source = assets if isinstance(assets, Mapping) else path
    if isinstance(source, Mapping) or (source or "").endswith(".json"):
        content = load_json("upload.json", source or "")
        for warning in schema.validate("upload.json", content):
            log.warning(warning)
        return uploads.assets_from_upload_json(content)
    return uploads.assets_from_paths(path or assets)
