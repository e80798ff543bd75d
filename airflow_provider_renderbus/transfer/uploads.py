"""Sending scenes and assets."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_renderbus.transfer.assets import expect_unchanged, write_lists
from airflow_provider_renderbus.transfer.command import FASTEST, Order
from airflow_provider_renderbus.transfer.progress import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_renderbus.transfer.assets import Asset
    from airflow_provider_renderbus.transfer.endpoints import Route
    from airflow_provider_renderbus.transfer.process import Runner

log = logging.getLogger(__name__)


class Sent(NamedTuple):
    """What is in the input storage now.

    :param files: how many.
    :param size: bytes.
    """

    files: int
    size: int


def send(
    runner: Runner, route: Route, assets: Sequence[Asset], resume: Path | None, speed_limit: int = FASTEST
) -> Sent:
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
            order = Order("upload_json", route, upload_json, "/", resume, speed_limit)
            runner.run(order, Tally({asset.local: asset.size for asset in listed}))
            expect_unchanged(listed)
    return Sent(len(assets), size)
