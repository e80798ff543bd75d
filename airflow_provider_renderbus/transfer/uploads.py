"""Sending scenes and assets."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_renderbus.transfer.assets import raise_if_changed, write_lists
from airflow_provider_renderbus.transfer.command import MAX_SPEED_KB_PER_S, TransferArguments
from airflow_provider_renderbus.transfer.progress import TransferProgress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_renderbus.transfer.assets import Asset
    from airflow_provider_renderbus.transfer.endpoints import StorageEndpoint
    from airflow_provider_renderbus.transfer.process import TransferRunner

log = logging.getLogger(__name__)


class UploadResult(NamedTuple):
    """What is in the input storage now.

    :param files: how many.
    :param size: bytes.
    """

    files: int
    size: int


def upload(
    runner: TransferRunner,
    route: StorageEndpoint,
    assets: Sequence[Asset],
    resume: Path | None,
    speed_limit: int = MAX_SPEED_KB_PER_S,
) -> UploadResult:
    """Send files to the input storage. What the resume database knows as sent is left out by the command.

    :param runner: runs the command.
    :param route: the way to the input storage.
    :param assets: the files, checked.
    :param resume: ini file of the resume database.
    :param speed_limit: KB/s.
    :raises TransferError: not all could be sent.
    """
    size = sum(asset.size for asset in assets)
    log.info("Sending %s files, %.1f MB", f"{len(assets):,}", size / 1e6)
    with tempfile.TemporaryDirectory(prefix="renderbus-") as folder:
        for upload_json, listed in write_lists(assets, Path(folder)):
            order = TransferArguments("upload_json", route, upload_json, "/", resume, speed_limit)
            runner.run(order, TransferProgress({asset.local: asset.size for asset in listed}))
            raise_if_changed(listed)
    return UploadResult(len(assets), size)
