"""The clock thread: its waits are limited, and its failure is logged."""

from __future__ import annotations

from contextlib import closing
from threading import TIMEOUT_MAX, Condition

import pytest

from airflow_provider_renderbus.farm import Farm
from airflow_provider_renderbus.farm.simulation.clock import (
    MAX_WAIT,
    MIN_IDLE,
    ClockThread,
    ScaledClock,
)
from tests.farm.raw_client import PROFILE, RawClient


class RecordingCondition(Condition):
    """Records the timeouts of waits, and raises at the first."""

    def __init__(self):
        super().__init__()
        self.timeouts = []

    def wait(self, timeout=None):
        self.timeouts.append(timeout)
        raise KeyError("end of the thread")


class SimulationStub:
    """A simulation whose next step is due at a farm time."""

    def __init__(self, next_event_at):
        self.next_event_at, self.lock = next_event_at, RecordingCondition()

    def advance_to(self, until, max_steps):
        return self.next_event_at

    def write(self):
        pass


@pytest.mark.parametrize(
    ("next_event_at", "seconds"),
    [(None, MAX_WAIT), (-5.0, MIN_IDLE), (2.0**53, MAX_WAIT), (1e300, MAX_WAIT)],
)
def test_clock_thread_wait_is_within_threading_limit(next_event_at, seconds):
    simulation = SimulationStub(next_event_at)
    ClockThread(simulation, ScaledClock(1.0), 1.0)._thread.join()
    assert simulation.lock.timeouts == [seconds]
    assert seconds < TIMEOUT_MAX


def test_clock_thread_failure_is_logged_and_calls_return_500(tmp_path, monkeypatch, caplog):
    farm = Farm(tmp_path / "farm")
    with monkeypatch.context() as patch:
        patch.setattr(farm._simulation, "advance_to", lambda *_: 1 / 0)
        farm.__enter__()
        farm._clock_thread._thread.join()
    with closing(farm):
        assert "time stands still" in caplog.text
        assert "ZeroDivisionError" in caplog.text
        assert RawClient(farm).request(PROFILE)["code"] == 500
