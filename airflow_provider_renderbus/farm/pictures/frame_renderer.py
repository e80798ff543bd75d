"""Where the pictures are made: at once on the hand-driven clock, by a few threads on a running one.

Threads are enough: numpy and zlib give up the interpreter's lock while they work, so that the farm answers
meanwhile, and no process is left over when the farm is killed.
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
    """Paints frames to files.

    :param scratch: the folder in which the files are made.
    :param synchronous: paint inside :meth:`order` rather than in threads.
    :param placeholder: make files of one grey pixel instead of pictures, which costs next to no time.
    """

    def __init__(self, scratch: Path, *, synchronous: bool, placeholder: bool = False) -> None:
        workers = min(os.cpu_count() or 1, MAX_WORKERS)
        self._scratch = scratch
        self._placeholder = placeholder
        self._pool = None if synchronous else ThreadPoolExecutor(workers, thread_name_prefix="farm-render")

    def submit(self, job: Job, frames: Sequence[int], tile: str = "") -> Future[list[Path]]:
        """Have frames painted, each with a thumbnail; the result is their paths, or why there are none.

        :param tile: the number of the tile that is painted of them, "" for the whole.
        """
        if self._pool and frames:
            return self._pool.submit(self._render, job, frames, tile)
        future: Future[list[Path]] = Future()
        try:
            future.set_result(self._render(job, frames, tile))
        except Exception as error:  # noqa: BLE001 - as in a pool's thread: it is the future's to tell
            future.set_exception(error)
        return future

    def discard(self, pictures: Future[list[Path]]) -> None:
        """Remove pictures that nobody wants any more."""
        if not pictures.cancelled() and not pictures.exception():
            for path in pictures.result():
                path.unlink(missing_ok=True)
                thumbnail_path(path).unlink(missing_ok=True)

    def close(self) -> None:
        """Drop what is not begun and wait for what is."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def _render(self, job: Job, frames: Sequence[int], tile: str) -> list[Path]:
        part = (
            split_into_tiles(job.width, job.height, job.tiles, job.tiles_type)[int(tile) - 1]
            if tile
            else None
        )
        paths = []
        for frame in frames:
            path = self._scratch / f"{uuid4().hex}.{job.extension}"
            if self._placeholder:
                save(Image.new("L", (1, 1), 128), path)
            else:
                picture = render_frame(job.stem, frame, job.width, job.height, job.render_pass, part)
                save(picture, path)
                save_thumbnail(picture, thumbnail_path(path))
            paths.append(path)
        return paths
