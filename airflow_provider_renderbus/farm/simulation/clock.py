"""The farm's time: farm seconds that pass at a speed of their own, or only when a test says so."""

from __future__ import annotations

import logging
import time
from threading import Thread
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_renderbus.farm.simulation.simulation import Simulation


class Clock(Protocol):
    """What the farm asks about time."""

    def now(self) -> float:
        """Return the farm seconds that have passed while the farm was running."""

    def unix_time(self) -> float:
        """Return Unix seconds: the time by which callers sign, and the farm's ``serverTime``."""

    def restore(self, now: float) -> None:
        """Go on from a moment that the farm had come to before, so that none comes twice."""

    def to_epoch_ms(self, farm_time: float) -> int:
        """Return the date of a moment as the farm's answers give it.

        :param farm_time: farm seconds, as from :meth:`now`.
        :return: milliseconds since 1970.
        """


MIN_SPEED, MAX_SPEED = 1e-6, 1e6


class ScaledClock:
    """Farm time that runs by itself.

    Dates are on the callers' calendar: a farm that has run for an hour at speed 60 is not 59 hours ahead of
    its callers. Durations are farm seconds.

    :param speed: farm seconds that pass in a second.
    :raises ValueError: the speed is not from 0.000001 to 1000000.
    """

    def __init__(self, speed: float) -> None:
        if not MIN_SPEED <= speed <= MAX_SPEED:
            raise ValueError(
                f"speed is {speed}; expected farm seconds a second, {MIN_SPEED:f} to {MAX_SPEED:.0f}"
            )
        self._speed = speed
        self._opened = time.time()
        self._start = time.monotonic()
        self._begin = 0.0

    def now(self) -> float:
        """See :meth:`Clock.now`."""
        return self._begin + (time.monotonic() - self._start) * self._speed

    def unix_time(self) -> float:
        """See :meth:`Clock.unix_time`."""
        return time.time()

    def restore(self, now: float) -> None:
        """See :meth:`Clock.restore`."""
        self._begin = now

    def to_epoch_ms(self, farm_time: float) -> int:
        """See :meth:`Clock.to_epoch_ms`."""
        return round((self._opened + (farm_time - self._begin) / self._speed) * 1000)


class ManualClock:
    """Farm time that stands still until :meth:`Farm.advance` moves it.

    :param start: the date at which it begins, Unix seconds.
    :param unix_time: the clock by which callers sign. :meth:`advance` does not move it: the requests of a
        client that signs by the machine's clock stay valid.
    """

    def __init__(self, start: float = 1_767_225_600, unix_time: Callable[[], float] = time.time) -> None:
        self._start = start
        self._wall = unix_time
        self._passed = 0.0

    def now(self) -> float:
        """See :meth:`Clock.now`."""
        return self._passed

    def unix_time(self) -> float:
        """See :meth:`Clock.unix_time`."""
        return self._wall()

    def restore(self, now: float) -> None:
        """See :meth:`Clock.restore`. A clock that is ahead already stays there."""
        self._passed = max(self._passed, now)

    def to_epoch_ms(self, farm_time: float) -> int:
        """See :meth:`Clock.to_epoch_ms`."""
        return round((self._start + farm_time) * 1000)

    def advance(self, seconds: float) -> None:
        """Let farm seconds pass. It makes nothing happen: that is :meth:`Farm.advance`."""
        self._passed += seconds


STEPS_PER_LOCK = 100
"""Tasks looked at before callers get their turn: some ten milliseconds of work."""
MIN_IDLE = 0.001
"""Seconds for which time leaves the farm to its callers at least, before it goes on."""
MAX_WAIT = 3600.0
"""Seconds until the next look at the clock at most: a lock cannot be waited for as long as a task may be."""

log = logging.getLogger(__name__)


class ClockThread:
    """Makes every move when it is due, from the beginning until it is stopped.

    :param simulation: whose moves.
    :param clock: tells how far time has come.
    :param speed: farm seconds that pass in a second.
    """

    def __init__(self, simulation: Simulation, clock: Clock, speed: float) -> None:
        self._life, self._clock, self._speed = simulation, clock, speed
        self._stopped = False
        self.failed = False
        """Whether time stands still because a move has failed."""
        self._thread = Thread(target=self._run, name="farm-time")
        self._thread.start()

    def stop(self) -> None:
        """Let no more time pass, and wait for the move that is being made."""
        with self._life.lock:
            self._stopped = True
            self._life.lock.notify_all()
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._life.lock:
                while not self._stopped:
                    due = self._life.advance_to(self._clock.now(), STEPS_PER_LOCK)
                    self._life.write()
                    self._life.lock.wait(self._until(due))
        except Exception:
            self.failed = True
            log.critical("the farm's time stands still: start the farm again", exc_info=True)

    def _until(self, due: float | None) -> float:
        if due is None:
            return MAX_WAIT
        return min(max((due - self._clock.now()) / self._speed, MIN_IDLE), MAX_WAIT)
