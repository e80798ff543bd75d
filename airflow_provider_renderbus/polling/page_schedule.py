"""Which tasks to ask for next, and when: full pages, spread evenly over the interval."""

from __future__ import annotations

import math
from collections import OrderedDict

from airflow_provider_renderbus.api.validation import LARGEST_PAGE

# Seconds in which those that join are gathered, so that they share requests and hear within a second.
JOIN_WINDOW = 0.5


class PageSchedule:
    """Numbers in the order in which they were asked for last; the next page is the head of this queue.

    With N numbers there are P = ceil(N / 100) pages an interval, at equal distances and of equal size: each
    number has its turn once an interval. Pages are cut anew each time, so nothing is left to compact when
    numbers leave. A number that is in a hurry, because it has just joined, is asked for at the end of the
    half second in which it said so, together with the others that did.

    It knows no clock and waits for nothing: every method is told the time.

    :param interval: seconds in which each number has its turn.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._asked: OrderedDict[int, float] = OrderedDict()
        self._hurried: dict[int, None] = {}
        self._gathered_at = math.inf
        self._last_turn = -math.inf

    def __len__(self) -> int:
        """Return how many numbers there are."""
        return len(self._asked)

    @property
    def page_count(self) -> int:
        """How many pages there are."""
        return math.ceil(len(self._asked) / LARGEST_PAGE)

    @property
    def page_interval(self) -> float:
        """The seconds between two pages."""
        return self._interval / max(1, self.page_count)

    def add(self, number: int, now: float) -> None:
        """Take a number in, in a hurry; one that is in already is only hurried."""
        if not self._asked:
            self._last_turn = now
        self._asked.setdefault(number, now)
        self.expedite(number, now)

    def remove(self, number: int) -> None:
        """Forget a number."""
        del self._asked[number]
        self._hurried.pop(number, None)

    def expedite(self, number: int, now: float) -> None:
        """Ask for a number soon, whenever its turn is."""
        if not self._hurried:
            self._gathered_at = now + min(JOIN_WINDOW, self._interval)
        self._hurried[number] = None

    def requeue(self, numbers: list[int]) -> None:
        """Put numbers that got no answer first."""
        for number in reversed(numbers):
            if number in self._asked:
                self._asked[number] = -math.inf
                self._asked.move_to_end(number, last=False)

    def next_due(self) -> float:
        """Return when the next page is due; infinity where there is nothing to ask for."""
        gathered = self._gathered_at if self._hurried else math.inf
        return min(gathered, self._next_turn())

    def pop_due(self, now: float) -> list[int] | None:
        """Return the next page that is due, or None."""
        if now < self.next_due():
            return None
        if self._hurried and now >= self._gathered_at:
            page = list(self._hurried)[:LARGEST_PAGE]
        else:
            turn = self._next_turn()
            # A turn that comes a little late does not delay the ones after it.
            self._last_turn = turn if now - turn < self.page_interval else now
            size = math.ceil(len(self._asked) / self.page_count)
            page = [number for number, _ in zip(self._asked, range(size), strict=False)]
        for number in page:
            self._hurried.pop(number, None)
            self._asked[number] = now
            self._asked.move_to_end(number)
        return page

    def _next_turn(self) -> float:
        if not self._asked:
            return math.inf
        overdue = next(iter(self._asked.values())) + self._interval
        turn = min(self._last_turn + self.page_interval, overdue)
        # What has piled up, e.g. in an outage, is caught up with at no more than double speed.
        return max(turn, self._last_turn + self.page_interval / 2)
