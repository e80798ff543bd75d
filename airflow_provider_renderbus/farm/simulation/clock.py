"""The farm's time: farm seconds that pass at a speed of their own, or only when a test says so."""

from __future__ import annotations

import logging
import time
from threading import Thread
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_renderbus.farm.simulation.simulation import Life


class Clock(Protocol):
    """What the farm asks about time."""

    def now(self) -> float:
        """Return the farm seconds that have passed while the farm was running."""

    def wall(self) -> float:
        """Return Unix seconds: the time by which callers sign, and the farm's ``serverTime``."""

    def resume(self, moment: float) -> None:
        """Go on from a moment that the farm had come to before, so that none comes twice."""

    def date(self, moment: float) -> int:
        """Return the date of a moment as the farm's answers give it.

        :param moment: farm seconds, as from :meth:`now`.
        :return: milliseconds since 1970.
        """


LEAST_SPEED, MOST_SPEED = 1e-6, 1e6


class RunningClock:
    """Farm time that runs by itself.

    Dates are on the callers' calendar: a farm that has run for an hour at speed 60 is not 59 hours ahead of
    its callers. Durations are farm seconds.

    :param speed: farm seconds that pass in a second.
    :raises ValueError: the speed is not from 0.000001 to 1000000.
    """

    def __init__(self, speed: float) -> None:
        if not LEAST_SPEED <= speed <= MOST_SPEED:
            raise ValueError(
                f"speed is {speed}; expected farm seconds a second, {LEAST_SPEED:f} to {MOST_SPEED:.0f}"
            )
        self._speed = speed
        self._opened = time.time()
        self._start = time.monotonic()
        self._begin = 0.0

    def now(self) -> float:
        """See :meth:`Clock.now`."""
        return self._begin + (time.monotonic() - self._start) * self._speed

    def wall(self) -> float:
        """See :meth:`Clock.wall`."""
        return time.time()

    def resume(self, moment: float) -> None:
        """See :meth:`Clock.resume`."""
        self._begin = moment

    def date(self, moment: float) -> int:
        """See :meth:`Clock.date`."""
        return round((self._opened + (moment - self._begin) / self._speed) * 1000)


class HandClock:
    """Farm time that stands still until :meth:`Farm.advance` moves it.

    :param start: the date at which it begins, Unix seconds.
    :param wall: the clock by which callers sign. It is not moved by hand, so that a client with the machine's
        clock is still in time after the farm has gone a day ahead.
    """

    def __init__(self, start: float = 1_767_225_600, wall: Callable[[], float] = time.time) -> None:
        self._start = start
        self._wall = wall
        self._passed = 0.0

    def now(self) -> float:
        """See :meth:`Clock.now`."""
        return self._passed

    def wall(self) -> float:
        """See :meth:`Clock.wall`."""
        return self._wall()

    def resume(self, moment: float) -> None:
        """See :meth:`Clock.resume`. A clock that is ahead already stays there."""
        self._passed = max(self._passed, moment)

    def date(self, moment: float) -> int:
        """See :meth:`Clock.date`."""
        return round((self._start + moment) * 1000)

    def move(self, seconds: float) -> None:
        """Let farm seconds pass. It makes nothing happen: that is :meth:`Farm.advance`."""
        self._passed += seconds


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
