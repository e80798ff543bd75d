"""The transfer command: what it copies, says and ends with, and that nothing leaves the storage."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_renderbus.farm import enclosure
from airflow_provider_renderbus.farm.enrolment import STORAGE_VARIABLE, enrolled, storage_of
from airflow_provider_renderbus.farm.transmitter.command import main
from airflow_provider_renderbus.farm.transmitter.plan import server_path

PROGRAM = [sys.executable, "-m", "airflow_provider_renderbus.farm.transmitter.command"]
IDS = {"input": "10201", "output": "20201", "config": "30201"}
PORT = 8899


@pytest.fixture
def storage(tmp_path, monkeypatch):
    root = tmp_path / "farm"
    for kind, bid in IDS.items():
        (root / kind / f"{bid}-100001").mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with enrolled("127.0.0.1", PORT, root):
        yield root


@pytest.fixture
def inputs(storage):
    return storage / "input" / "10201-100001"


@pytest.fixture
def outputs(storage):
    folder = storage / "output" / "20201-100001"
    for name in ("35000001_sh010/sh010_0001.png", "35000001_sh010/deep/er.png", "35000002_sh020/b.png"):
        write(folder / name, name)
    return folder


@pytest.fixture
def local(tmp_path):
    folder = tmp_path / "local"
    folder.mkdir()
    return folder


def write(path, text="content"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def flags(kind, local, remote, storage="input", keep="true", **more):
    given = {
        "E": "aspera",
        "H": "127.0.0.1",
        "P": PORT,
        "S": IDS[storage],
        "U": 100001,
        "r": 2,
        "K": keep,
        "s": 1048576,
        "C": "None",
        "T": kind,
        "L": local,
        "R": remote,
    } | more
    return [text for flag, value in given.items() for text in (f"-{flag}", str(value))]


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command in this process: its exit code and its lines."""

    def run(*args, answer="y\n", **more):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO()))
        monkeypatch.setattr("sys.stderr", io.TextIOWrapper(io.BytesIO()))
        before = signal.getsignal(signal.SIGTERM)
        try:
            code = main(flags(*args, **more))
        except SystemExit as end:
            code = end.code
        finally:
            signal.signal(signal.SIGTERM, before)
        said = []
        for stream in (sys.stdout, sys.stderr):
            stream.seek(0)
            said.append(stream.read())
        return code, said[0].splitlines()[1:], said[1]

    return run


def content(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_configuration_file_goes_to_its_place(run, storage, local):
    write(local / "task.json", "{}")
    code, lines, errors = run(
        "upload_path", local / "task.json", "/35000001/cfg/task.json", "config", keep="false"
    )
    assert (code, errors) == (0, "")
    assert lines == ["upload is begin", f"upload file done 1/1 2 bytes ({local}/task.json)"]
    assert content(storage / "config" / "30201-100001") == {"35000001/cfg/task.json": "{}"}


def test_assets_go_where_upload_json_says(run, inputs, local):
    names = {"a.blend": "/D/shots/a.blend", "b 'q\" .png": "mnt/b 'q\" .png", "衣帽间.max": "/衣帽间.max"}
    assets = [{"local": str(write(local / name, name)), "server": server} for name, server in names.items()]
    scene = {"local": str(write(local / "s.c4d", "s")), "server": "/s.c4d"}
    upload = write(local / "upload.json", json.dumps({"asset": assets, "scene": scene}))
    code, lines, _ = run("upload_json", upload, "/", keep="false")
    assert code == 0
    assert len([line for line in lines if line.startswith("upload file done ")]) == 4
    expected = {server.lstrip("/"): name for name, server in names.items()}
    assert content(inputs) == expected | {"s.c4d": "s"}


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ("true", {"35000001_sh010/sh010_0001.png", "35000001_sh010/deep/er.png"}),
        ("false", {"sh010_0001.png", "deep/er.png"}),
    ],
)
def test_frames_are_fetched(run, outputs, local, keep, expected):
    code, lines, _ = run("download_path", local / "new", "/35000001_sh010", "output", keep)
    assert code == 0
    assert set(content(local / "new")) == expected
    assert lines[0] == "download is begin"
    assert lines[-1] == "download file done 2/2 29 bytes (/35000001_sh010/sh010_0001.png)"


def test_a_single_frame_is_fetched(run, outputs, local):
    assert run("download_path", local, "35000002_sh020/b.png", "output", "false")[0] == 0
    assert set(content(local)) == {"b.png"}


