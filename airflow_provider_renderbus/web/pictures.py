"""The pictures of frames: from the farm, else from downloads; re-encoded, cached, and joined to sprites.

Nothing is served as it came: each picture is decoded and encoded again, which needs Pillow (extra `wall`).
"""

from __future__ import annotations

import asyncio
import importlib.util
import io
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.clients.pictures import PictureError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_renderbus.web.farm_view import FarmView
    from airflow_provider_renderbus.web.leaf_frames import FrameKey
    from airflow_provider_renderbus.web.local_pictures import LocalPictures

log = logging.getLogger(__name__)

HAS_PILLOW = importlib.util.find_spec("PIL") is not None
NO_PILLOW = (
    "Pillow is missing on Airflow's API server, so there are no pictures: install "
    "airflow-provider-renderbus[wall] there"
)
TILE = 160, 90
"""Size of a picture in a sprite, in pixels."""
SPRITE_COLUMNS = 5
MAX_SIZE = 640, 640
"""The largest picture of a frame, in pixels."""
MAX_PIXELS = 10_000_000
"""The largest picture that is decoded, more than 4K. It takes up to 8 bytes of memory a pixel."""
MAX_SCANS = 100
"""The most scans of a progressive JPEG. One of 100 bytes can stand for all pixels, and takes as long."""
MAX_TILE_BYTES, MAX_PICTURE_BYTES = 10 * 2**20, 4 * 2**20
"""Pictures that are cached for a connection, as tiles and as they are shown alone."""
MAX_WITHOUT = 10_000
SECONDS_WITHOUT, MAX_SECONDS_WITHOUT = 60.0, 3_600.0
"""Seconds after which the farm is asked again for a picture that it did not have: twice as many each time."""
SECONDS_PER_SPRITE = 4.0
_MAX_CONCURRENCY = 8
_QUALITY = 82
_FORMATS = ("JPEG", "PNG", "WEBP")
_START_OF_SCAN = b"\xff\xda"


class Sprite(NamedTuple):
    """The pictures of frames as one JPEG, row by row.

    :param has_picture: which of the frames have one.
    :param is_complete: whether each picture was tried.
    :param is_final: whether each frame that is done has its picture.
    """

    jpeg: bytes
    has_picture: list[bool]
    is_complete: bool
    is_final: bool


class Pictures:
    """The pictures of a connection's frames.

    :param farm: the connection.
    :param clock: returns the seconds since 1970.
    :param local: thumbnails that downloads have written, for frames of which the farm has no picture.
    """

    def __init__(
        self, farm: FarmView, clock: Callable[[], float], local: LocalPictures | None = None
    ) -> None:
        self._farm = farm
        self._clock = clock
        self._local = local
        self._slots = asyncio.Semaphore(_MAX_CONCURRENCY)
        # One at a time: a file of some kilobytes can be a picture of `MAX_PIXELS`.
        self._encoding = asyncio.Lock()
        self.clear()

    def clear(self) -> None:
        """Drop all pictures, also those that are being fetched."""
        self._tiles, self._pictures = _ByteCache(MAX_TILE_BYTES), _ByteCache(MAX_PICTURE_BYTES)
        self._without: OrderedDict[FrameKey, _Absence] = OrderedDict()
        self._fetching: dict[FrameKey, asyncio.Task[bytes | None]] = {}

    async def picture(self, frame: FrameKey) -> bytes | None:
        """Return the picture of a frame that is done, as JPEG; None if there is none."""
        if (cached := self._pictures.get(frame)) is not None:
            return cached
        return await self._fetch_shared(frame)

    async def sprite(self, frames: Sequence[FrameKey | None]) -> Sprite:
        """Return the pictures of frames.

        :param frames: None for a frame that is not done.
        """
        tiles: list[bytes | None] = [self._tiles.get(frame) if frame else None for frame in frames]
        missing = [frame for frame, tile in zip(frames, tiles, strict=True) if frame and tile is None]
        tasks = [asyncio.ensure_future(self._fetch_shared(frame)) for frame in missing]
        if tasks:
            await asyncio.wait(tasks, timeout=SECONDS_PER_SPRITE)
            tiles = [self._tiles.get(frame) if frame else None for frame in frames]
        sprite = await asyncio.to_thread(_join, tiles)
        has_picture = [tile is not None for tile in tiles]
        is_final = has_picture == [frame is not None for frame in frames]
        return Sprite(sprite, has_picture, all(task.done() for task in tasks), is_final)

    async def _fetch_shared(self, frame: FrameKey) -> bytes | None:
        """Fetch a picture, once for all who ask for it meanwhile."""
        task = self._fetching.get(frame)
        if task is None:
            if self._clock() < self._without.get(frame, _NO_ABSENCE).next_fetch:
                return None
            fetching = self._fetching
            task = fetching[frame] = asyncio.create_task(self._fetch(frame))
            task.add_done_callback(lambda _: fetching.pop(frame, None))
        return await asyncio.shield(task)

    async def _fetch(self, frame: FrameKey) -> bytes | None:
        pictures, tiles, without = self._pictures, self._tiles, self._without
        before = without.get(frame, _NO_ABSENCE)
        is_farm_due = self._clock() >= before.next_request
        from_farm = await self._fetch_from_farm(frame) if is_farm_due else None
        encoded = from_farm or await self._read_local(frame)
        if from_farm is not None:
            without.pop(frame, None)
        else:
            pause, next_request = before.pause, before.next_request
            now = self._clock()
            if is_farm_due:
                pause = min(max(SECONDS_WITHOUT, 2 * pause), MAX_SECONDS_WITHOUT)
                next_request = now + pause
            next_fetch = min(next_request, now + SECONDS_WITHOUT) if self._local else next_request
            # A local picture is read again as soon as it is out of the cache, without asking the farm.
            without[frame] = _Absence(next_fetch if encoded is None else now, next_request, pause)
            while len(without) > MAX_WITHOUT:
                without.popitem(last=False)
        if encoded is None:
            return None
        large, tile = encoded
        pictures.put(frame, large)
        tiles.put(frame, tile)
        return large

    async def _fetch_from_farm(self, frame: FrameKey) -> tuple[bytes, bytes] | None:
        try:
            async with self._slots:
                client, transport = await self._farm.connect()
                paths = await client.send(calls.load_frame_thumbnail(frame.id))
                data = await transport.get(_first_path(paths))
            return await self._encode(data)
        except (RenderbusError, PictureError, ValueError, TypeError) as error:
            log.debug("Frame %s: no picture: %s", frame.id, error)
            return None

    async def _read_local(self, frame: FrameKey) -> tuple[bytes, bytes] | None:
        settings = self._farm.settings if self._local else None
        if self._local is None or settings is None:
            return None
        try:
            return await self._encode(await self._local.read(settings, frame))
        except PictureError as error:
            log.debug("Frame %s: %s", frame.id, error)
            return None

    async def _encode(self, data: bytes) -> tuple[bytes, bytes]:
        async with self._encoding:
            return await asyncio.to_thread(_encode, data)


