"""A transfer whose Airflow task is killed, or whose time is over, may be tried again."""

from __future__ import annotations

import os
import signal

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from airflow_provider_renderbus.operators.transfers import RenderbusDownloadFramesOperator
from tests.airflow.context import context
from tests.scenes import task_json


@pytest.fixture
def hanging(connect, tmp_path):
    """A command that tells this process to end, as Airflow does, and does not end by itself."""
    command = tmp_path / "hangs"
    command.write_text(f"#!/bin/sh\nkill -USR1 {os.getpid()}\nexec sleep 600\n")
    command.chmod(0o755)
    connect(command)


def killed(operator):
    """Run an operator with a signal that calls on_kill."""
    before = signal.signal(signal.SIGUSR1, lambda *_: operator.on_kill())
    try:
        operator.execute({**context(), "task_state_store": Store()})
    finally:
        signal.signal(signal.SIGUSR1, before)


class Store(dict):
    def set(self, key, value):
        self[key] = value


@pytest.mark.parametrize("cancel_on_kill", [True, False])
def test_a_render_that_is_killed_while_its_scene_goes_up(hanging, farm, tmp_path, cancel_on_kill):
    """An AirflowFailException would lose the retries, and to return would let Airflow 3 go on."""
    (tmp_path / "sh010.blend").write_text("a scene")
    operator = RenderbusRenderOperator(
        task_id="render",
        task_json=task_json(),
        assets=str(tmp_path / "sh010.blend"),
        cancel_on_kill=cancel_on_kill,
    )
    with pytest.raises(SystemExit, match="Killed"):
        killed(operator)
    assert not farm.request_counts["submit_task"]


def test_a_download_that_is_killed(hanging, farm, submitted, tmp_path):
    farm.advance(3600)
    operator = RenderbusDownloadFramesOperator(
        task_id="fetch", render_task_id=submitted, folder=str(tmp_path / "frames")
    )
    with pytest.raises(SystemExit, match="Killed"):
        killed(operator)


@pytest.mark.usefixtures("transfers")
def test_execution_timeout_stays_what_it_is():
    operator = RenderbusDownloadFramesOperator(task_id="fetch", render_task_id=1, folder="/mnt/frames")
    try:
        raise AirflowTaskTimeout  # noqa: TRY301 - Airflow's alarm raises it here
    except AirflowTaskTimeout:
        operator.on_kill()