def test_lists_are_cut(run, inputs, outputs, local):
    paths = [str(write(local / f"{number}.exr")) for number in range(5)]
    listed = write(local / "list.txt", "\n".join(paths) + "\n")
    assert run("upload_list", listed, "/set", keep="false", c="1 3")[0] == 0
    assert set(content(inputs)) == {"set/1.exr", "set/2.exr"}
    assert run("upload_list", listed, "/", c="0 1")[0] == 0
    assert f"{paths[0]}".lstrip("/") in content(inputs)
    wanted = write(local / "wanted.txt", "\ufeff/35000002_sh020\n/35000001_sh010/sh010_0001.png\n/nothing\n")
    assert run("download_list", local / "new", wanted, "output", c="0 2")[0] == 0
    assert set(content(local / "new")) == {"35000002_sh020/b.png", "35000001_sh010/sh010_0001.png"}


@pytest.mark.parametrize(
    ("path", "server"),
    [
        ("D:/shots/a.blend", "D/shots/a.blend"),
        ("D:\\shots\\a.blend", "D/shots/a.blend"),
        ("/mnt/a.blend", "mnt/a.blend"),
        ("\\\\srv\\s\\a", "srv/s/a"),
    ],
)
def test_a_local_path_lies_in_the_storage_by_the_vendors_rule(path, server):
    assert server_path(path) == server


OUTSIDE = [
    "/../escaped",
    "a/../../../escaped",
    "..",
    "link/escaped",
    "file/escaped",
    "line\nbreak",
    "nul\0",
    "a\\..\\escaped",
    "x" * 256,
    "字" * 86,
    "",
    "/",
]


@pytest.mark.parametrize("server", OUTSIDE)
def test_what_would_leave_the_storage_is_refused(run, inputs, storage, local, tmp_path, server):
    (inputs / "link").symlink_to(tmp_path)
    write(inputs / "file")
    good, bad = write(local / "good"), write(local / "bad")
    assets = [{"local": str(bad), "server": server}, {"local": str(good), "server": "good"}]
    before = everything(tmp_path)
    upload = write(local / "upload.json", json.dumps({"asset": assets}))
    code, lines, _ = run("upload_json", upload, "/")
    assert code == 11
    assert [line.split()[2] for line in lines[1:]] == ["fail", "done"]
    assert all(line.startswith("upload ") for line in lines)
    assert everything(tmp_path) - before == {upload, inputs / "good"}


