"""Notices that this process has lost time, e.g. in a frozen machine: a newer try may have started.

If Airflow gets no heartbeat for a while, it runs the next try of a task. The process of the earlier try may
only have been frozen (a suspended virtual machine, SIGSTOP, a hung file system) and continue later. Then it
must neither spend nor stop anything, because the render belongs to the newer try.

A clock alone proves nothing. If a process is stopped, all clocks advance; in a paused virtual machine all of
them may stand still. So three signs count: a gap between two ticks, a farm whose clock has advanced further
than this process's, and a request that the farm refuses as expired.

A sign can be wrong: clocks are set, and differ between hosts. So it counts for a minute only. With the
process, Airflow's supervisor wakes too, and kills the process of an old try at its next heartbeat, within
seconds; a process that continues for a minute is the owner.
"""

from __future__ import annotations

import math
import weakref
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.errors import RenderbusError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_TICK_INTERVAL = 10.0
"""Seconds between two ticks of a process that runs."""
TIME_TO_BE_KILLED = 60.0
"""Seconds after a sign of lost time in which Airflow kills the process if a newer try runs."""
# A tick that is late by the load of a machine is no lost time.
_TICKS_PER_TIMEOUT = 4


class TimeLostError(RenderbusError):
    """A call was not sent, because this process has lost time. A retry may send it."""

    def __init__(self, call: str, reason: str) -> None:
        super().__init__(call, reason)
        self.call = call
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.call}: not sent: {self.reason}"


class LostTimeWatch:
    """Whether this process has lost more time than Airflow waits for a heartbeat, and may be killed for it.

    :param heartbeat_timeout: seconds without a heartbeat after which Airflow runs the next try.
    :param monotonic: returns seconds that only ever grow.
    :param now: returns the seconds since 1970.
    :param before_recovery: called when the process was not killed, before it counts as the owner again.
    """

    def __init__(
        self,
        heartbeat_timeout: float,
        monotonic: Callable[[], float],
        now: Callable[[], float],
        before_recovery: Callable[[], None] = lambda: None,
    ) -> None:
        self.tick_interval = min(MAX_TICK_INTERVAL, heartbeat_timeout / _TICKS_PER_TIMEOUT)
        self._timeout = heartbeat_timeout
        self._monotonic, self._now = monotonic, now
        self._before_recovery = before_recovery
        self._last_tick = monotonic(), now()
        # The farm's clock less the monotonic one; the highest, since it can be wrong for a moment.
        self._farm_offset = math.inf
        self._reason, self._noted_at = "", 0.0

    def tick(self) -> None:
        """Note that this process runs. Any thread may call it."""
        monotonic, now = self._monotonic(), self._now()
        last_monotonic, last_now = self._last_tick
        self._last_tick = monotonic, now
        self._note(max(monotonic - last_monotonic, now - last_now), "it stood still for")

    def ticking(self, sleep: Callable[[float], None]) -> Callable[[float], None]:
        """Return a sleep that ticks."""

        def tick_and_sleep(seconds: float) -> None:
            end = self._monotonic() + seconds
            # A sleep of up to two intervals is no gap, and the background ticks meanwhile.
            while (remaining := end - self._monotonic()) > 2 * self.tick_interval:
                sleep(self.tick_interval)
                self.tick()
            sleep(max(0.0, remaining))
            self.tick()

        return tick_and_sleep

    def note_start(self, started_at: float) -> None:
        """Compare the time with that at which this try was started, in seconds since 1970."""
        self._note(self._now() - started_at, "it began late by")

    def note_server_time(self, server_time: float) -> None:
        """Compare the farm's clock, in seconds since 1970, with that of this process."""
        offset = server_time - self._monotonic()
        self._note(offset - self._farm_offset, "compared with the farm's clock it stood still for")
        self._farm_offset = offset if self._farm_offset == math.inf else max(offset, self._farm_offset)

    def note_expired_request(self) -> None:
        """Note that the farm refuses a request as expired, after it has accepted earlier ones."""
        self._set_reason("the farm refused its request as expired")

    @property
    def reason(self) -> str:
        """Why this process counts as one that has lost time; empty if it does not, or not any more."""
        self.tick()
        if self._reason and self._monotonic() - self._noted_at > TIME_TO_BE_KILLED:
            self._before_recovery()
            self._reason = ""
        return self._reason

    def wait_to_be_killed(self, sleep: Callable[[float], None]) -> None:
        """If this process has lost time, sleep until Airflow would have killed it if a newer try ran."""
        while self.reason:
            sleep(self.tick_interval)

    def check(self, call: str) -> None:
        """Check that a call may be sent.

        :param call: name of the call.
        :raises TimeLostError: this process has lost time.
        """
        if reason := self.reason:
            raise TimeLostError(call, reason)

    def _note(self, gap: float, sign: str) -> None:
        if gap > self._timeout:
            self._set_reason(f"{sign} {gap:.0f} s, and the heartbeat timeout is {self._timeout:g} s")

    def _set_reason(self, sign: str) -> None:
        self._reason = f"this process has lost time ({sign}), and Airflow may run a newer try"
        self._noted_at = self._monotonic()


def tick_in_background(watch: LostTimeWatch) -> None:
    """Tick on the thread that sends requests, as long as the watch exists: a local step may take minutes."""
    from airflow_provider_renderbus.clients.loop_thread import background_loop

    loop = background_loop()
    reference = weakref.ref(watch)

    def tick() -> None:
        if (running := reference()) is not None:
            running.tick()
            loop.call_later(running.tick_interval, tick)

    loop.call_soon_threadsafe(tick)
