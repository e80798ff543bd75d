from __future__ import annotations

import io
import os
import signal
import subprocess
import sys

import pytest

from airflow_provider_renderbus.farm.server.server import Server
from airflow_provider_renderbus.farm.storage import location
from airflow_provider_renderbus.farm.transmitter.command import main
from tests.farm.transmitter.files import IDS, flags, write

PROGRAM = [sys.executable, "-m", "airflow_provider_renderbus.farm.transmitter.command"]


@pytest.fixture
def storage(tmp_path):
    root = tmp_path / "farm"
    for kind, bid in IDS.items():
        (root / kind / f"{bid}-100001").mkdir(parents=True)
    return root


@pytest.fixture
def port(storage):
    """Port of a server that returns the location of the storage, like a farm."""

    def respond(target, host):
        assert (target, host) == (location.PATH, f"127.0.0.1:{server.port}")
        return 200, {}, location.build_answer(storage)

    server = Server(("127.0.0.1", 0), lambda *_: (404, {}, b""), respond)
    yield server.port
    server.close()


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


@pytest.fixture
def run(port, monkeypatch, capsys):
    """Runs the command in this process; returns exit code, output lines after the prompt, and errors."""

    def run(*args, answer="y\n", **overrides):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO()))
        monkeypatch.setattr("sys.stderr", io.TextIOWrapper(io.BytesIO()))
        before = signal.getsignal(signal.SIGTERM)
        try:
            code = main(flags(*args, **({"P": port} | overrides)))
        except SystemExit as exit_error:
            code = exit_error.code
        finally:
            signal.signal(signal.SIGTERM, before)
        outputs = []
        for stream in (sys.stdout, sys.stderr):
            stream.seek(0)
            outputs.append(stream.read())
        return code, outputs[0].splitlines()[1:], outputs[1]

    return run


@pytest.fixture
def start(port, tmp_path):
    """Starts the command as a process."""
    started = []

    def start(*args, program=PROGRAM, port=port, **environment):
        process = subprocess.Popen(
            [*program, *flags(*args, P=port)],
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
