"""Renders frames to files: synchronously with a manual clock, in a few threads with a running one.

Threads suffice because numpy and zlib release the interpreter lock, so the farm keeps answering requests. A
killed farm leaves no render process behind.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import uuid4

from PIL import Image

from airflow_provider_renderbus.farm.pictures.formats import save, save_thumbnail, split_into_tiles
from airflow_provider_renderbus.farm.pictures.picture import render_frame
from airflow_provider_renderbus.farm.storage.storage import thumbnail_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_provider_renderbus.farm.pictures.task_json import Job

MAX_WORKERS = 4


class FrameRenderer:
    """Renders frames to files.

    :param scratch: folder for the files.
    :param synchronous: render inside :meth:`submit` instead of in threads.
    :param placeholder: write one grey pixel instead of a picture, which takes almost no time.
    """

    def __init__(self, scratch: Path, *, synchronous: bool, placeholder: bool = False) -> None:
        workers = min(os.cpu_count() or 1, MAX_WORKERS)
        self._scratch = scratch
        self._placeholder = placeholder
        self._pool = None if synchronous else ThreadPoolExecutor(workers, thread_name_prefix="farm-render")

    def submit(self, job: Job, frames: Sequence[int], tile: str = "") -> Future[list[Path]]:
        """Render frames, each with a thumbnail; the future holds the paths of the files or the error.

        :param tile: number of the tile to render, "" for whole frames.
        """
        if self._pool and frames:
            return self._pool.submit(self._render, job, frames, tile)
        future: Future[list[Path]] = Future()
        try:
            future.set_result(self._render(job, frames, tile))
        except Exception as error:  # noqa: BLE001 - as in a thread of the pool, the future holds the error
            future.set_exception(error)
        return future

    def discard(self, pictures: Future[list[Path]]) -> None:
        """Delete the files of a submit whose result is no longer needed."""
        if not pictures.cancelled() and not pictures.exception():
            for path in pictures.result():
                path.unlink(missing_ok=True)
                thumbnail_path(path).unlink(missing_ok=True)

    def close(self) -> None:
        """Cancel queued frames and wait for running ones."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def _render(self, job: Job, frames: Sequence[int], tile: str) -> list[Path]:
        all_tiles = split_into_tiles(job.width, job.height, job.tiles, job.tiles_type)
        rectangle = all_tiles[int(tile) - 1] if tile else None
        paths = []
        for frame in frames:
            path = self._scratch / f"{uuid4().hex}.{job.extension}"
            if self._placeholder:
                save(Image.new("L", (1, 1), 128), path)
            else:
                picture = render_frame(job.stem, frame, job.width, job.height, job.render_pass, rectangle)
                save(picture, path)
                save_thumbnail(picture, thumbnail_path(path))
            paths.append(path)
        return paths
