"""A command that cannot be run is rejected before it is started."""

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
def vendors_command(tmp_path):
    program(tmp_path / "aspera" / "ascp")
    return program(tmp_path / VENDORS_NAME)


@pytest.mark.parametrize("name", [None, ""])
def test_find_without_name_is_rejected_with_install_hint(name):
    with pytest.raises(
        TransferSetupError, match=r"transfer_command.*\[renderbus\].*pip install rayvision-sync==3\.1\.8"
    ):
        Command.find(name)


@pytest.mark.parametrize("name", ["/no/such/command", "no-such-command-in-the-path", "/tmp"])
def test_find_missing_command_is_rejected_with_install_hint(name):
    with pytest.raises(
        TransferSetupError, match=r"The transfer command .* does not exist on this worker.*rayvision-sync"
    ):
        Command.find(name)


def test_find_command_that_is_not_executable_is_rejected(tmp_path):
    with pytest.raises(TransferSetupError, match=r"is not executable.*chmod \+x"):
        Command.find(str(program(tmp_path / "command", 0o644)))


def test_find_vendors_command_returns_it(vendors_command):
    assert Command.find(str(vendors_command)).path == vendors_command


def test_find_with_ascp_that_is_not_executable_is_rejected(vendors_command):
    (vendors_command.parent / "aspera/ascp").chmod(0o644)
    with pytest.raises(TransferSetupError, match=r"aspera/ascp is not executable"):
        Command.find(str(vendors_command))


def test_find_without_ascp_is_rejected(vendors_command):
    (vendors_command.parent / "aspera/ascp").unlink()
    with pytest.raises(TransferSetupError, match=r"needs .*aspera/ascp, which does not exist"):
        Command.find(str(vendors_command))


def test_find_name_is_searched_for_in_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    path = program(tmp_path / "my-transmitter")
    assert Command.find("my-transmitter").path == path


def test_environment_has_no_secrets_of_the_worker(vendors_command, tmp_path):
    env = {
        "AIRFLOW_CONN_RENDERBUS_DEFAULT": "key",
        "AIRFLOW__CORE__FERNET_KEY": "key",
        "AWS_SECRET_ACCESS_KEY": "key",
        "LC_ALL": "C.UTF-8",
        "LD_LIBRARY_PATH": "/elsewhere",
        "PATH": "/bin",
    }
    assert Command.find(str(vendors_command)).environment(tmp_path / "logs", env) == {
        "LC_ALL": "C.UTF-8",
        "PATH": "/bin",
        "RAYVISION_LOG": str(tmp_path / "logs"),
    }
