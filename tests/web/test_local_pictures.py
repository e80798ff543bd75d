"""Thumbnails that downloads have written: read only below the allowed folders, and never as they are."""

from __future__ import annotations

import asyncio
import io
import os
import threading

import pytest
from PIL import Image

from airflow_provider_renderbus.clients.pictures import MAX_PICTURE_BYTES, PictureError
from airflow_provider_renderbus.clients.settings import Settings
from airflow_provider_renderbus.transfer.thumbnails import thumbnail_parts
from airflow_provider_renderbus.web.leaf_frames import FrameKey
from airflow_provider_renderbus.web.local_pictures import LocalPictures, local_pictures
from airflow_provider_renderbus.web.pictures import Pictures
from tests.web.test_pictures import FakeFarm, huge_png, jpeg

SETTINGS = Settings(domain="task.renderbus.com", access_id="id", access_key="key", platform=2)
FRAME = FrameKey(901, 0, 35000001)


class FarmWithSettings(FakeFarm):
    """A farm that has no picture, of a connection."""

    settings = SETTINGS

    def __init__(self, path=(), body=b""):
        super().__init__(list(path), body)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "studio" / "thumbnails"


@pytest.fixture
def path(folder):
    """The path of the frame's thumbnail."""
    path = folder.joinpath(*thumbnail_parts((SETTINGS.domain, SETTINGS.access_id, 2), 35000001, 901, 0))
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def show(folder, time):
    """Returns the picture of a frame as the wall shows it."""

    async def show(roots=None, frame=FRAME):
        local = local_pictures(str(folder), str(folder.parent) if roots is None else roots)
        return await Pictures(FarmWithSettings(), time, local).picture(frame)

    return show


def colour(content):
    return Image.open(io.BytesIO(content), formats=["JPEG"]).getpixel((9, 9))


async def test_picture_that_the_farm_does_not_have_is_the_local_one(show, path):
    path.write_bytes(jpeg("blue", comment=b"<script>") + b"<script>trailing bytes</script>")
    shown = await show()
    assert colour(shown) == (0, 0, 254)
    assert b"script" not in shown


async def test_picture_that_the_farm_has_comes_first(path, folder, time):
    path.write_bytes(jpeg("blue"))
    farm = FarmWithSettings(["/a.jpg"], jpeg("red"))
    local = local_pictures(str(folder), str(folder))
    assert colour(await Pictures(farm, time, local).picture(FRAME)) == (254, 0, 0)


async def test_sprite_has_local_pictures(path, folder, time):
    path.write_bytes(jpeg("blue"))
    pictures = Pictures(FarmWithSettings(), time, local_pictures(str(folder), str(folder)))
    sprite = await pictures.sprite([FRAME, FRAME._replace(id=902)])
    assert sprite.has_picture == [True, False]
    assert colour(sprite.jpeg) == (0, 0, 254)


@pytest.mark.parametrize(
    "frame", [FRAME._replace(recommits=1), FRAME._replace(id=902), FRAME._replace(leaf_id=1)]
)
async def test_frame_that_is_rendered_again_does_not_show_the_old_picture(show, path, frame):
    path.write_bytes(jpeg("blue"))
    assert await show(frame=frame) is None


async def test_local_picture_of_another_account_is_not_shown(path, folder, time):
    path.write_bytes(jpeg("blue"))
    farm = FarmWithSettings()
    farm.settings = Settings(domain="task.renderbus.com", access_id="other", access_key="key", platform=2)
    assert await Pictures(farm, time, local_pictures(str(folder), str(folder))).picture(FRAME) is None


@pytest.mark.parametrize(
    "roots", ["", " , ", "studio", "/studio-of-another", "/nowhere", "{folder}-2", "{folder}/deeper"]
)
async def test_local_picture_outside_the_roots_is_not_shown(show, path, folder, roots):
    path.write_bytes(jpeg("blue"))
    assert await show(roots=roots.format(folder=folder)) is None


@pytest.mark.parametrize("roots", ["{folder}", "/nowhere, {folder}/", "{folder}/..", "/"])
async def test_local_picture_below_one_of_the_roots_is_shown(show, path, folder, roots):
    path.write_bytes(jpeg("blue"))
    assert await show(roots=roots.format(folder=folder)) is not None


