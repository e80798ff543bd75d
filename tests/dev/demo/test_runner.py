from __future__ import annotations

import contextlib
import signal

import pytest

from dev.demo.runner import _wait_for_ctrl_c
from dev.harness.processes import StopSignal


@pytest.mark.parametrize(
    ("number", "expectation"),
    [(signal.SIGINT, contextlib.nullcontext()), (signal.SIGTERM, pytest.raises(StopSignal))],
)
def test_wait_for_ctrl_c_signal_other_than_ctrl_c_stops_the_demo(number, expectation):
    def pause():
        raise StopSignal(number)

    with expectation:
        _wait_for_ctrl_c(pause)
