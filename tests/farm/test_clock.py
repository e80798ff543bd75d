"""Time that runs by itself: it never waits for too long, and where it fails it says so."""

from __future__ import annotations

from contextlib import closing
from threading import TIMEOUT_MAX, Condition

import pytest

from airflow_provider_renderbus.farm import Farm
from airflow_provider_renderbus.farm.simulation.clock import (
    CALLERS_TURN,
    LONGEST_WAIT,
    RunningClock,
    Timekeeper,
)
from tests.farm.raw_client import PROFILE, Caller


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
        self.due, self.changed = due, Waits()

    def run(self, until, most):
        return self.due

    def write(self):
        pass


@pytest.mark.parametrize(
    ("due", "seconds"),
    [(None, LONGEST_WAIT), (-5.0, CALLERS_TURN), (2.0**53, LONGEST_WAIT), (1e300, LONGEST_WAIT)],
)
def test_no_wait_is_longer_than_a_lock_can_wait(due, seconds):
    life = Life(due)
    Timekeeper(life, RunningClock(1.0), 1.0)._thread.join()
    assert life.changed.kept == [seconds]
    assert seconds < TIMEOUT_MAX


def test_time_that_fails_says_so_and_no_call_is_answered_as_if_it_ran(tmp_path, monkeypatch, caplog):
    farm = Farm(tmp_path / "farm")
    with monkeypatch.context() as patch:
        patch.setattr(farm._life, "run", lambda *_: 1 / 0)
        farm.__enter__()
        farm._timekeeper._thread.join()
    with closing(farm):
        assert "time stands still" in caplog.text
        assert "ZeroDivisionError" in caplog.text
        assert Caller(farm).ask(PROFILE)["code"] == 500
