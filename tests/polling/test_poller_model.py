"""Invariants of the poller, whatever happens to it, with Hypothesis."""

import itertools
import math

from hypothesis import Phase, settings, stateful

from airflow_provider_renderbus.api.errors import AuthError, NotFound, UnknownTask
from airflow_provider_renderbus.api.validation import MAX_PAGE_SIZE
from airflow_provider_renderbus.polling.error_tolerance import MAX_MISSES
from airflow_provider_renderbus.polling.shared_queries import MAX_CONCURRENCY
from airflow_provider_renderbus.polling.watchers import FINAL_POLL_TIMEOUT, DeadlineExceeded
from tests.polling.poller_harness import INTERVAL, WRONG_KEY
from tests.polling.poller_world import HALF_A_SECOND, TOLERANCE, PollerWorld


class PollerModel(PollerWorld):
    """See above."""

    @stateful.rule()
    def refuse_key(self):
        """All waits end within an interval, and later ones work when the key is accepted again."""
        self.serve_all_waits()
        self.healthy_since = math.inf
        self.farm.error = WRONG_KEY
        self.sleep(INTERVAL + TOLERANCE)
        assert not self.waits
        self.end_trouble()

    @stateful.rule()
    def serve_all_waits(self):
        """End the trouble for so long that the invariants require every update, and every end."""
        self.end_trouble()
        self.sleep(max(0.0, self.healthy_since - self.now) + INTERVAL + TOLERANCE)
        self.waits_have_updates_in_time()
        self.sleep(MAX_MISSES * INTERVAL)

    @stateful.invariant()
    def poller_runs(self):
        assert not self.running.done()

    @stateful.invariant()
    def waits_have_updates_in_time(self):
        """An interval after a change or after trouble; new waits without trouble at once."""
        for wait in self.waits:
            task_id = wait.task_id
            if task_id in self.removed or task_id == self.farm.refused_id:
                continue
            if self.now - max(self.healthy_since, self.changed[task_id], wait.since) >= INTERVAL + TOLERANCE:
                assert wait.versions[-1:] == [self.version[task_id]]
            joined_without_trouble = wait.since - self.healthy_since > 2 * INTERVAL
            if (
                joined_without_trouble
                and not self.was_absent(task_id, wait.since + HALF_A_SECOND)
                and self.now - wait.since >= TOLERANCE
            ):
                assert wait.versions, "no first update"

    @stateful.invariant()
    def updates_are_new_and_in_order(self):
        for wait in [*self.waits, *(wait for wait, _ in self.ended)]:
            assert all(before < after for before, after in itertools.pairwise(wait.versions))

    @stateful.invariant()
    def waits_end_in_time(self):
        for wait in self.waits:
            is_healthy = wait.deadline - self.healthy_since > 2 * INTERVAL
            assert self.now <= wait.deadline + (0.0 if is_healthy else FINAL_POLL_TIMEOUT) + TOLERANCE
            missing_since = max(self.removed.get(wait.task_id, math.inf), wait.since, self.healthy_since)
            assert self.now - missing_since <= MAX_MISSES * INTERVAL + TOLERANCE

    @stateful.invariant()
    def ended_waits_have_a_cause(self):
        for wait, error in self.ended:
            if isinstance(error, DeadlineExceeded):
                assert self.now >= wait.deadline
                self.assert_final_poll_at_deadline(wait)
            elif isinstance(error, UnknownTask):
                polls = [moment for moment, page in self.farm.requests if wait.task_id in page]
                assert sum(self.was_absent(wait.task_id, moment) for moment in polls) >= MAX_MISSES
                assert error.task_id == wait.task_id
            elif isinstance(error, NotFound):
                assert wait.task_id == self.farm.refused_id
            else:
                assert isinstance(error, AuthError)
        self.ended.clear()

    def was_absent(self, task_id, moment):
        absences = [*self.absences, (task_id, self.removed.get(task_id, math.inf), math.inf)]
        return any(absent == task_id and start <= moment <= end for absent, start, end in absences)

    def assert_final_poll_at_deadline(self, wait):
        if wait.deadline - self.healthy_since > 2 * INTERVAL:
            polls = [moment for moment, page in self.farm.requests if wait.task_id in page]
            assert polls[-1] >= wait.deadline

    @stateful.invariant()
    def requests_are_few(self):
        """N / 100 per interval, the joins and deadlines, two per failure (halves of a page), and one more.

        After trouble half as much again: the backlog is worked off.
        """
        assert self.farm.max_in_flight <= MAX_CONCURRENCY
        end = self.now
        start = end - INTERVAL
        max_waits = max(
            [count for moment, count in self.wait_counts if moment < start][-1:]
            + [count for moment, count in self.wait_counts if moment >= start],
            default=0,
        )
        pages = math.ceil(max_waits / MAX_PAGE_SIZE)
        if not self.healthy_since < start - INTERVAL:
            pages += math.ceil(pages / 2)
        pages += 2 * sum(moment >= start - TOLERANCE - self.recovery_seconds for moment in self.farm.failures)
        allowed = pages + self.urgent_pages(start - TOLERANCE, end) + 1
        assert self.farm.request_count(start, end + TOLERANCE) <= allowed

    @stateful.invariant()
    def requests_are_fewer_during_an_outage(self):
        """What was in flight fails; then the back-off is 1, 2, 4, 8 and 15 s, and again 15 s."""
        if self.now - self.down_since > INTERVAL:
            assert self.farm.request_count(self.now - INTERVAL, self.now) <= MAX_CONCURRENCY + 7

    def urgent_pages(self, start, end):
        """Return the pages for joins and deadlines: a hundredth of those of each half second."""
        pages = 0
        urgent = sorted((moment, task_id) for moment, task_id in self.urgent if start <= moment <= end)
        while urgent:
            closes_at = urgent[0][0] + HALF_A_SECOND
            batch = {task_id for moment, task_id in urgent if moment < closes_at}
            urgent = [(moment, task_id) for moment, task_id in urgent if moment >= closes_at]
            pages += math.ceil(len(batch) / MAX_PAGE_SIZE)
        return pages

    @stateful.invariant()
    def only_awaited_tasks_are_polled(self):
        assert not self.farm.unawaited_requests
        assert len(self.poller._schedule) == len(self._awaited_ids())

    @stateful.invariant()
    def an_outage_is_logged_once_in_each_task_log(self):
        for render, lines in self.warnings.items():
            absent = [*self.removed, *(task_id for task_id, *_ in self.absences)]
            absences = sum(f"Render {task_id}" == render for task_id in absent)
            assert lines <= self.wait_count[render] * (self.outages + absences)


# A failing run is shown as it is: to shrink it takes minutes.
PollerModel.TestCase.settings = settings(
    stateful_step_count=30,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
TestPollerModel = PollerModel.TestCase
