from __future__ import annotations

import base64
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from urllib.parse import quote

import psutil
import pytest

from dev.harness.embedded_farm import EmbeddedFarm
from dev.harness.processes import Programs
from dev.harness.secret_scan import check_files, check_processes, check_triggers

KEY = "k3y/with+odd=signs&0123456789abcdef"
SECRETS = {"another": "a transfer password", KEY: "the access key"}


def leaks(folder, private=()):
    return [failure.path for failure in check_files(folder, SECRETS, private)]


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        f"password={quote(KEY, safe='')}&user=x",
        KEY.encode().hex(),
        KEY.encode().hex().upper(),
        *(base64.b64encode(b"x" * before + KEY.encode() + b"y").decode() for before in range(5)),
        *(base64.urlsafe_b64encode(b"id:"[:before] + KEY.encode()).decode() for before in range(4)),
    ],
)
def test_check_files_key_in_each_encoding_is_found(text, tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "innocent.log").write_text("nothing here")
    file = tmp_path / "deep" / "er" / "task.log"
    file.write_bytes(b"\xff\x00binary " + text.encode() + b" and more")

    (failure,) = check_files(tmp_path, SECRETS, ())

    assert (failure.subject, failure.path) == ("the access key", file)
    assert KEY not in str(failure)


def test_check_files_warning_of_masking_is_found(tmp_path):
    log = tmp_path / "task.log"
    log.write_text('{"event": "Skipping masking for a secret as it\'s too short (<5 chars)"}')
    assert leaks(tmp_path) == [log]


def test_embedded_farm_secrets_include_what_it_returns(tmp_path):
    storage, log = tmp_path / "farm", tmp_path / "farm.log"
    farm = EmbeddedFarm(storage, log)
    with Programs() as programs:
        farm.start(programs, speed=1.0)
        with farm.client() as client:
            secrets = farm.secrets(client)
    assert sorted(secrets.values()) == [*["a transfer password"] * 6, "the access key"]
    assert not list(check_files(tmp_path, secrets, farm.private_files))
    for secret in secrets:
        log.write_text(f"the response was {secret}")
        (failure,) = check_files(tmp_path, secrets, farm.private_files)
        assert (failure.subject, failure.path) == (secrets[secret], log)


def test_check_files_key_scattered_over_database_pages_is_found(tmp_path):
    path = tmp_path / "airflow.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("pragma page_size = 512")
        database.execute("create table xcom (value text)")
        database.executemany(
            "insert into xcom values (?)", [("-" * (400 + offset) + KEY,) for offset in range(0, 200, 7)]
        )
        database.execute("delete from xcom where instr(cast(value as blob), ?) < 0", (KEY,))
        database.commit()
    assert leaks(tmp_path) == [path]


def test_check_files_key_in_database_blob_is_found(tmp_path):
    path = tmp_path / "airflow.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("create table trigger (kwargs blob)")
        database.execute("insert into trigger values (?)", (KEY.encode(),))
        database.commit()
    assert leaks(tmp_path) == [path]


@pytest.mark.parametrize(
    "dump", ["signature: {}", "{{'signature': '{}'}}", '"Signature": "{}"', "signature={}"]
)
def test_check_files_signature_in_dump_of_request_is_found(dump, tmp_path):
    log = tmp_path / "task.log"
    log.write_text("headers " + dump.format(base64.b64encode(bytes(range(32))).decode()))
    assert leaks(tmp_path) == [log]
    log.write_text("The signature has expired; the signature is made again.")
    assert leaks(tmp_path) == []


def test_check_files_private_file_must_be_readable_by_its_owner_only(tmp_path):
    account = tmp_path / "account.json"
    account.write_text(KEY)
    account.chmod(0o600)
    assert not leaks(tmp_path, {account})
    account.chmod(0o640)
    assert leaks(tmp_path, {account}) == [account]


@pytest.mark.parametrize("place", ["argument", "variable"])
def test_check_processes_key_on_command_line_or_in_environment_is_found(place, tmp_path):
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    environment = dict(os.environ)
    if place == "argument":
        command.append(f"--key={KEY}")
    else:
        environment["AIRFLOW_CONN_X"] = quote(KEY, safe="")
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        (failure,) = check_processes([psutil.Process(process.pid)], SECRETS, tmp_path)
        process.stdin.close()
    assert KEY not in str(failure)


def test_check_processes_without_key_or_gone_are_clean(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        gone = psutil.Process(process.pid)
    assert not list(check_processes([psutil.Process(), gone], SECRETS, tmp_path))


def test_check_triggers_secret_in_arguments_is_found(tmp_path):
    clean = '{"renderbus_conn_id": "renderbus_default"}'
    assert not list(check_triggers([clean], SECRETS, tmp_path))
    (failure,) = check_triggers([clean, json.dumps({"key": KEY})], SECRETS, tmp_path)
    assert failure.subject == "the access key"
    assert KEY not in str(failure)
    (failure,) = check_triggers([], SECRETS, tmp_path)
    assert failure.subject == "triggers"
