"""The thread that lets time pass on a running clock."""

from __future__ import annotations

import logging
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.clock import Clock
    from airflow_provider_renderbus.farm.life import Life

MOVES_AT_ONCE = 100
"""Tasks looked at before callers get their turn: some ten milliseconds of work."""
CALLERS_TURN = 0.001
"""Seconds for which time leaves the farm to its callers at least, before it goes on."""
LONGEST_WAIT = 3600.0
"""Seconds until the next look at the clock at most: a lock cannot be waited for as long as a task may be."""

log = logging.getLogger(__name__)


class Timekeeper:
    """Makes every move when it is due, from the beginning until it is stopped.

    :param life: whose moves.
    :param clock: tells how far time has come.
    :param speed: farm seconds that pass in a second.
    """

    def __init__(self, life: Life, clock: Clock, speed: float) -> None:
        self._life, self._clock, self._speed = life, clock, speed
        self._stopped = False
        self.failed = False
        """Whether time stands still because a move has failed."""
        self._thread = Thread(target=self._run, name="farm-time")
        self._thread.start()

    def stop(self) -> None:
        """Let no more time pass, and wait for the move that is being made."""
        with self._life.changed:
            self._stopped = True
            self._life.changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._life.changed:
                while not self._stopped:
                    due = self._life.run(self._clock.now(), MOVES_AT_ONCE)
                    self._life.write()
                    self._life.changed.wait(self._until(due))
        except Exception:
            self.failed = True
            log.critical("the farm's time stands still: start the farm again", exc_info=True)

    def _until(self, due: float | None) -> float:
        if due is None:
            return LONGEST_WAIT
        return min(max((due - self._clock.now()) / self._speed, CALLERS_TURN), LONGEST_WAIT)
