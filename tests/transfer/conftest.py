"""Stand-ins for the transfer command, and what runs them."""

from __future__ import annotations

import pytest

from airflow_provider_renderbus.transfer.command import Command, TransferArguments
from airflow_provider_renderbus.transfer.endpoints import StorageEndpoint
from airflow_provider_renderbus.transfer.process import TransferRunner

ROUTE = StorageEndpoint("127.0.0.1", "8899", "10201", "100001")


@pytest.fixture
def stand_in(tmp_path):
    """Write a command as a shell script, and return it."""

    def stand_in(script):
        path = tmp_path / "command" / "stand-in"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return Command.find(str(path))

    return stand_in


@pytest.fixture
def runner(stand_in, tmp_path):
    """Make what runs a script."""

    def runner(script, stall_timeout=60.0, **how):
        return TransferRunner(stand_in(script), tmp_path / "logs", stall_timeout, **how)

    return runner


@pytest.fixture
def order(tmp_path):
    return TransferArguments("upload_json", ROUTE, tmp_path / "upload.json", "/")
