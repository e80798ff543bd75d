"""Writes thumbnails of the frames that an operator has downloaded, if the configuration names a folder."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_renderbus.compat import conf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_renderbus.api.models.frames import Frame
    from airflow_provider_renderbus.operators.file_transfer import FileTransfer
    from airflow_provider_renderbus.operators.frame_delivery import LayerFiles
    from airflow_provider_renderbus.transfer.downloads import DownloadResult
    from airflow_provider_renderbus.transfer.thumbnails import Thumbnail

log = logging.getLogger(__name__)


def thumbnails_folder() -> Path | None:
    """Return ``[renderbus] thumbnails_folder``; None for no thumbnails, also if it is not absolute."""
    value = conf.get("renderbus", "thumbnails_folder", fallback="").strip()
    if value and not value.startswith("/"):
        log.warning("No thumbnails: [renderbus] thumbnails_folder: must be an absolute path, got %r", value)
        return None
    return Path(value) if value else None


def write_thumbnails(
    transfer: FileTransfer,
    folder: Path,
    target: Path,
    layers: Sequence[LayerFiles],
    frames: Mapping[int, tuple[Frame, ...]],
    results: Sequence[DownloadResult],
    render_task_id: int,
    *,
    is_final: bool = True,
) -> None:
    """Write thumbnails of frames that are done and in the folder of the download.

    A problem is logged and raises nothing: the frames are there.

    :param folder: of thumbnails.
    :param target: the folder of the download.
    :param frames: of the layers, by the ids of their leaves.
    :param results: of the layers whose download has succeeded.
    :param is_final: whether no other download follows.
    """
    from airflow_provider_renderbus.transfer import downloads, thumbnails

    subject = f"Render {render_task_id}"
    settings = transfer.hook.settings
    account = settings.domain, settings.access_id, settings.platform
    new = frozenset[str]().union(*(result.new for result in results))
    try:
        selected = [each for layer in layers for each in _thumbnails(layer, frames, account, new)]
        files = [file for layer in layers for file in layer.files]
        # A layer that was not downloaded can have the frames of an earlier render in its place.
        outdated = set(downloads.find_outdated(target, files))
        selected = [each for each in selected if "/".join(each.frame) not in outdated]
        thumbnails.write_thumbnails(
            folder, target, selected, subject, is_final=is_final, is_cancelled=lambda: transfer.is_cancelled
        )
    except Exception as error:  # noqa: BLE001 - a picture is not worth more than the frames
        log.warning(
            "%s: no more thumbnails in %s: %s. Downloaded frames are complete", subject, folder, error
        )


def _thumbnails(
    layer: LayerFiles,
    frames: Mapping[int, tuple[Frame, ...]],
    account: tuple[str, str, int | str],
    new: frozenset[str],
) -> Iterator[Thumbnail]:
    """Yield the thumbnails of a layer: of the files that surely show one of its frames."""
    from airflow_provider_renderbus.transfer.delivery import match_files
    from airflow_provider_renderbus.transfer.thumbnails import PICTURE_SUFFIXES, Thumbnail, thumbnail_parts

    files = {
        file.path: file
        for file in layer.files
        if file.stat.size and file.path.lower().endswith(PICTURE_SUFFIXES)
    }
    leaf_id = layer.layer.leaf.id
    for path, frame in match_files(frames.get(leaf_id, ()), files, layer.texts).items():
        parts = thumbnail_parts(account, leaf_id, frame.id, frame.recommits)
        yield Thumbnail(parts, files[path].target, path in new)
