"""Writes a small JPEG for each frame that is downloaded, for pages that show frames.

A thumbnail is ``ACCOUNT/LEAF/FRAME-RECOMMITS.jpg`` in a folder: names of numbers, which follow from what
identifies a frame on the farm. A frame that is rendered again has another name. This layout is stable: other
versions of this package read and write the same folder.

A frame that cannot be shown has no thumbnail, and the log says how many.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import logging
import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from airflow_provider_renderbus.api.text import join_limited, printable
from airflow_provider_renderbus.transfer import thumbnail_program
from airflow_provider_renderbus.transfer.folder import FileStat, SafeFolder, staging_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import BinaryIO

    from airflow_provider_renderbus.transfer.folder import Parts

log = logging.getLogger(__name__)

PICTURE_SUFFIXES = (".bmp", ".exr", ".jpeg", ".jpg", ".png", ".tga", ".tif", ".tiff", ".webp")
MAX_SECONDS = 300.0
"""Seconds that the thumbnails of one download may take."""
MAX_FILE_BYTES = 2**30
MAX_CRASHES = 3
"""Frames in a row that crash the decoder, after which a download writes no more thumbnails."""
_MAX_REPLY_BYTES = 2**20
# What Python and its libraries need. Other variables can hold connections and keys.
_PASSED_ENV = {"HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "PYTHONUSERBASE"}
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_MAX_NAMES = 3
_KILL_SECONDS = 5.0


def thumbnail_parts(
    account: tuple[str, str, int | str], leaf_id: int, frame_id: int, recommits: int
) -> Parts:
    """Return the path of a thumbnail in the folder of thumbnails.

    :param account: domain, AccessID and platform of the connection.
    """
    digest = hashlib.sha256(" ".join(map(str, account)).encode()).hexdigest()[:12]
    return digest, str(leaf_id), f"{frame_id}-{recommits}.jpg"


class Thumbnail(NamedTuple):
    """A thumbnail to write.

    :param parts: its path in the folder of thumbnails.
    :param frame: the path of the frame in the folder of the download.
    :param is_new: whether the frame has just been downloaded, so that an earlier thumbnail is outdated.
    """

    parts: Parts
    frame: Parts
    is_new: bool


def write_thumbnails(
    folder: Path,
    frames_folder: Path,
    thumbnails: Iterable[Thumbnail],
    subject: str,
    *,
    is_final: bool = True,
    is_cancelled: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
    program: str = thumbnail_program.__file__,
) -> None:
    """Write the thumbnails that are missing or outdated, one after another.

    :param folder: of thumbnails, created if missing.
    :param frames_folder: the folder of the download.
    :param subject: what the frames are of, for the log.
    :param is_final: whether no other download of the render follows. If not, only new frames are mentioned
        in the log: the others have been.
    :param clock: seconds that only ever grow.
    :param program: path of the program that shrinks frames.
    :raises Exception: no more can be written, for example because the disk is full.
    """
    if importlib.util.find_spec("PIL") is None:
        log.warning(
            "%s: no thumbnails, because Pillow is missing on this worker: install "
            "airflow-provider-renderbus[wall]",
            subject,
        )
        return
    started_at = clock()
    written, problems = 0, _Problems()
    with SafeFolder(folder) as target, SafeFolder(frames_folder) as frames:
        missing = [each for each in thumbnails if each.is_new or target.stat(each.parts) is None]
        if not missing:
            return
        # Frames that were tried before come last, so that slow ones do not use up the time each time.
        missing.sort(key=lambda each: not each.is_new)
        with staging_folder(folder) as (staging, _), _Program(program) as shrinker:
            for each in missing:
                if is_cancelled():
                    break
                if clock() - started_at > MAX_SECONDS:
                    problems.add(f"left to the next download after {MAX_SECONDS:.0f} s", each)
                    continue
                try:
                    with frames.open_file(each.frame) as file:
                        content = shrinker.shrink(file)
                except (OSError, thumbnail_program.NoThumbnail) as error:
                    if is_final or each.is_new:
                        problems.add(getattr(error, "strerror", None) or str(error), each)
                    continue
                name = each.parts[-1]
                (staging.path / name).write_bytes(content)
                target.move_in(staging, (name,), each.parts, FileStat(len(content), None))
                written += 1
    seconds = clock() - started_at
    log.info("%s: wrote %s thumbnails to %s in %.1f s", subject, f"{written:,}", folder, seconds)
    if problems:
        log.warning("%s: %s of %s frames have no thumbnail: %s", subject, *problems.texts(len(missing)))


class _Problems:
    """Why frames have no thumbnail: numbers and a few names for each reason."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._names)

    def add(self, reason: str, thumbnail: Thumbnail) -> None:
        self._names.setdefault(reason, []).append(thumbnail.frame[-1])

    def texts(self, total: int) -> tuple[str, str, str]:
        reasons = [
            f"{printable(reason, 200)}: {len(names):,} ({', '.join(map(printable, names[:_MAX_NAMES]))})"
            for reason, names in self._names.items()
        ]
        return f"{sum(map(len, self._names.values())):,}", f"{total:,}", join_limited(reasons)


class _Program:
    """Runs :mod:`.thumbnail_program`, and starts it again if a frame has crashed it or took too long."""

    def __init__(self, path: str = thumbnail_program.__file__) -> None:
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._crashes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def shrink(self, file: BinaryIO) -> bytes:
        """Return a frame as a small JPEG.

        :raises NoThumbnail: it cannot be shown.
        :raises RuntimeError: too many frames in a row have crashed the program.
        """
        if os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:
            raise thumbnail_program.NoThumbnail(f"larger than {MAX_FILE_BYTES // 2**30} GB")
        connection = self._socket or self._start()
        try:
            socket.send_fds(connection, [b"f"], [file.fileno()])
            reply = _receive(connection, thumbnail_program.REPLY.size)
            is_jpeg, size = thumbnail_program.REPLY.unpack(reply)
            if size > _MAX_REPLY_BYTES:
                raise OSError("too long a reply")  # noqa: TRY301 - treated as a crash
            content = _receive(connection, size)
        except OSError:
            self._stop()
            self._crashes += 1
            problem = f"crashed the decoder or took longer than {thumbnail_program.MAX_SECONDS} s"
            if self._crashes >= MAX_CRASHES:
                raise RuntimeError(f"{self._crashes} frames in a row {problem}") from None
            raise thumbnail_program.NoThumbnail(problem) from None
        self._crashes = 0
        if not is_jpeg:
            raise thumbnail_program.NoThumbnail(content.decode(errors="replace"))
        return content

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.settimeout(thumbnail_program.MAX_SECONDS + _KILL_SECONDS)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - a list, no shell
                [sys.executable, "-P", self._path],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _PASSED_ENV & os.environ.keys()} | _ONE_THREAD,
                start_new_session=True,
            )
        self._socket = ours
        return ours

    def _stop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.kill()
            # A process that waits for a file server cannot be killed.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_KILL_SECONDS)
        self._process = self._socket = None


def _receive(connection: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        chunk = connection.recv(size - len(content))
        if not chunk:
            raise ConnectionError("closed")
        content += chunk
    return content
