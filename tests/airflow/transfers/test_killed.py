"""A killed Airflow task ends its transfer with all that it has started."""

from __future__ import annotations

import os
import signal

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_renderbus.operators.transfers import RenderbusUploadAssetsOperator
from tests.airflow.context import context
from tests.airflow.transfers.files import contents
from tests.processes import gone


def test_a_kill_before_the_beginning_begins_nothing(shot, inputs):
    operator = RenderbusUploadAssetsOperator(task_id="send", assets=str(shot))
    with pytest.raises(SystemExit, match="Killed"):
        operator.on_kill()
    with pytest.raises(AirflowException, match="stopped") as stopped:
        operator.execute(context())
    assert not isinstance(stopped.value, AirflowFailException)
    assert contents(inputs) == {}


def test_a_kill_ends_the_command_with_its_children(connect, tmp_path, shot):
    """As Airflow does it: a signal calls on_kill while the operator runs."""
    command, told = tmp_path / "hangs", tmp_path / "numbers"
    command.write_text(
        f"#!/bin/sh\n(trap '' TERM; exec sleep 600) &\necho $$ $! > {told}\nkill -USR1 {os.getpid()}\nwait\n"
    )
    command.chmod(0o755)
    connect(command)
    operator = RenderbusUploadAssetsOperator(task_id="send", assets=str(shot))
    before = signal.signal(signal.SIGUSR1, lambda *_: operator.on_kill())
    try:
        with pytest.raises(SystemExit, match="Killed"):
            operator.execute(context())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert all(gone(int(number)) for number in told.read_text().split())
