"""Thumbnails in the page of a report: small, of picture files only, and never a reason to fail."""

import base64
import io
import sys

import pytest
from PIL import Image

from airflow_provider_renderbus.reports import report
from airflow_provider_renderbus.reports.html import MAX_PICTURE_BYTES
from airflow_provider_renderbus.reports.thumbnails import MAX_BYTES, WIDTH, data_uri


def picture(kind="PNG", size=(640, 360)):
    buffer = io.BytesIO()
    Image.effect_noise(size, 90).convert("RGB").save(buffer, kind)
    return buffer.getvalue()


def decoded(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2])))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP"])
def test_thumbnail_is_a_small_picture(kind, tmp_path):
    path = tmp_path / "frame"
    path.write_bytes(picture(kind))
    for source in (path, str(path), path.read_bytes()):
        uri = data_uri(source)
        assert decoded(uri).size == (WIDTH, WIDTH * 360 // 640)
        assert len(uri) < MAX_BYTES * 4 / 3 + 100


@pytest.fixture
def no_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)


def test_thumbnail_without_pillow_is_embedded_if_small(no_pillow):
    small = b"\x89PNG\r\n\x1a\n" + bytes(100)
    assert data_uri(small) == f"data:image/png;base64,{base64.b64encode(small).decode()}"
    assert data_uri(small + bytes(MAX_BYTES)) is None
    assert data_uri(b"<svg onload='alert(1)'/>") is None


@pytest.mark.parametrize("source", [b"", b"no picture", "/no/such/file.png", 7])
def test_thumbnail_that_cannot_be_read_is_left_out(source, caplog):
    assert data_uri(source) is None
    assert "A thumbnail was left out" in caplog.text


def test_report_shows_thumbnail_beside_its_render_and_bounds_their_size():
    frame = picture()
    results = [{"render_task_id": each, "name": f"sh{each}", "state": "FINISHED"} for each in range(1, 301)]
    assert report(results, thumbnails={7: frame}).html.count("<img ") == 1
    assert report(results, thumbnails={"7": frame, "x": frame, None: frame}).html.count("<img ") == 1
    everything = report(results, thumbnails=dict.fromkeys(range(1, 301), frame)).html
    assert 50 < everything.count("<img ") <= 300
    assert len(everything) < MAX_PICTURE_BYTES + 1_000_000
    assert "<img" not in report(results).html
