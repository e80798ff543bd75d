"""What can happen to a poller: joins, leaves, deadlines, changes, failures and slow answers, in any order."""

import asyncio
import logging
import math
from collections import Counter

from hypothesis import stateful, strategies as st

from airflow_provider_renderbus.api.errors import NoResponse, NotFound, UnknownTask
from airflow_provider_renderbus.api.validation import MAX_PAGE_SIZE
from airflow_provider_renderbus.polling.error_tolerance import MAX_MISSES
from airflow_provider_renderbus.polling.poller import Poller
from dev.harness.virtual_time_loop import VirtualTimeLoop
from tests.polling.fake_farm import FakeFarm, task_item
from tests.polling.poller_harness import DOWN, INTERVAL

TASK_IDS = range(1, 301)
# Few enough that the same happens to the same tasks again.
BLOCKS = st.builds(
    lambda start, size: range(start, min(start + size, TASK_IDS[-1] + 1)),
    st.sampled_from([1, 30, 101, 299]),
    st.sampled_from([1, 70, 100, 101, 250]),
)
REMOVABLE = st.sampled_from([31, 130])
REFUSED = 32
SECONDS = st.sampled_from([0.0, 0.1, 0.5, 1.0, 7.0, 60.0, 200.0])
BUSY = NoResponse("query_task_info", "busy", retry_after=100.0)
# The poller's promise, not its constant: JOIN_WINDOW is not used here.
HALF_A_SECOND = 0.5
# A second for joining and for what happens at one moment.
TOLERANCE = 1.0
NEVER = 1e7


class Wait:
    """A wait for a task: its deadline, its beginning and the versions of the task that it got."""

    def __init__(self, poller, task_id, deadline):
        self.task_id = task_id
        self.deadline = deadline
        self.since = asyncio.get_running_loop().time()
        self.versions = []
        self.task = asyncio.ensure_future(self._wait(poller))

    async def _wait(self, poller):
        with poller.watch(self.task_id, INTERVAL, self.deadline) as watcher:
            while True:
                task = await watcher.next_update()
                assert task.id == self.task_id, "an update of another task"
                self.versions.append(task.progress.done)


class StrictFarm(FakeFarm):
    """Records requests for tasks that nobody waits for, and can refuse a page because of one task.

    :ivar awaited_ids: returns the ids that somebody waits for.
    """

    def __init__(self, task_ids, awaited_ids):
        super().__init__(task_ids)
        self.awaited_ids = awaited_ids
        self.unawaited_requests = set()
        self.refused_id = None

    async def send(self, call):
        task_ids = call.body["taskIds"]
        assert 0 < len(task_ids) == len(set(task_ids)) <= MAX_PAGE_SIZE
        self.unawaited_requests |= set(task_ids) - self.awaited_ids()
        # An answer has the state at the time of the request: a slow one is old.
        items = [self.items[task_id] for task_id in task_ids if task_id in self.items]
        await super().send(call)
        if self.refused_id in task_ids:
            self.failures.append(asyncio.get_running_loop().time())
            raise NotFound("query_task_info", 404, "")
        return call.read({"items": items})