def everything(folder):
    return {path for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("storage_id", ["../..", "10201/..", "", "1 2"])
def test_a_storage_id_is_no_path(run, local, storage_id):
    code, _, errors = run("upload_path", write(local / "a"), "/a", S=storage_id)
    assert code == 255
    assert "-S" in errors


@pytest.mark.parametrize("remote", ["/..", "35000001_sh010/../..", "/link", "35000001_sh010/link"])
def test_nothing_outside_the_storage_is_fetched(run, outputs, local, tmp_path, remote):
    write(tmp_path / "secret" / "key")
    (outputs / "link").symlink_to(tmp_path / "secret")
    (outputs / "35000001_sh010" / "link").symlink_to(tmp_path / "secret" / "key")
    code, lines, _ = run("download_path", local, remote, "output")
    assert code == 11
    assert lines[-1].startswith("download file fail 1/1 ")
    assert content(local) == {}


def test_links_are_left_out_of_a_folder_that_is_fetched(run, outputs, local, tmp_path):
    (outputs / "35000002_sh020" / "key").symlink_to(write(tmp_path / "key"))
    os.mkfifo(outputs / "35000002_sh020" / "pipe")
    code, lines, _ = run("download_path", local, "35000002_sh020", "output")
    assert code == 11
    assert set(content(local)) == {"35000002_sh020/b.png"}
    assert [line.split()[2] for line in lines[1:]] == ["done", "fail", "fail"]


def test_nothing_outside_the_local_folder_is_written(run, outputs, local, tmp_path):
    (local / "35000002_sh020").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    assert run("download_path", local, "35000002_sh020", "output")[0] == 11
    assert content(tmp_path / "elsewhere") == {}


def test_a_link_in_place_of_a_file_is_replaced_and_not_followed(run, inputs, local, tmp_path):
    victim = write(tmp_path / "victim", "safe")
    (inputs / "a").symlink_to(victim)
    assert run("upload_path", write(local / "a", "new"), "/a")[0] == 0
    assert victim.read_text() == "safe"
    assert not (inputs / "a").is_symlink()


def test_files_that_cannot_be_sent_are_told_and_the_others_sent(run, inputs, local):
    os.mkfifo(local / "pipe")
    names = ["missing", "pipe", ".", "there"]
    write(local / "there")
    assets = [{"local": str(local / name), "server": name} for name in names]
    code, lines, _ = run(
        "upload_json", write(local / "u.json", json.dumps({"asset": assets[:2] + assets[3:]})), "/"
    )
    assert code == 11
    assert lines[1:] == [
        f"upload file fail 1/3 No such file or directory ({local}/missing)",
        f"upload file fail 2/3 expected a file, not a folder, a pipe or a device ({local}/pipe)",
        f"upload file done 3/3 7 bytes ({local}/there)",
    ]


def test_a_file_that_changes_meanwhile_is_left(run, inputs, local, monkeypatch):
    write(local / "a", "before")
    sendfile = os.sendfile

    def meanwhile(*args):
        write(local / "a", "longer than before")
        return sendfile(*args)

    monkeypatch.setattr(enclosure.os, "sendfile", meanwhile)
    code, lines, _ = run("upload_path", local / "a", "/a")
    assert code == 10
    assert "it has changed" in lines[1]
    assert everything(inputs) == set()


def test_a_full_disk_leaves_files_for_the_next_run(run, inputs, local, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(enclosure.os, "sendfile", full)
    assert run("upload_path", write(local / "a"), "/a")[0] == 10
    assert everything(inputs) == set()


@pytest.fixture
def ini(local):
    settings = "[database]\non=true\nplatform_id=2\ntype={}\n[sqlite]\ndb_path=db/r.db\ntemporary={}\n"
    return lambda kind="sqlite", temporary="false": write(local / "t.ini", settings.format(kind, temporary))


def test_what_was_sent_before_is_not_sent_again(run, inputs, local, ini):
    write(local / "a", "one")
    args = ("upload_path", local / "a", "/a")
    assert "3 bytes" in run(*args, C=ini())[1][1]
    assert run(*args, C=ini())[:2] == (0, ["upload is begin", f"upload file done 1/1 was there ({local}/a)"])
    assert "3 bytes" in run(*args, C=ini(temporary="true"))[1][1]
    (inputs / "a").unlink()
    assert "3 bytes" in run(*args, C=ini())[1][1]
    write(local / "a", "other")
    assert "5 bytes" in run(*args, C=ini())[1][1]
    assert content(inputs) == {"a": "other"}


def test_a_resume_database_that_cannot_be_used_is_told(run, inputs, local, ini):
    args = ("upload_path", write(local / "a"), "/a")
    assert "expected sqlite" in run(*args, C=ini("redis"))[2]
    assert run(*args, C=local / "missing.ini")[0] == 255
    assert run(*args, C=write(local / "bad.ini", "nothing"))[0] == 255
    write(local / "db" / "r.db", "no database" * 100)
    assert run(*args, C=ini())[0] == 255
    assert content(inputs) == {}


@pytest.mark.parametrize(
    "more", [{"E": "ftp"}, {"P": "x"}, {"K": "yes"}, {"c": "1"}, {"T": "upload"}, {"p": "3"}, {"Z": "1"}]
)
def test_wrong_arguments_end_at_once(run, storage, local, more):
    code, lines, errors = run("upload_path", write(local / "a"), "/a", **more)
    assert (code, lines) == (255, [])
    assert errors.startswith("renderbus-farm-transmitter: ")


def test_a_local_path_that_is_not_there_ends_at_once(run, inputs, local):
    assert run("upload_path", local / "missing", "/a")[0] == 255
    assert run("upload_json", local / "missing", "/")[0] == 255
    assert run("upload_list", local / "missing", "/")[0] == 255
    assert run("download_list", local, local / "missing", "output")[0] == 255
    for text in (
        "{",
        "[]",
        "{}",
        '{"asset": [1]}',
        '{"asset": [{"local": 1, "server": "a"}]}',
        "[" * 100_000,
    ):
        code, _, errors = run("upload_json", write(local / "u.json", text), "/")
        assert (code, "is no upload.json" in errors) == (255, True)


def test_the_question_wants_an_answer(run, inputs, local):
    for answer in ("", "n\n"):
        code, lines, errors = run("upload_path", write(local / "a"), "/a", answer=answer)
        assert (code, lines) == (255, [])
        assert "was not answered" in errors
    assert content(inputs) == {}


def test_ids_that_do_not_go_together_are_wrong(run, storage, local):
    code, _, errors = run("upload_path", write(local / "a"), "/a", U="100002")
    assert code == 9
    assert "do not go together" in errors


def test_faults_come_from_the_environment(run, inputs, local, monkeypatch):
    paths = [str(write(local / name, "twelve bytes")) for name in "abc"]
    args = ("upload_list", write(local / "list", "\n".join(paths)), "/", "input", "false")
    monkeypatch.setenv("RENDERBUS_FARM_TRANSFER_FAULT", "after=1 half exit=0")
    assert run(*args)[0] == 0
    assert content(inputs) == {"a": "twelve bytes", "b": "twelve"}
    monkeypatch.setenv("RENDERBUS_FARM_TRANSFER_FAULT", "exit=11")
    assert run(*args)[:2] == (11, ["upload is begin"])
    monkeypatch.setenv("RENDERBUS_FARM_TRANSFER_FAULT", "exit=1000")
    code, _, errors = run(*args)
    assert code == 255
    assert "expected half, silence, exit=" in errors


def test_faults_in_the_storage_are_counted(run, storage, inputs, local):
    write(storage / "transfer-fault", "exit=10 times=2\n")
    args = ("upload_path", write(local / "a"), "/a")
    assert [run(*args)[0] for _ in range(3)] == [10, 10, 0]
    assert content(inputs) == {"a": "content"}


@pytest.fixture
def start(storage, tmp_path):
    """Start the command as a process of its own, in a group of its own."""
    started = []

    def start(*args, program=PROGRAM, **environment):
        process = subprocess.Popen(
            [*program, *flags(*args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": str(tmp_path)} | environment,
        )
        started.append(process)
        process.stdin.write("y\n")
        process.stdin.close()
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def test_silence_lasts_until_it_is_ended(start, inputs, local):
    process = start("upload_path", write(local / "a"), "/a", RENDERBUS_FARM_TRANSFER_FAULT="silence after=1")
    assert "upload is begin" in process.stdout.readline() + process.stdout.readline()
    assert "upload file done" in process.stdout.readline()
    process.terminate()
    assert process.wait(30) == 143


def test_a_farm_that_does_not_run_is_tried_for_ever(start, local):
    process = start("upload_path", write(local / "a"), "/a", program=PROGRAM, TMPDIR=str(local))
    assert "no farm runs at 127.0.0.1:8899" in process.stderr.readline()
    assert process.poll() is None


@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM"])
def test_a_command_killed_half_way_leaves_no_half_file(start, inputs, local, end):
    code = (
        "import os, signal, sys\n"
        "from airflow_provider_renderbus.farm import enclosure\n"
        "from airflow_provider_renderbus.farm.transmitter import command\n"
        "def stop(target, *_):\n"
        "    os.write(target, b'half')\n"
        f"    os.kill(os.getpid(), signal.{end})\n"
        "    return 4\n"
        "enclosure.os.sendfile = stop\n"
        "sys.exit(command.main())\n"
    )
    process = start("upload_path", write(local / "a"), "/a", program=[sys.executable, "-c", code])
    process.wait(30)
    left = [path.name for path in everything(inputs)]
    assert "a" not in left
    assert all(name.startswith(".unfinished-") for name in left)
    assert len(left) == (1 if end == "SIGKILL" else 0)


def test_only_a_farm_that_runs_is_found(storage, tmp_path, monkeypatch):
    assert storage_of("127.0.0.1", PORT) == storage_of("localhost", PORT) == storage
    assert storage_of("10.0.0.7", PORT) is storage_of("127.0.0.1", 1) is None
    entry = next(tmp_path.glob("renderbus-farms-*/*.json"))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    entry.write_text(json.dumps(json.loads(entry.read_text()) | {"pid": gone.pid}))
    assert storage_of("127.0.0.1", PORT) is None
    monkeypatch.setenv(STORAGE_VARIABLE, "/somewhere")
    assert storage_of("127.0.0.1", PORT) == Path("/somewhere")


def test_a_folder_of_enrolments_open_to_others_is_not_trusted(storage, tmp_path):
    next(tmp_path.glob("renderbus-farms-*")).chmod(0o777)
    with pytest.raises(OSError, match="not this user's alone"):
        storage_of("127.0.0.1", PORT)
