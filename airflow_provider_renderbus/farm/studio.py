"""Where the pictures are made: at once on the hand-driven clock, by a few threads on a running one.

Threads are enough: numpy and zlib give up the interpreter's lock while they work, so that the farm answers
meanwhile, and no process is left over when the farm is killed.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow_provider_renderbus.farm.picture import paint

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_renderbus.farm.task_json import Job

MOST_WORKERS = 4


class Studio:
    """Paints frames to files.

    :param scratch: the folder in which the files are made.
    :param at_once: paint inside :meth:`order` rather than in threads.
    """

    def __init__(self, scratch: Path, *, at_once: bool) -> None:
        workers = min(os.cpu_count() or 1, MOST_WORKERS)
        self._scratch = scratch
        self._pool = None if at_once else ThreadPoolExecutor(workers, thread_name_prefix="farm-render")

    def order(self, job: Job, frame: int) -> Future[Path]:
        """Have a frame painted; the result is the path of its file, or an OSError."""
        if self._pool:
            return self._pool.submit(self._paint, job, frame)
        future: Future[Path] = Future()
        try:
            future.set_result(self._paint(job, frame))
        except OSError as error:
            future.set_exception(error)
        return future

    def discard(self, picture: Future[Path]) -> None:
        """Remove a picture that nobody wants any more."""
        if not picture.cancelled() and not picture.exception():
            picture.result().unlink(missing_ok=True)

    def close(self) -> None:
        """Drop what is not begun and wait for what is."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def _paint(self, job: Job, frame: int) -> Path:
        path = self._scratch / f"{uuid4().hex}.png"
        paint(job.stem, frame, job.width, job.height).save(path)
        return path
