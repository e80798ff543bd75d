"""Scenes up and frames down for operators: the transfer command of a connection, on this worker."""

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

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, conf

from airflow_provider_renderbus.api import calls, validation
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.task_json import schema
from airflow_provider_renderbus.task_json.files import load_json
from airflow_provider_renderbus.transfer import assets as sources
from airflow_provider_renderbus.transfer import downloads, uploads
from airflow_provider_renderbus.transfer import endpoints as routes
from airflow_provider_renderbus.transfer.command import MAX_SPEED_KB_PER_S, Command, write_resume_ini
from airflow_provider_renderbus.transfer.errors import InvalidFiles, TransferError, TransferIncomplete
from airflow_provider_renderbus.transfer.folder import split_path
from airflow_provider_renderbus.transfer.process import TransferRunner

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook

log = logging.getLogger(__name__)

Assets: TypeAlias = "str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Mapping[str, Any]"

SILENCE = 900.0
"""Seconds without progress, where ``[renderbus] transfer_stall_timeout`` says nothing else."""


@dataclass
class Courier:
    """Carries files between this worker and the storages of a connection's account.

    :param hook: the connection's hook.
    :param line: name of the transfer line; the farm's default line where it is left out.
    :param speed_limit_kb_per_s: KB/s; none where it is left out.
    :param stall_timeout: seconds without progress after which a transfer is ended; ``[renderbus]
        transfer_stall_timeout`` where it is left out.
    :param prefix: what stands before `speed_limit_kb_per_s` and `stall_timeout` in the names that the author
        knows.
    :param folder: the author's name of the folder that frames are fetched to.
    """

    hook: RenderbusHook
    line: str | None = None
    speed_limit_kb_per_s: int | str | None = None
    stall_timeout: float | str | None = None
    prefix: str = ""
    folder: str = "folder"
    _runner: TransferRunner | None = field(default=None, init=False)
    _stopped: bool = field(default=False, init=False)

    def check(self, folder: str | os.PathLike[str] | None = None) -> None:
        """Check what a transfer will need: the command, the options, the line where one is named, the folder.

        :param folder: where frames are to be fetched to, which is made; None where they are not.
        :raises ValueError: an option is wrong.
        :raises AirflowFailException: the command, the line or the path is not as it must be.
        :raises AirflowException: the folder cannot be made.
        """
        with transfer_failures():
            self._ready()
            if folder is not None:
                self._absolute(folder).mkdir(parents=True, exist_ok=True)
            if self.line is not None:
                routes.select_line(self.hook.send(calls.get_transfer_config()), self.line)

    def send(self, assets: Assets) -> dict[str, int]:
        """Send scenes and assets to the input storage; what is there unchanged is not sent again.

        :param assets: absolute paths of files and folders, or patterns; or an upload.json, as a mapping or
            as a path that ends in ``.json``.
        :return: files and bytes, both of all that is listed.
        :raises AirflowFailException: files or the command are not as they must be, or the farm refuses them.
        :raises AirflowException: not all could be sent; another try goes on from there.
        """
        with transfer_failures():
            runner, limit = self._ready()
            listed = _listed(assets)
            profile = self.hook.send(calls.query_user_profile())
            route = routes.input_endpoint(
                routes.select_line(self.hook.send(calls.get_transfer_config()), self.line),
                profile,
                self.hook.send(calls.get_transfer_bid()),
                main_account=self.hook.uses_main_account_storage(profile),
            )
            ini = write_resume_ini(self._remembered(), str(self.hook.settings.platform), route)
            sent = uploads.upload(runner, route, listed, ini, limit)
        return {"files": sent.files, "bytes": sent.size}

    def fetch(
        self, number: int, folder: str | os.PathLike[str], pattern: str = "*"
    ) -> dict[str, int | str | list[str]]:
        """Fetch the frames of all leaves of a task; those that are there, whole, are not fetched again.

        :param number: the task's number.
        :param folder: absolute path of a folder; made where it is missing. Frames keep the folders that they
            have in the output storage, one for each leaf.
        :param pattern: only files whose path matches this, e.g. "*.exr"; ``*`` matches slashes too.
        :return: folder, output_folders (the leaves' folders in it), files, bytes, and how many were there
            before.
        :raises AirflowFailException: nothing matches, a name leads out of the folder, the command or the
            folder is not as it must be, or the farm refuses.
        :raises AirflowException: not all could be fetched; another try goes on from there.
        """
        with transfer_failures():
            runner, limit = self._ready()
            target = self._absolute(folder)
            profile = self.hook.send(calls.query_user_profile())
            bids = self.hook.send(calls.get_transfer_bid())
            line = routes.select_line(self.hook.send(calls.get_transfer_config()), self.line)
            done: list[downloads.DownloadResult] = []
            outputs: list[str] = []
            for leaf, files, everything in self._frames(number, pattern):
                route = routes.output_endpoint(line, profile, bids, leaf)
                whole = leaf.output_file_name if everything else None
                done.append(
                    downloads.download(
                        runner, route, files, target, storage_folder=whole, speed_limit_kb_per_s=limit
                    )
                )
                outputs += dict.fromkeys(file.parts[0] for file in files)
        return {
            "folder": str(target),
            "output_folders": outputs,
            "files": sum(each.files for each in done),
            "bytes": sum(each.size for each in done),
            "already_present": sum(each.already_present for each in done),
        }

    def stop(self) -> None:
        """End what is running, with its children, and begin nothing more. For ``on_kill``."""
        self._stopped = True
        if self._runner is not None:
            self._runner.cancel()

    def _frames(self, number: int, pattern: str) -> list[tuple[TaskInfo, list[downloads.RemoteFile], bool]]:
        """List the wanted files of each leaf, and tell whether they are all that its folder holds."""
        task = self.hook.run(flows.get_task(number))
        found = []
        listed = 0
        for leaf in task.leaves():
            listing = self.hook.run(flows.list_leaf_files([leaf.id]))
            files = downloads.select_files(listing, pattern)
            listed += len(listing)
            if files:
                top = split_path(leaf.output_file_name)[0] if leaf.output_file_name else None
                everything = len(files) == len(listing) and all(file.parts[0] == top for file in files)
                found.append((leaf, files, everything))
        if not listed:
            raise TransferIncomplete(f"The farm lists no files of task {number} (yet)")
        if not found:
            raise InvalidFiles(f"None of the {listed:,} files of task {number} matches {pattern!r}")
        return found

    def _absolute(self, folder: str | os.PathLike[str]) -> Path:
        path = Path(folder)
        if not path.is_absolute():
            raise InvalidFiles(f"{self.folder}: an absolute path is wanted, not {str(folder)!r}")
        return path

    def _ready(self) -> tuple[TransferRunner, int]:
        """Return what runs the command, after a look whether it can, and the speed limit."""
        limit = (
            MAX_SPEED_KB_PER_S
            if self.speed_limit_kb_per_s is None
            else validation.parse_int(f"{self.prefix}speed_limit_kb_per_s", self.speed_limit_kb_per_s)
        )
        silence = conf.getfloat("renderbus", "transfer_stall_timeout", fallback=SILENCE)
        silence = validation.parse_seconds(
            f"{self.prefix}stall_timeout", silence if self.stall_timeout is None else self.stall_timeout
        )
        command = Command.find(self.hook.transfer_command)
        self._runner = TransferRunner(command, self._remembered() / "logs", silence)
        if self._stopped:
            self._runner.cancel()
        return self._runner, limit

    def _remembered(self) -> Path:
        """Return the folder of this connection on this worker: what was sent, and the command's logs."""
        home = os.environ.get("AIRFLOW_HOME", "~/airflow")
        top = conf.get("renderbus", "transfer_state_folder", fallback="") or f"{home}/renderbus"
        settings = self.hook.settings
        # A connection that is changed to another account must not take the one's files for the other's.
        account = hashlib.sha256(f"{settings.domain} {settings.access_id}".encode()).hexdigest()[:12]
        name = re.sub(r"[^A-Za-z0-9_-]", "_", self.hook.renderbus_conn_id)
        return Path(top).expanduser() / f"{name}-{account}"


@contextlib.contextmanager
def transfer_failures() -> Iterator[None]:
    """Turn what goes wrong with a transfer into Airflow's failures.

    :raises AirflowFailException: a retry cannot mend it.
    :raises AirflowException: a retry can.
    """
    try:
        yield
    except TransferError as problem:
        raise (AirflowException if problem.retryable else AirflowFailException)(str(problem)) from problem
    except OSError as problem:
        raise AirflowException(f"This worker's disk: {problem}") from problem


def _listed(assets: Assets) -> list[sources.Asset]:
    path = os.fspath(assets) if isinstance(assets, str | os.PathLike) else None
    given = assets if isinstance(assets, Mapping) else path
    if isinstance(given, Mapping) or (given or "").endswith(".json"):
        content = load_json("upload.json", given or "")
        for warning in schema.validate("upload.json", content):
            log.warning(warning)
        return sources.assets_from_upload_json(content)
    return sources.assets_from_paths(path or assets)
