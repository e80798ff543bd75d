"""Time that runs by itself: it never waits for too long, and where it fails it says so."""

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


class Waits(Condition):
    """Keeps how long it was to be waited for, and ends the wait at the first."""

    def __init__(self):
        super().__init__()
        self.kept = []

    def wait(self, timeout=None):
        self.kept.append(timeout)
        raise KeyError("enough")


class Life:
    """A life whose next move is due at a moment."""

    def __init__(self, due):
        self.due, self.lock = due, Waits()

    def advance_to(self, until, max_steps):
        return self.due

    def write(self):
        pass


@pytest.mark.parametrize(
    ("due", "seconds"),
    [(None, MAX_WAIT), (-5.0, MIN_IDLE), (2.0**53, MAX_WAIT), (1e300, MAX_WAIT)],
)
def test_no_wait_is_longer_than_a_lock_can_wait(due, seconds):
    life = Life(due)
    ClockThread(life, ScaledClock(1.0), 1.0)._thread.join()
    assert life.lock.kept == [seconds]
    assert seconds < TIMEOUT_MAX


def test_time_that_fails_says_so_and_no_call_is_answered_as_if_it_ran(tmp_path, monkeypatch, caplog):
    farm = Farm(tmp_path / "farm")
    with monkeypatch.context() as patch:
        patch.setattr(farm._simulation, "advance_to", lambda *_: 1 / 0)
        farm.__enter__()
        farm._clock_thread._thread.join()
    with closing(farm):
        assert "time stands still" in caplog.text
        assert "ZeroDivisionError" in caplog.text
        assert RawClient(farm).request(PROFILE)["code"] == 500
