"""Pictures of frames: where they come from, what is refused, and how often the farm is asked."""

from __future__ import annotations

import asyncio
import io
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from airflow_provider_renderbus.clients.pictures import MAX_PICTURE_BYTES, PictureError, PictureTransport
from airflow_provider_renderbus.clients.settings import Settings
from airflow_provider_renderbus.web import pictures as pictures_module
from airflow_provider_renderbus.web.farm_view import Activity
from airflow_provider_renderbus.web.leaf_frames import FrameKey
from airflow_provider_renderbus.web.pictures import SPRITE_COLUMNS, TILE, Pictures
from tests.farm.raw_client import job


def jpeg(colour="red", size=(320, 180), **options):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def huge_png():
    """A PNG of a few kilobytes that claims 16 million pixels."""
    header = (4_000).to_bytes(4, "big") * 2 + bytes((8, 2, 0, 0, 0))
    chunks = b""
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")):
        chunks += len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + chunks


RESPONSES = {
    "/good.jpg": (200, {"Content-Type": "image/jpeg"}, jpeg()),
    "/typed.jpg": (200, {"Content-Type": "Image/JPEG; charset=x"}, jpeg()),
    "/moved.jpg": (302, {"Location": "/good.jpg"}, b""),
    "/loop.jpg": (302, {"Location": "/loop.jpg"}, b""),
    "/away.jpg": (302, {"Location": "http://127.0.0.2:1/good.jpg"}, b""),
    "/file.jpg": (302, {"Location": "file:///etc/passwd"}, b""),
    "/user.jpg": (302, {"Location": "http://user@{host}/good.jpg"}, b""),
    "/long.jpg": (302, {"Location": "/" + "a" * 5_000}, b""),
    "/html.jpg": (200, {"Content-Type": "text/html"}, b"<script>alert(1)</script>"),
    "/svg.jpg": (200, {"Content-Type": "image/svg+xml"}, b"<svg/>"),
    "/none.jpg": (404, {"Content-Type": "image/jpeg"}, jpeg()),
    "/large.jpg": (200, {"Content-Type": "image/jpeg"}, bytes(MAX_PICTURE_BYTES + 1)),
    "/gzip.jpg": (200, {"Content-Type": "image/jpeg", "Content-Encoding": "br"}, jpeg()),
}


