"""Reads thumbnails that downloads have written, below the folders that the configuration allows."""

from __future__ import annotations

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_renderbus.clients.pictures import MAX_PICTURE_BYTES, PictureError
from airflow_provider_renderbus.transfer.folder import SafeFolder
from airflow_provider_renderbus.transfer.thumbnails import thumbnail_parts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.clients.settings import Settings
    from airflow_provider_renderbus.web.leaf_frames import FrameKey

log = logging.getLogger(__name__)

_SECONDS_TO_WAIT = 5.0
_MAX_THREADS = 4


class LocalPictures:
    """The thumbnails in a folder.

    :param folder: ``[renderbus] thumbnails_folder``.
    :param roots: ``[renderbus] frames_roots``: folders below which a file must be, after all links are
        resolved.
    :param seconds_to_wait: until a file server that does not respond counts as having no thumbnail.
    """

    def __init__(
        self, folder: Path, roots: Iterable[Path], seconds_to_wait: float = _SECONDS_TO_WAIT
    ) -> None:
        self._folder, self._roots = folder, tuple(roots)
        self._seconds_to_wait = seconds_to_wait
        # Of its own: a file server that does not respond blocks these threads only.
        self._threads = ThreadPoolExecutor(_MAX_THREADS, "renderbus-thumbnails")

    async def read(self, settings: Settings, frame: FrameKey) -> bytes:
        """Return the file of a frame's thumbnail, which must be decoded before it is shown.

        :raises PictureError: there is none that may be read.
        """
        account = settings.domain, settings.access_id, settings.platform
        parts = thumbnail_parts(account, frame.leaf_id, frame.id, frame.recommits)
        reading = asyncio.get_running_loop().run_in_executor(self._threads, self._read, parts)
        try:
            return await asyncio.wait_for(reading, self._seconds_to_wait)
        except (OSError, TimeoutError, ValueError) as error:
            raise PictureError(f"no thumbnail ({type(error).__name__})") from None

    def _read(self, parts: tuple[str, ...]) -> bytes:
        path = Path(os.path.realpath(self._folder.joinpath(*parts), strict=True))
        for root in self._roots:
            real_root = Path(os.path.realpath(root))
            if real_root in path.parents:
                # Opened without links from the root, since a folder could be replaced by a link meanwhile.
                with (
                    SafeFolder(real_root) as folder,
                    folder.open_file(path.relative_to(real_root).parts) as file,
                ):
                    content = file.read(MAX_PICTURE_BYTES + 1)
                if len(content) > MAX_PICTURE_BYTES:
                    raise ValueError("too large")
                return content
        raise ValueError("not below [renderbus] frames_roots")


def local_pictures(folder: str, roots: str) -> LocalPictures | None:
    """Return the thumbnails of a configuration, None for none.

    :param folder: ``[renderbus] thumbnails_folder``.
    :param roots: ``[renderbus] frames_roots``, separated by commas.
    """
    paths = []
    for name, value in (
        ("thumbnails_folder", folder),
        *(("frames_roots", root) for root in roots.split(",")),
    ):
        text = value.strip()
        if text and not text.startswith("/"):
            log.error("[renderbus] %s: must be absolute paths, got %r; it is ignored", name, text)
        paths.append(Path(text) if text.startswith("/") else None)
    allowed = [path for path in paths[1:] if path is not None]
    return LocalPictures(paths[0], allowed) if paths[0] is not None and allowed else None
