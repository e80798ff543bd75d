"""After a kill or an execution_timeout during a transfer, Airflow may retry the task."""

from __future__ import annotations

import os
import signal

import pytest

from airflow_provider_renderbus.compat import AirflowTaskTimeout
from airflow_provider_renderbus.operators.download_frames import RenderbusDownloadFramesOperator
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from tests.airflow.context import StateStore, context
from tests.scenes import make_task_json


@pytest.fixture
def hanging_command(connect, tmp_path):
    """A command that sends this process a signal, as Airflow does, and hangs."""
    command = tmp_path / "renderbus-farm-transmitter"
    command.write_text(f"#!/bin/sh\nkill -USR1 {os.getpid()}\nexec sleep 600\n")
    command.chmod(0o755)
    connect(command)


def run_until_killed(operator):
    """Run an operator with a signal handler that calls on_kill."""
    previous_handler = signal.signal(signal.SIGUSR1, lambda *_: operator.on_kill())
    try:
        operator.execute({**context(), "task_state_store": StateStore()})
    finally:
        signal.signal(signal.SIGUSR1, previous_handler)


@pytest.mark.parametrize("cancel_on_kill", [True, False])
def test_render_killed_during_upload_allows_retry(hanging_command, farm, tmp_path, cancel_on_kill):
    """An AirflowFailException would skip the retries, and returning would let Airflow 3 run on."""
    (tmp_path / "sh010.blend").write_text("a scene")
    operator = RenderbusRenderOperator(
        task_id="render",
        task_json=make_task_json(),
        assets=str(tmp_path / "sh010.blend"),
        cancel_on_kill=cancel_on_kill,
    )
    with pytest.raises(SystemExit, match="Killed"):
        run_until_killed(operator)
    assert not farm.request_counts["submit_task"]


def test_download_killed_allows_retry(hanging_command, farm, submitted, tmp_path):
    farm.advance(3600)
    operator = RenderbusDownloadFramesOperator(
        task_id="download", render_task_id=submitted, folder=str(tmp_path / "frames")
    )
    with pytest.raises(SystemExit, match="Killed"):
        run_until_killed(operator)


@pytest.mark.usefixtures("transfers")
def test_on_kill_at_execution_timeout_does_not_exit():
    operator = RenderbusDownloadFramesOperator(task_id="download", render_task_id=1, folder="/mnt/frames")
    try:
        raise AirflowTaskTimeout  # noqa: TRY301 - Airflow's alarm raises it here
    except AirflowTaskTimeout:
        operator.on_kill()