class _Absence(NamedTuple):
    """A frame of which the farm has no picture.

    :param next_fetch: when its picture is fetched again, from whichever source.
    :param next_request: when the farm is asked again.
    :param pause: seconds between the last two requests to the farm.
    """

    next_fetch: float
    next_request: float
    pause: float


_NO_ABSENCE = _Absence(0.0, 0.0, 0.0)


class _ByteCache:
    """The pictures that were used last, up to a number of bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        self._pictures: OrderedDict[FrameKey, bytes] = OrderedDict()

    def get(self, key: FrameKey) -> bytes | None:
        if (picture := self._pictures.get(key)) is not None:
            self._pictures.move_to_end(key)
        return picture

    def put(self, key: FrameKey, picture: bytes) -> None:
        self._size += len(picture) - len(self._pictures.pop(key, b""))
        self._pictures[key] = picture
        while self._size > self._max_bytes:
            _, evicted = self._pictures.popitem(last=False)
            self._size -= len(evicted)


def _first_path(paths: Any) -> str:
    """Return the first path of those that the farm has responded with."""
    path = next((each for each in paths if isinstance(each, str) and each), None) if paths else None
    if path is None:
        raise PictureError("the farm has none")
    return path


def _encode(data: bytes) -> tuple[bytes, bytes]:
    """Return a picture as a JPEG of at most `MAX_SIZE`, and as a tile of a sprite.

    :raises PictureError: it cannot be decoded, or is too large.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
            is_too_large = opened.width * opened.height > MAX_PIXELS
            if opened.format in {"JPEG", "MPO"} and data.count(_START_OF_SCAN) > MAX_SCANS:
                raise ValueError("too many scans")  # noqa: TRY301 - as any broken file
            opened.draft("RGB", MAX_SIZE)
            picture = Image.new("RGB", (1, 1)) if is_too_large else opened.convert("RGB")
    except Exception as error:  # noqa: BLE001 - decoders have exceptions of all kinds for broken files
        raise PictureError(f"cannot be decoded ({type(error).__name__})") from None
    if is_too_large:
        raise PictureError(f"must have at most {MAX_PIXELS} pixels")
    picture.info.clear()  # such as a comment, which would be saved
    picture.thumbnail(MAX_SIZE)
    tile = ImageOps.fit(picture, TILE)
    return _to_jpeg(picture), _to_jpeg(tile)


def _join(tiles: Sequence[bytes | None]) -> bytes:
    """Return the sprite of tiles."""
    from PIL import Image

    width, height = TILE
    rows = -(-len(tiles) // SPRITE_COLUMNS)
    sprite = Image.new("RGB", (width * SPRITE_COLUMNS, height * rows))
    for at, tile in enumerate(tiles):
        if tile is not None:
            with Image.open(io.BytesIO(tile), formats=["JPEG"]) as picture:
                sprite.paste(picture, (at % SPRITE_COLUMNS * width, at // SPRITE_COLUMNS * height))
    return _to_jpeg(sprite)


def _to_jpeg(picture: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
