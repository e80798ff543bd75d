"""Thumbnails of downloaded frames: what is written where, and what is omitted without harm."""

from __future__ import annotations

import io
import logging
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from airflow_provider_renderbus.transfer import thumbnail_program, thumbnails as module
from airflow_provider_renderbus.transfer.thumbnails import Thumbnail, thumbnail_parts, write_thumbnails

ACCOUNT = ("task.renderbus.com", "id", 2)


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    return folder


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "thumbnails"


@pytest.fixture
def write(folder, frames, caplog):
    """Writes the thumbnails of files, whose frames have the ids 1, 2, 3…; returns the log."""
    caplog.set_level(logging.INFO)

    def write(*names, is_new=False, recommits=0, **options):
        caplog.clear()
        selected = [
            Thumbnail(thumbnail_parts(ACCOUNT, 7, number, recommits), (name,), is_new)
            for number, name in enumerate(names, 1)
        ]
        write_thumbnails(folder, frames, selected, "Render 35", **options)
        return caplog.text

    return write


def save(path, colour):
    Image.new("RGB", (64, 36), colour).save(path)


def written(folder):
    """The colour of each thumbnail; fails for anything else in the folder."""
    return {
        path.name: Image.open(io.BytesIO(path.read_bytes()), formats=["JPEG"]).getpixel((9, 9))
        for path in sorted(folder.rglob("*"))
        if not path.is_dir()
    }


def test_thumbnail_parts_are_the_layout_that_other_versions_read():
    assert thumbnail_parts(ACCOUNT, 35000001, 901, 2) == ("b95882a4c9d5", "35000001", "901-2.jpg")


def test_thumbnail_parts_differ_between_accounts():
    assert len({thumbnail_parts((*ACCOUNT[:2], platform), 7, 1, 0) for platform in (1, 2)}) == 2


def test_write_thumbnails_writes_one_per_frame(write, folder, frames):
    save(frames / "a.png", "red")
    save(frames / "b.png", "blue")
    assert "Render 35: wrote 2 thumbnails" in write("a.png", "b.png")
    assert written(folder) == {"1-0.jpg": (254, 0, 0), "2-0.jpg": (0, 0, 254)}
    assert [path.parent.name for path in folder.rglob("*.jpg")] == ["7", "7"]


def test_write_thumbnails_again_writes_new_frames_only(write, folder, frames):
    save(frames / "a.png", "red")
    write("a.png")
    save(frames / "a.png", "blue")
    assert write("a.png") == ""
    assert written(folder) == {"1-0.jpg": (254, 0, 0)}
    write("a.png", is_new=True)
    assert written(folder) == {"1-0.jpg": (0, 0, 254)}


def test_write_thumbnails_of_recommitted_frame_has_another_name(write, folder, frames):
    save(frames / "a.png", "red")
    write("a.png")
    save(frames / "a.png", "blue")
    write("a.png", recommits=1)
    assert written(folder) == {"1-0.jpg": (254, 0, 0), "1-1.jpg": (0, 0, 254)}


def test_write_thumbnails_bad_frames_are_counted_once_and_omitted(write, folder, frames):
    save(frames / "good.png", "red")
    for name in ("x1.jpg", "x2.jpg", "x3.jpg", "x4.jpg"):
        (frames / name).write_bytes(b"<!doctype html>")
    (frames / "deep.exr").write_bytes(b"\x76\x2f\x31\x01\x02\x08\x00\x00")
    text = write("x1.jpg", "x2.jpg", "good.png", "x3.jpg", "x4.jpg", "deep.exr", "none.png")
    assert "wrote 1 thumbnails" in text
    (warning,) = [line for line in text.splitlines() if "WARNING" in line]
    assert (
        "Render 35: 6 of 7 frames have no thumbnail: no picture of a known format: 4 (x1.jpg, x2" in warning
    )
    assert "a deep EXR file: 1 (deep.exr)" in warning
    assert "No such file or directory: 1 (none.png)" in warning
    assert written(folder) == {"3-0.jpg": (254, 0, 0)}


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "hard link", "link of a folder"])
def test_write_thumbnails_reads_regular_files_of_the_folder_only(write, folder, frames, tmp_path, kind):
    save(tmp_path / "secret.png", "red")
    path, name = frames / "a.png", "a.png"
    match kind:
        case "link":
            path.symlink_to(tmp_path / "secret.png")
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "hard link":
            path.hardlink_to(tmp_path / "secret.png")
        case _:
            (frames / "out").symlink_to(tmp_path)
            name = "out"
    parts = ("out", "secret.png") if name == "out" else (name,)
    write_thumbnails(folder, frames, [Thumbnail(thumbnail_parts(ACCOUNT, 7, 1, 0), parts, True)], "Render 35")
    assert written(folder) == {}


def test_write_thumbnails_writes_through_no_link(write, folder, frames, tmp_path):
    save(frames / "a.png", "red")
    (folder / ACCOUNT_FOLDER).mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (folder / ACCOUNT_FOLDER / "7").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Exception, match="a link or a file is in place"):
        write("a.png")
    assert list((tmp_path / "elsewhere").iterdir()) == []


