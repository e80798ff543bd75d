"""The farm as a program, and the files in its storage folder."""

from __future__ import annotations

import json
import os
import pty
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from airflow_provider_renderbus.farm import Farm, ManualClock
from tests.farm.raw_client import PROFILE, RawClient, post

PROGRAM = [sys.executable, "-m", "airflow_provider_renderbus.farm"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}


class RemoteClient(RawClient):
    """A client of a farm in another process."""

    def __init__(self, connection):
        super().__init__(self)
        self.connection = lambda: connection
        self.address = f"{connection['host']}:{connection['port']}"

    def code(self):
        with closing(HTTPConnection(self.address, timeout=30)) as http:
            return json.loads(post(http, PROFILE, self.sign(PROFILE, {}), b"{}")[1])["code"]


@pytest.fixture
def start(tmp_path):
    processes = []

    def start(*options, stdout=subprocess.PIPE):
        command = [*PROGRAM, "--port", "0", *options]
        process = subprocess.Popen(
            command, cwd=tmp_path, env=ENVIRONMENT, stdout=stdout, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_program_serves_until_signal(start, tmp_path, signal_number):
    process = start()
    path = tmp_path / "renderbus-farm" / "connections.json"
    assert process.stdout.readline() == f"{path}\n"
    connection = json.loads(path.read_text())["renderbus_default"]
    assert RemoteClient(connection).code() == 200

    process.send_signal(signal_number)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (0, "", "")


def test_program_prints_connection_if_requested(start, tmp_path):
    process = start("--print-connection", "--storage", "storage")
    (export, assignment) = shlex.split(process.stdout.readline())
    name, _, value = assignment.partition("=")
    assert (export, name) == ("export", "AIRFLOW_CONN_RENDERBUS_DEFAULT")
    stored = json.loads((tmp_path / "storage" / "connections.json").read_text())
    assert stored == {"renderbus_default": json.loads(value)}
    assert RemoteClient(json.loads(value)).code() == 200


def test_program_prints_connection_on_terminal(start):
    terminal, program_end = pty.openpty()
    try:
        start(stdout=program_end)
        assert os.read(terminal, 7) == b"export "
    finally:
        os.close(terminal)
        os.close(program_end)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--speed", "0"], "speed: must be from"),
        (["--storage", "/proc/farm"], "/proc/farm"),
        (["--port", "99999"], "port"),
        (["--host", "::1"], "::1 port 0: Address family for hostname not supported; host must be an IPv4"),
    ],
)
def test_program_invalid_option_exits_with_message(start, options, message):
    process = start(*options)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (1, "")
    assert errors.startswith("The farm cannot start: ")
    assert message in errors
    assert "Traceback" not in errors


def mode(path):
    return path.stat().st_mode & 0o777


def test_storage_files_are_private(tmp_path):
    storage = tmp_path / "deep" / "storage"
    with Farm(storage, ManualClock()) as farm:
        assert mode(storage) == 0o700
        assert mode(storage / "account.json") == mode(storage / "connections.json") == 0o600
        assert json.loads((storage / "connections.json").read_text()) == {
            "renderbus_default": farm.connection()
        }
        assert not list(storage.glob(".*"))


def test_connection_has_airflow_fields(farm):
    connection = farm.connection()
    assert connection["conn_type"] == "renderbus"
    assert farm.address == f"{connection['host']}:{connection['port']}"
    assert connection["schema"] == "http"
    assert connection["extra"] == {
        "platform": 2,
        "console_url": f"http://{farm.address}/task/{{render_task_id}}",
        "transfer_command": shutil.which("renderbus-farm-transmitter", path=Path(sys.executable).parent),
    }


def test_account_is_created_once_per_storage(tmp_path):
    logins = set()
    for name in ("one", "one", "two"):
        with closing(Farm(tmp_path / name, ManualClock())) as farm:
            logins.add((farm.connection()["login"], farm.connection()["password"]))
    assert len(logins) == 2


def test_port_in_use_raises_and_removes_old_connection(farm, tmp_path):
    second = Farm(tmp_path / "other", ManualClock(), port=farm.connection()["port"])
    second.connections_file.write_text("old")
    with (
        pytest.raises(OSError, match=r"port \d+: Address already in use; .* port 0 takes a free one"),
        second,
    ):
        pass
    assert not second.connections_file.exists()


def test_storage_with_files_of_another_program_raises(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="files of another program"):
        Farm(tmp_path)
    assert mode(tmp_path) == 0o755


@pytest.mark.parametrize("text", ["", "[]", "{}", "not json"])
def test_invalid_account_file_raises(tmp_path, text):
    Farm(tmp_path, ManualClock()).close()
    (tmp_path / "account.json").write_text(text)
    with pytest.raises(ValueError, match="must be JSON with access_id and access_key"):
        Farm(tmp_path, ManualClock())
