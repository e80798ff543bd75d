"""The farm's time: farm seconds that pass at a configurable speed, or only when a test advances them."""

from __future__ import annotations

import logging
import time
from threading import Thread
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_renderbus.farm.simulation.simulation import Simulation


class Clock(Protocol):
    """What the farm needs to know about time."""

    def now(self) -> float:
        """Return farm time: the farm seconds that have passed while the farm was running."""

    def unix_time(self) -> float:
        """Return Unix seconds: the time of callers' timestamps and of ``serverTime``."""

    def restore(self, now: float) -> None:
        """Continue from the farm time at which an earlier process ended."""

    def to_epoch_ms(self, farm_time: float) -> int:
        """Convert farm time to milliseconds since 1970, the dates of the farm's answers."""


MIN_SPEED, MAX_SPEED = 1e-6, 1e6


class ScaledClock:
    """Farm time that passes by itself.

    Dates are in real time: after an hour at speed 60 the farm's dates are not 59 hours ahead. Durations are
    farm seconds.

    :param speed: farm seconds per second.
    :raises ValueError: the speed is not from 0.000001 to 1000000.
    """

    def __init__(self, speed: float) -> None:
        if not MIN_SPEED <= speed <= MAX_SPEED:
            raise ValueError(
                f"speed: must be from {MIN_SPEED:f} to {MAX_SPEED:.0f} farm seconds per second, got {speed}"
            )
        self._speed = speed
        self._start_unix_time = time.time()
        self._start_monotonic = time.monotonic()
        self._start_farm_time = 0.0

    def now(self) -> float:
        """See :meth:`Clock.now`."""
        return self._start_farm_time + (time.monotonic() - self._start_monotonic) * self._speed

    def unix_time(self) -> float:
        """See :meth:`Clock.unix_time`."""
        return time.time()

    def restore(self, now: float) -> None:
        """See :meth:`Clock.restore`."""
        self._start_farm_time = now

    def to_epoch_ms(self, farm_time: float) -> int:
        """See :meth:`Clock.to_epoch_ms`."""
        passed = (farm_time - self._start_farm_time) / self._speed
        return round((self._start_unix_time + passed) * 1000)


class ManualClock:
    """Farm time that passes only in :meth:`Farm.advance`.

    :param start: the date at farm time 0, Unix seconds.
    :param unix_time: the clock that callers' timestamps are compared with. :meth:`advance` does not move it:
        a client that signs by the machine's clock is still accepted.
    """

    def __init__(self, start: float = 1_767_225_600, unix_time: Callable[[], float] = time.time) -> None:
        self._start = start
        self._unix_time = unix_time
        self._now = 0.0

    def now(self) -> float:
        """See :meth:`Clock.now`."""
        return self._now

    def unix_time(self) -> float:
        """See :meth:`Clock.unix_time`."""
        return self._unix_time()

    def restore(self, now: float) -> None:
        """See :meth:`Clock.restore`. A clock that is ahead already stays there."""
        self._now = max(self._now, now)

    def to_epoch_ms(self, farm_time: float) -> int:
        """See :meth:`Clock.to_epoch_ms`."""
        return round((self._start + farm_time) * 1000)

    def advance(self, seconds: float) -> None:
        """Add farm seconds. Only :meth:`Farm.advance` also lets the simulation follow."""
        self._now += seconds


STEPS_PER_LOCK = 100
"""Task steps before the lock is released for callers: about ten milliseconds of work."""
MIN_IDLE = 0.001
"""Seconds for which the clock thread leaves the lock to callers."""
MAX_WAIT = 3600.0
"""Maximum seconds of one wait: ``threading`` limits a timeout, a task may take longer."""

log = logging.getLogger(__name__)


class ClockThread:
    """Advances the simulation whenever a step is due, until it is stopped.

    :param speed: farm seconds per second.
    """

    def __init__(self, simulation: Simulation, clock: Clock, speed: float) -> None:
        self._simulation, self._clock, self._speed = simulation, clock, speed
        self._stopping = False
        self.failed = False
        """Whether a step raised an exception, which ended the thread."""
        self._thread = Thread(target=self._run, name="farm-clock")
        self._thread.start()

    def stop(self) -> None:
        """Finish the step that is running, and end the thread."""
        with self._simulation.lock:
            self._stopping = True
            self._simulation.lock.notify_all()
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._simulation.lock:
                while not self._stopping:
                    next_event_at = self._simulation.advance_to(self._clock.now(), STEPS_PER_LOCK)
                    self._simulation.write()
                    self._simulation.lock.wait(self._timeout(next_event_at))
        except Exception:
            self.failed = True
            log.critical("The farm's time stands still: restart the farm", exc_info=True)

    def _timeout(self, next_event_at: float | None) -> float:
        if next_event_at is None:
            return MAX_WAIT
        return min(max((next_event_at - self._clock.now()) / self._speed, MIN_IDLE), MAX_WAIT)
