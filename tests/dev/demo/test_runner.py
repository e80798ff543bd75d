from __future__ import annotations

import contextlib
import signal

import pytest

from dev.demo.runner import _wait_for_ctrl_c
from dev.harness.processes import Stopped


@pytest.mark.parametrize(
    ("number", "goes_on"),
    [(signal.SIGINT, contextlib.nullcontext()), (signal.SIGTERM, pytest.raises(Stopped))],
)
def test_a_demo_that_is_kept_goes_on_to_its_checks_at_ctrl_c(number, goes_on, monkeypatch):
    def pause():
        raise Stopped(number)

    monkeypatch.setattr("signal.pause", pause)
    with goes_on:
        _wait_for_ctrl_c()