ACCOUNT_FOLDER = thumbnail_parts(ACCOUNT, 7, 1, 0)[0]


def test_write_thumbnails_removes_what_a_killed_worker_left(write, folder, frames):
    save(frames / "a.png", "red")
    left = folder / ".renderbus-killed"
    (left / "files").mkdir(parents=True)
    (left / "files" / "9-0.jpg").write_bytes(b"half a JPEG")
    os.utime(left, (1_000_000, 1_000_000))
    write("a.png")
    assert list(written(folder)) == ["1-0.jpg"]
    assert not left.exists()


@pytest.fixture
def crashing_program(tmp_path):
    """A program that the file "crash" ends."""
    program = tmp_path / "program.py"
    source = Path(thumbnail_program.__file__).read_text("utf-8")
    first = "    start = file.read(8)\n"
    crash = f"{first}    if start.startswith(b'crash'):\n        os.kill(os.getpid(), signal.SIGSEGV)\n"
    program.write_text(source.replace(first, crash), "utf-8")
    return str(program)


def test_write_thumbnails_starts_the_program_again_after_a_crash(write, folder, frames, crashing_program):
    """A frame that kills its decoder costs one thumbnail."""
    names = [f"{kind}{at}.png" for at in range(4) for kind in ("bad", "good")]
    for name in names:
        if name.startswith("bad"):
            (frames / name).write_bytes(b"crash")
        else:
            save(frames / name, "red")
    text = write(*names, program=crashing_program)
    assert "4 of 8 frames have no thumbnail: crashed the decoder or took longer than 30 s: 4 (bad0" in text
    assert list(written(folder)) == ["2-0.jpg", "4-0.jpg", "6-0.jpg", "8-0.jpg"]


def test_write_thumbnails_ends_after_crashes_in_a_row(write, folder, frames, crashing_program):
    names = [f"bad{at}.png" for at in range(4)]
    for name in names:
        (frames / name).write_bytes(b"crash")
    with pytest.raises(RuntimeError, match="3 frames in a row crashed the decoder"):
        write(*names, program=crashing_program)
    assert written(folder) == {}


def test_write_thumbnails_starts_with_new_frames(write, folder, frames, crashing_program):
    """Frames that were tried in vain before keep no new one away."""
    (frames / "bad.png").write_bytes(b"crash")
    save(frames / "new.png", "red")
    old = [Thumbnail(thumbnail_parts(ACCOUNT, 7, at, 0), ("bad.png",), False) for at in range(3)]
    new = Thumbnail(thumbnail_parts(ACCOUNT, 7, 9, 0), ("new.png",), True)
    with pytest.raises(RuntimeError):
        write_thumbnails(folder, frames, [*old, new], "Render 35", program=crashing_program)
    assert list(written(folder)) == ["9-0.jpg"]


def test_write_thumbnails_takes_limited_time(write, folder, frames):
    now = iter(range(0, 10_000, 200))
    for name in ("a.png", "b.png", "c.png"):
        save(frames / name, "red")
    text = write("a.png", "b.png", "c.png", clock=lambda: next(now))
    assert "left to the next download after 300 s: 2 (b.png, c.png)" in text
    assert list(written(folder)) == ["1-0.jpg"]


def test_write_thumbnails_of_cancelled_download_stops(write, folder, frames):
    save(frames / "a.png", "red")
    write("a.png", is_cancelled=lambda: True)
    assert written(folder) == {}


def test_write_thumbnails_without_pillow_says_so(write, frames, monkeypatch):
    save(frames / "a.png", "red")
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    assert "Pillow is missing on this worker: install airflow-provider-renderbus[wall]" in write("a.png")


def test_thumbnail_program_ends_with_its_worker():
    """Also after SIGKILL: its socket is closed then."""
    code = (
        "import os, sys; from airflow_provider_renderbus.transfer.thumbnails import _Program\n"
        "program = _Program(); program._start(); print(program._process.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as worker:
        pid = int(worker.stdout.readline())
        watch = os.pidfd_open(pid)
        worker.send_signal(signal.SIGKILL)
    assert select.select([watch], [], [], 30.0)[0]
    os.close(watch)


def test_thumbnail_program_runs_on_a_worker_with_less_memory(frames):
    save(frames / "a.png", "red")
    code = (
        "import resource, sys; from airflow_provider_renderbus.transfer.thumbnails import _Program\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))\n"
        "with _Program() as program, open(sys.argv[1], 'rb') as file:\n"
        "    sys.stdout.buffer.write(program.shrink(file))"
    )
    content = subprocess.check_output([sys.executable, "-c", code, frames / "a.png"])
    assert Image.open(io.BytesIO(content), formats=["JPEG"]).size == (64, 36)


def test_thumbnail_program_gets_no_secret(write, frames, monkeypatch, folder):
    monkeypatch.setenv("AIRFLOW_CONN_RENDERBUS_DEFAULT", "renderbus://id:key@")
    with module._Program() as program:
        program._start()
        assert b"AIRFLOW" not in Path(f"/proc/{program._process.pid}/environ").read_bytes()
