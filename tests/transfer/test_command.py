"""Whether the command can be run is told before it is."""

from __future__ import annotations

import pytest

from airflow_provider_renderbus.transfer.command import VENDORS_NAME, Command
from airflow_provider_renderbus.transfer.errors import TransferSetupError


def program(path, mode=0o755):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


@pytest.fixture
def vendors(tmp_path):
    program(tmp_path / "aspera" / "ascp")
    return program(tmp_path / VENDORS_NAME)


@pytest.mark.parametrize("given", [None, ""])
def test_none_is_named(given):
    with pytest.raises(
        TransferSetupError, match=r"transfer_command.*\[renderbus\].*pip install rayvision-sync==3\.1\.8"
    ):
        Command.find(given)


@pytest.mark.parametrize("given", ["/no/such/command", "no-such-command-in-the-path", "/tmp"])
def test_it_is_not_there(given):
    with pytest.raises(
        TransferSetupError, match=r"There is no transfer command .* on this worker.*rayvision-sync"
    ):
        Command.find(given)


def test_it_has_no_run_bit(tmp_path):
    with pytest.raises(TransferSetupError, match=r"has no run bit.*chmod \+x"):
        Command.find(str(program(tmp_path / "command", 0o644)))


def test_the_vendors_command_can_be_run(vendors):
    assert Command.find(str(vendors)).path == vendors


def test_the_program_that_it_starts_has_lost_its_run_bit(vendors):
    (vendors.parent / "aspera/ascp").chmod(0o644)
    with pytest.raises(TransferSetupError, match=r"aspera/ascp has no run bit"):
        Command.find(str(vendors))


def test_the_program_that_it_starts_is_not_there(vendors):
    (vendors.parent / "aspera/ascp").unlink()
    with pytest.raises(TransferSetupError, match=r"needs the program .*aspera/ascp, which is not there"):
        Command.find(str(vendors))


def test_a_name_is_searched_for(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    path = program(tmp_path / "my-transmitter")
    assert Command.find("my-transmitter").path == path


def test_no_key_of_the_worker_reaches_it(vendors, tmp_path):
    given = {
        "AIRFLOW_CONN_RENDERBUS_DEFAULT": "key",
        "AIRFLOW__CORE__FERNET_KEY": "key",
        "AWS_SECRET_ACCESS_KEY": "key",
        "LC_ALL": "C.UTF-8",
        "LD_LIBRARY_PATH": "/elsewhere",
        "PATH": "/bin",
    }
    assert Command.find(str(vendors)).environment(tmp_path / "logs", given) == {
        "LC_ALL": "C.UTF-8",
        "PATH": "/bin",
        "RAYVISION_LOG": str(tmp_path / "logs"),
    }