@pytest.fixture(scope="module")
def server():
    """Serves the responses; yields its settings."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers, body = RESPONSES[self.path.partition("?")[0]]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value.replace("{host}", self.headers["Host"]))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    domain = f"127.0.0.1:{running.server_port}"
    yield Settings(domain=domain, access_id="id", access_key="key", protocol="http")
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
async def transport(server):
    transport = PictureTransport(server)
    yield transport
    await transport.close()


@pytest.mark.parametrize("path", ["/good.jpg", "good.jpg", "//good.jpg", "/typed.jpg", "/moved.jpg"])
async def test_picture_on_the_domain_is_returned(transport, path):
    assert await transport.get(path) == jpeg()


async def test_picture_url_of_the_domain_is_returned(transport, server):
    assert await transport.get(server.url("/good.jpg")) == jpeg()


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/loop.jpg", "redirects"),
        ("/away.jpg", "another domain"),
        ("/file.jpg", "another domain"),
        ("/user.jpg", "another domain"),
        ("/long.jpg", "too long"),
        ("http://127.0.0.2:1/good.jpg", "another domain"),
        ("file:///etc/passwd", "another domain"),
        ("/html.jpg", "text/html"),
        ("/svg.jpg", "image/svg"),
        ("/none.jpg", "404"),
        ("/large.jpg", "ResponseTooLargeError"),
        ("/gzip.jpg", "ContentEncodingError"),
        ("http://[", "another domain"),
        ("/\x00", "no picture"),
    ],
)
async def test_picture_elsewhere_or_of_another_kind_is_refused(transport, path, problem):
    with pytest.raises(PictureError, match=problem):
        await transport.get(path)


class FakeFarm:
    """Responds with the same path for each frame."""

    def __init__(self, path, body):
        self.path, self.body, self.calls = path, body, 0

    async def connect(self):
        return self, self

    async def send(self, _call):
        self.calls += 1
        return self.path

    async def get(self, _path):
        return self.body


@pytest.mark.parametrize(
    ("paths", "body"),
    [
        ([], b""),
        (None, b""),
        ({"a": 1}, b""),
        ([7, None], b""),
        ("", b""),
        (["/a.jpg"], b"no picture"),
        (["/a.jpg"], jpeg()[:300]),
        (["/a.jpg"], huge_png()),
        (["/a.jpg"], b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    ],
)
async def test_picture_that_the_farm_does_not_have_is_asked_for_once_a_minute(time, paths, body):
    farm = FakeFarm(paths, body)
    pictures = Pictures(farm, time)
    for _ in range(5):
        assert await pictures.picture(FrameKey(7, 0, 3)) is None
    assert farm.calls == 1
    time.now += 61.0
    assert await pictures.picture(FrameKey(7, 0, 3)) is None
    assert farm.calls == 2


async def test_picture_that_the_farm_never_has_is_asked_for_less_and_less(time):
    farm = FakeFarm([], b"")
    pictures = Pictures(farm, time)
    for _ in range(24 * 60):
        assert await pictures.picture(FrameKey(7, 0, 3)) is None
        time.now += 60.0
    assert 24 <= farm.calls <= 32


async def test_pictures_are_decoded_one_at_a_time(time, monkeypatch):
    """A few kilobytes can take 80 MB of the API server when they are decoded."""
    encode, running, most = pictures_module._encode, [], []

    def count(data):
        running.append(data)
        most.append(len(running))
        try:
            return encode(data)
        finally:
            running.pop()

    monkeypatch.setattr(pictures_module, "_encode", count)
    pictures = Pictures(FakeFarm(["/a.jpg"], jpeg(size=(2_000, 1_000))), time)
    sprite = await pictures.sprite([FrameKey(each, 0, 3) for each in range(1, 21)])
    assert sprite.is_final
    assert most == [1] * 20


async def test_sprite_that_lacks_a_picture_gets_it_when_the_farm_has_it(time):
    """Farms have the picture of a frame some time after the frame is done."""
    farm = FakeFarm([], jpeg())
    pictures = Pictures(farm, time)
    frames = [FrameKey(7, 0, 3), None]
    sprite = await pictures.sprite(frames)
    assert sprite[1:] == ([False, False], True, False)
    farm.path = ["/a.jpg"]
    time.now += 61.0
    sprite = await pictures.sprite(frames)
    assert sprite[1:] == ([True, False], True, True)


async def test_picture_is_encoded_again_and_fetched_once_for_all(time):
    source = jpeg(size=(3_000, 1_000), comment=b"<script>") + b"<script>trailing bytes</script>"
    farm = FakeFarm(["/a.jpg"], source)
    pictures = Pictures(farm, time)
    (first, *others) = await asyncio.gather(*(pictures.picture(FrameKey(7, 0, 3)) for _ in range(20)))
    assert set(others) == {first}
    assert farm.calls == 1
    assert b"script" not in first
    assert Image.open(io.BytesIO(first)).size == (640, 213)
    await pictures.picture(FrameKey(7, 1, 3))
    assert farm.calls == 2


async def test_sprite_has_the_pictures_of_its_frames(view, client, time):
    render = client.submit(job("sh #1 é.blend", "1-12[1]", width="320", height="180"))
    client.farm.advance(10_000)
    task = (await view.look({render: Activity(False, 0.0)}))[render].task
    frames = (await view.frames(task)).sprite_frames(0)
    pictures = Pictures(view, time)
    sprite = await pictures.sprite([*frames[:6], None, *frames[7:]])
    assert sprite.has_picture == [True] * 6 + [False] + [True] * 5
    assert (sprite.is_complete, sprite.is_final) == (True, True)
    image = Image.open(io.BytesIO(sprite.jpeg))
    assert image.size == (TILE[0] * SPRITE_COLUMNS, TILE[1] * 3)
    second = image.crop((TILE[0], 0, 2 * TILE[0], TILE[1]))
    assert second.getextrema() != ((0, 0),) * 3
    before = client.farm.request_counts["load_frame_thumbnail"]
    assert before == 11
    await pictures.sprite(frames[:6])
    assert client.farm.request_counts["load_frame_thumbnail"] == before