class PollerWorld(stateful.RuleBasedStateMachine):
    """A farm, a poller and waits, and the rules of what can happen; subclasses add the invariants.

    The number of done frames of a task is its version, so an update shows its age.
    """

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self.waits = []
        self.ended = []
        # Times: of a task's last change, of its removal, of its joins and deadlines.
        self.version = dict.fromkeys(TASK_IDS, 0)
        self.changed = dict.fromkeys(TASK_IDS, 0.0)
        self.removed = {}
        self.absences = []
        self.urgent = []
        self.wait_counts = []
        # Since when the farm answers at once and the back-off is over; infinity during trouble.
        self.healthy_since = -math.inf
        self.down_since = math.inf
        self.recovery_seconds = 0.0
        self.recovered_at = -math.inf
        self.outages = 0
        # Lines by render which say that polling began to fail, and waits by render.
        self.warnings = Counter()
        self.wait_count = Counter()
        self.runner.run(self._open())

    async def _open(self):
        self.loop = asyncio.get_running_loop()
        self.farm = StrictFarm(TASK_IDS, self._awaited_ids)
        self.poller = Poller(self.farm, INTERVAL, clock=self.loop.time)
        self.running = asyncio.ensure_future(self.poller.run())
        self.log = logging.getLogger("airflow_provider_renderbus.polling.watchers")
        self.log.addFilter(self._count_warnings)

    def _count_warnings(self, record):
        if "poll failed" in record.msg:
            self.warnings[record.args[0]] += 1
        return False

    def teardown(self):
        async def close():
            tasks = [self.running, *(wait.task for wait in self.waits)]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.log.removeFilter(self._count_warnings)
        self.runner.run(close())
        self.runner.close()

    def _awaited_ids(self):
        return {wait.task_id for wait in self.waits if not wait.task.done()}

    @property
    def now(self):
        return self.loop.time()

    def run_loop(self, body):
        """Run the loop for a coroutine function, and collect the waits that have ended."""

        async def main():
            await body()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        self.runner.run(main())
        for wait in [wait for wait in self.waits if wait.task.done()]:
            self.waits.remove(wait)
            if not wait.task.cancelled():
                self.ended.append((wait, wait.task.exception()))
        self.wait_counts.append((self.now, len({wait.task_id for wait in self.waits})))

    # The rules. Each lets some time pass, so that a few rules are enough for much to happen.

    @stateful.initialize(block=BLOCKS, seconds=SECONDS)
    def begin(self, block, seconds):
        self.join(block, NEVER, seconds)

    @stateful.rule(block=BLOCKS, left=st.sampled_from([NEVER, NEVER, 0.0, 0.2, 30.0, 100.0]), seconds=SECONDS)
    def join(self, block, left, seconds):
        async def body():
            deadline = self.now + left
            self.waits += [Wait(self.poller, task_id, deadline) for task_id in block]
            self.wait_count.update(f"Render {task_id}" for task_id in block)
            self.urgent += [(self.now, task_id) for task_id in block]
            self.urgent += [(deadline, task_id) for task_id in block]

        self.wait_counts.append((self.now, len({*block, *(wait.task_id for wait in self.waits)})))
        self.run_loop(body)
        self.sleep(seconds)

    @stateful.rule(block=BLOCKS, seconds=SECONDS)
    def leave(self, block, seconds):
        async def body():
            leaving = [wait.task for wait in self.waits if wait.task_id in block]
            for task in leaving:
                task.cancel()
            await asyncio.gather(*leaving, return_exceptions=True)

        self.run_loop(body)
        self.sleep(seconds)

    @stateful.rule(block=BLOCKS, seconds=SECONDS)
    def change(self, block, seconds):
        for task_id in block:
            self.version[task_id] += 1
            self.changed[task_id] = self.now
            if task_id in self.farm.items:
                self.farm.items[task_id] = task_item(task_id, done=self.version[task_id])
        self.sleep(seconds)

    @stateful.rule(task_id=REMOVABLE, seconds=SECONDS)
    def remove(self, task_id, seconds):
        if self.farm.items.pop(task_id, None):
            self.removed[task_id] = self.now
        self.sleep(seconds)

    @stateful.rule(task_id=REMOVABLE, times=st.integers(1, MAX_MISSES))
    def lack_task_in_some_answers(self, task_id, times):
        """Some answers lack a task, but never three in a row: that ends no wait."""
        if task_id in self.removed:
            return
        has_extra_polls = any(wait.task_id == task_id and wait.deadline < NEVER for wait in self.waits)
        is_healthy = self.now - self.healthy_since > 2 * INTERVAL
        for _ in range(times):
            item = self.farm.items.pop(task_id)
            self.removed[task_id] = self.now
            self.sleep(INTERVAL / 2)
            self.farm.items[task_id] = item
            self.changed[task_id] = self.now
            self.absences.append((task_id, self.removed.pop(task_id), self.now))
            self.sleep(INTERVAL + TOLERANCE)
        if is_healthy and not has_extra_polls:
            assert not any(
                isinstance(error, UnknownTask) for wait, error in self.ended if wait.task_id == task_id
            )

    @stateful.rule(block=BLOCKS)
    def answer_out_of_order(self, block):
        """A slow answer arrives after a newer one."""
        self.begin_trouble("slower", 0.0)
        self.join(block, NEVER, 0.6)
        self.end_trouble()
        self.change(block, 0.0)
        self.join(block, NEVER, 3.0)

    @stateful.rule(block=BLOCKS, seconds=SECONDS)
    def refuse_task(self, block, seconds):
        """From now on a page is refused because of one of its tasks."""
        self.farm.refused_id = REFUSED
        self.join(block, NEVER, seconds)

    @stateful.rule(
        kind=st.sampled_from(["down", "busy", "hangs", "slow", "slower"]),
        seconds=st.sampled_from([0.5, 60.0, 200.0]),
    )
    def begin_trouble(self, kind, seconds):
        """The farm stops answering at once; the effects may last some seconds longer than the trouble."""
        self.outages += self.healthy_since != math.inf
        self.healthy_since = math.inf
        match kind:
            case "hangs":
                self.farm.gate.clear()
            case "slow" | "slower":
                self.farm.delay = 0.3 if kind == "slow" else 3.0
                self.recovery_seconds = max(self.recovery_seconds, 3.0)
            case _:
                self.farm.error = DOWN if kind == "down" else BUSY
                self.recovery_seconds = max(self.recovery_seconds, self.farm.error.retry_after or 0.0)
                self.down_since = min(self.down_since, self.now)
        self.sleep(seconds)

    @stateful.rule(seconds=SECONDS)
    def end_trouble(self, seconds=0.0):
        async def body():
            self.farm.error = None
            self.farm.delay = 0.0
            self.farm.gate.set()

        self.down_since = math.inf
        self.run_loop(body)
        if self.healthy_since == math.inf:
            self.recovered_at = max(self.recovered_at, self.now + self.recovery_seconds)
            self.healthy_since = max(self.recovered_at, self.now)
            self.recovery_seconds = 0.0
        self.sleep(seconds)

    def sleep(self, seconds):
        async def body():
            await asyncio.sleep(seconds)

        self.run_loop(body)
