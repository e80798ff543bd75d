"""Shell scripts in place of the transfer command, and a runner for them."""

from __future__ import annotations

import pytest

from airflow_provider_renderbus.transfer.command import Command, TransferArguments
from airflow_provider_renderbus.transfer.endpoints import StorageEndpoint
from airflow_provider_renderbus.transfer.process import TransferRunner

ENDPOINT = StorageEndpoint("127.0.0.1", "8899", "10201", "100001")


@pytest.fixture
def script_command(tmp_path):
    """Write a shell script, and return it as a command."""

    def script_command(script):
        path = tmp_path / "command" / "script"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return Command.find(str(path))

    return script_command


@pytest.fixture
def make_runner(script_command, tmp_path):
    """Return a runner for a script."""

    def make_runner(script, stall_timeout=60.0, **options):
        return TransferRunner(script_command(script), tmp_path / "logs", stall_timeout, **options)

    return make_runner


@pytest.fixture
def arguments(tmp_path):
    return TransferArguments("upload_json", ENDPOINT, tmp_path / "upload.json", "/")
