"""The poller against a model: what has to be true of it, whatever happens."""

import itertools
import math

from hypothesis import Phase, settings, stateful

from airflow_provider_renderbus.api.errors import AuthError, NotFound, UnknownTask
from airflow_provider_renderbus.api.validation import MAX_PAGE_SIZE
from airflow_provider_renderbus.polling.error_tolerance import MAX_MISSES
from airflow_provider_renderbus.polling.shared_queries import MAX_CONCURRENCY
from airflow_provider_renderbus.polling.watchers import FINAL_POLL_TIMEOUT, DeadlineExceeded
from tests.polling.poller_harness import INTERVAL, WRONG_KEY
from tests.polling.poller_world import A_MOMENT, HALF_A_SECOND, PollerWorld


class PollerModel(PollerWorld):
    """See above."""

    @stateful.rule()
    def refuse_the_key(self):
        """Whoever waits is told, within an interval, and nobody is lost when the key is right again."""
        self.everybody_is_served()
        self.well_since = math.inf
        self.farm.error = WRONG_KEY
        self.wait(INTERVAL + A_MOMENT)
        assert not self.waiters
        self.answer()

    @stateful.rule()
    def everybody_is_served(self):
        """Let it be well long enough that the invariants ask for everybody's news, and for every end."""
        self.answer()
        self.wait(max(0.0, self.well_since - self.now) + INTERVAL + A_MOMENT)
        self.everybody_has_heard()
        self.wait(MAX_MISSES * INTERVAL)

    @stateful.invariant()
    def it_works(self):
        assert not self.serving.done()

    @stateful.invariant()
    def everybody_has_heard(self):
        """An interval after a change, or after trouble; those who join in good times, at once."""
        for waiter in self.waiters:
            number = waiter.number
            if number in self.gone or number == self.farm.refuses:
                continue
            if self.now - max(self.well_since, self.changed[number], waiter.since) >= INTERVAL + A_MOMENT:
                assert waiter.heard[-1:] == [self.version[number]]
            joined_in_good_times = waiter.since - self.well_since > 2 * INTERVAL
            if (
                joined_in_good_times
                and not self.was_gone(number, waiter.since + HALF_A_SECOND)
                and self.now - waiter.since >= A_MOMENT
            ):
                assert waiter.heard, "it waits for its first answer"

    @stateful.invariant()
    def nobody_hears_twice_or_of_the_past(self):
        for waiter in [*self.waiters, *(waiter for waiter, _ in self.ended)]:
            assert all(before < after for before, after in itertools.pairwise(waiter.heard))

    @stateful.invariant()
    def nobody_waits_for_ever(self):
        for waiter in self.waiters:
            in_good_times = waiter.deadline - self.well_since > 2 * INTERVAL
            assert self.now <= waiter.deadline + (0.0 if in_good_times else FINAL_POLL_TIMEOUT) + A_MOMENT
            gone = max(self.gone.get(waiter.number, math.inf), waiter.since, self.well_since)
            assert self.now - gone <= MAX_MISSES * INTERVAL + A_MOMENT

    @stateful.invariant()
    def who_ends_has_a_reason(self):
        for waiter, reason in self.ended:
            if isinstance(reason, DeadlineExceeded):
                assert self.now >= waiter.deadline
                self.the_last_look_was_at_the_deadline(waiter)
            elif isinstance(reason, UnknownTask):
                looks = [moment for moment, page in self.farm.asked if waiter.number in page]
                assert sum(self.was_gone(waiter.number, moment) for moment in looks) >= MAX_MISSES
                assert reason.task_id == waiter.number
            elif isinstance(reason, NotFound):
                assert waiter.number == self.farm.refuses
            else:
                assert isinstance(reason, AuthError)
        self.ended.clear()

    def was_gone(self, number, moment):
        away = [*self.away, (number, self.gone.get(number, math.inf), math.inf)]
        return any(who == number and start <= moment <= end for who, start, end in away)

    def the_last_look_was_at_the_deadline(self, waiter):
        if waiter.deadline - self.well_since > 2 * INTERVAL:
            asked = [moment for moment, page in self.farm.asked if waiter.number in page]
            assert asked[-1] >= waiter.deadline

    @stateful.invariant()
    def the_farm_is_not_asked_too_often(self):
        """A hundredth an interval, what joins and deadlines add, two a failure (halves of a page), one more.

        After trouble it may be half as much again: what has piled up is caught up with.
        """
        assert self.farm.most_under_way <= MAX_CONCURRENCY
        end = self.now
        start = end - INTERVAL
        most = max(
            [count for moment, count in self.counts if moment < start][-1:]
            + [count for moment, count in self.counts if moment >= start],
            default=0,
        )
        pages = math.ceil(most / MAX_PAGE_SIZE)
        if not self.well_since < start - INTERVAL:
            pages += math.ceil(pages / 2)
        pages += 2 * sum(moment >= start - A_MOMENT - self.lingers for moment in self.farm.failed)
        allowed = pages + self.joined_pages(start - A_MOMENT, end) + 1
        assert self.farm.requests(start, end + A_MOMENT) <= allowed

    @stateful.invariant()
    def a_farm_that_is_down_is_spared(self):
        """What was under way fails; then it waits 1, 2, 4, 8 and 15 s, and again 15 s."""
        if self.now - self.down_since > INTERVAL:
            assert self.farm.requests(self.now - INTERVAL, self.now) <= MAX_CONCURRENCY + 7

    def joined_pages(self, start, end):
        """The requests that joins and deadlines allow: a hundredth of those of each half second."""
        pages = 0
        hurried = sorted((moment, number) for moment, number in self.hurried if start <= moment <= end)
        while hurried:
            closed = hurried[0][0] + HALF_A_SECOND
            gathered = {number for moment, number in hurried if moment < closed}
            hurried = [(moment, number) for moment, number in hurried if moment >= closed]
            pages += math.ceil(len(gathered) / MAX_PAGE_SIZE)
        return pages

    @stateful.invariant()
    def nobody_is_asked_for_in_vain(self):
        assert not self.farm.strangers
        assert len(self.poller._schedule) == len(self._waited_for())

    @stateful.invariant()
    def an_outage_is_told_once(self):
        assert self.warnings <= self.outages


# A failing run is shown as it is: to shrink one takes minutes.
PollerModel.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
TestPollerModel = PollerModel.TestCase