async def test_local_picture_below_a_linked_root_is_shown(path, tmp_path, time):
    """A mount point is often a link."""
    path.write_bytes(jpeg("blue"))
    link = tmp_path / "mnt"
    link.symlink_to(tmp_path / "studio")
    local = local_pictures(f"{link}/thumbnails", str(link))
    assert await Pictures(FarmWithSettings(), time, local).picture(FRAME) is not None


@pytest.mark.parametrize(
    "kind",
    ["link out", "link to ..", "linked folder", "hard link", "folder", "pipe", "device", "dangling", "loop"],
)
async def test_local_picture_that_leads_out_or_is_no_file_is_not_shown(show, path, folder, tmp_path, kind):
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(jpeg("red"))
    match kind:
        case "link out":
            path.symlink_to(secret)
        case "link to ..":
            path.symlink_to("../../../../secret.jpg")
        case "linked folder":
            path.parent.rmdir()
            (tmp_path / "elsewhere").mkdir()
            (tmp_path / "elsewhere" / path.name).write_bytes(jpeg("red"))
            path.parent.symlink_to(tmp_path / "elsewhere")
        case "hard link":
            path.hardlink_to(secret)
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "dangling":
            path.symlink_to(folder / "none")
        case "loop":
            path.symlink_to(path)
    assert await asyncio.wait_for(show(), 10.0) is None


async def test_local_picture_behind_a_link_within_the_roots_is_shown(show, path, folder):
    other = folder.parent / "other.jpg"
    other.write_bytes(jpeg("blue"))
    path.symlink_to(other)
    assert await show() is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!doctype html><script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        jpeg()[:300],
        huge_png(),
        jpeg() + bytes(MAX_PICTURE_BYTES),
    ],
)
async def test_local_picture_that_is_none_is_not_shown(show, path, content):
    path.write_bytes(content)
    assert await show() is None


async def test_local_picture_with_thousands_of_scans_is_not_decoded(show, path):
    """Each scan of a few bytes is decoded for all pixels, which would take minutes."""
    buffer = io.BytesIO()
    Image.new("L", (3_000, 3_000)).save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    path.write_bytes(content)
    assert await show() is not None
    scan = content[content.rindex(b"\xff\xda") : -2]
    path.write_bytes(content[:-2] + 10_000 * scan + content[-2:])
    assert await show() is None


async def test_local_picture_that_comes_later_is_shown_within_a_minute(path, folder, time):
    """Although the farm is asked less and less often."""
    farm = FarmWithSettings()
    pictures = Pictures(farm, time, local_pictures(str(folder), str(folder)))
    for _ in range(120):
        assert await pictures.picture(FRAME) is None
        time.now += 61.0
    assert farm.calls < 12
    path.write_bytes(jpeg("blue"))
    assert await pictures.picture(FRAME) is not None


async def test_local_picture_out_of_the_cache_is_read_again_without_asking_the_farm(
    path, folder, time, monkeypatch
):
    monkeypatch.setattr("airflow_provider_renderbus.web.pictures.MAX_PICTURE_BYTES", 0)
    path.write_bytes(jpeg("blue"))
    farm = FarmWithSettings()
    pictures = Pictures(farm, time, local_pictures(str(folder), str(folder)))
    for _ in range(3):
        assert colour(await pictures.picture(FRAME)) == (0, 0, 254)
    assert farm.calls == 1


async def test_local_picture_of_a_hanging_file_server_is_skipped(folder):
    released = threading.Event()

    class HangingPictures(LocalPictures):
        def _read(self, parts):
            released.wait(60.0)

    with pytest.raises(PictureError, match="TimeoutError"):
        await HangingPictures(folder, [folder], 0.05).read(SETTINGS, FRAME)
    released.set()


def test_relative_folders_are_refused_with_the_reason(caplog):
    assert local_pictures("thumbnails", "/mnt") is None
    assert local_pictures("/mnt/thumbnails", "mnt") is None
    assert "[renderbus] thumbnails_folder: must be absolute paths, got 'thumbnails'" in caplog.text
    assert "[renderbus] frames_roots: must be absolute paths, got 'mnt'" in caplog.text
