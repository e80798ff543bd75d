"""A killed Airflow task kills its transfer with all child processes."""

from __future__ import annotations

import os
import signal

import pytest

from airflow_provider_renderbus.compat import AirflowException, AirflowFailException
from airflow_provider_renderbus.operators.transfers import RenderbusUploadAssetsOperator
from tests.airflow.context import context
from tests.airflow.transfers.files import contents
from tests.processes import has_ended


def test_on_kill_before_execute_starts_nothing(shot, inputs):
    operator = RenderbusUploadAssetsOperator(task_id="upload", assets=str(shot))
    with pytest.raises(SystemExit, match="Killed"):
        operator.on_kill()
    with pytest.raises(AirflowException, match="cancelled") as caught:
        operator.execute(context())
    assert not isinstance(caught.value, AirflowFailException)
    assert contents(inputs) == {}


def test_on_kill_kills_the_command_with_its_children(connect, tmp_path, shot):
    """A signal calls on_kill while the operator runs, as in Airflow."""
    command, process_ids = tmp_path / "renderbus-farm-transmitter", tmp_path / "process_ids"
    command.write_text(
        f"#!/bin/sh\n(trap '' TERM; exec sleep 600) &\necho $$ $! > {process_ids}\n"
        f"kill -USR1 {os.getpid()}\nwait\n"
    )
    command.chmod(0o755)
    connect(command)
    operator = RenderbusUploadAssetsOperator(task_id="upload", assets=str(shot))
    previous_handler = signal.signal(signal.SIGUSR1, lambda *_: operator.on_kill())
    try:
        with pytest.raises(SystemExit, match="Killed"):
            operator.execute(context())
    finally:
        signal.signal(signal.SIGUSR1, previous_handler)
    assert all(has_ended(int(each)) for each in process_ids.read_text().split())
