"""What can happen to a poller: joins, leaves, deadlines, changes, failures and slow answers, in any order."""

import asyncio
import contextlib
import logging
import math

from hypothesis import stateful
from hypothesis import strategies as st

from airflow_provider_renderbus.api.errors import NoResponse, NotFound, UnknownTask
from airflow_provider_renderbus.api.validation import MAX_PAGE_SIZE
from airflow_provider_renderbus.polling.error_tolerance import MAX_MISSES
from airflow_provider_renderbus.polling.poller import Poller
from dev.harness.virtual_time_loop import VirtualTimeLoop
from tests.polling.fake_farm import FakeFarm, item
from tests.polling.poller_harness import DOWN, INTERVAL

NUMBERS = range(1, 301)
# Few enough that the same happens to the same tasks again.
BLOCKS = st.builds(
    lambda start, size: range(start, min(start + size, NUMBERS[-1] + 1)),
    st.sampled_from([1, 30, 101, 299]),
    st.sampled_from([1, 70, 100, 101, 250]),
)
FORGETTABLE = st.sampled_from([31, 130])
REFUSED = 32
SECONDS = st.sampled_from([0.0, 0.1, 0.5, 1.0, 7.0, 60.0, 200.0])
BUSY = NoResponse("query_task_info", "busy", retry_after=100.0)
# What the poller promises, not what it does: its own figure is not asked for.
HALF_A_SECOND = 0.5
# A second for gathering and for what runs at one moment.
A_MOMENT = 1.0
FOR_EVER = 1e7


class Waiter:
    """Somebody who waits: for which task, until when, since when, and what it heard."""

    def __init__(self, poller, number, deadline):
        self.number = number
        self.deadline = deadline
        self.since = asyncio.get_running_loop().time()
        self.heard = []
        self.task = asyncio.ensure_future(self._wait(poller))

    async def _wait(self, poller):
        async with contextlib.aclosing(poller.watch(self.number, INTERVAL, self.deadline)) as tasks:
            async for task in tasks:
                assert task.id == self.number, "it hears of another's task"
                self.heard.append(task.progress.done)


class StrictFarm(FakeFarm):
    """Notes whoever is asked for and not waited for, and may refuse a page because of a number.

    :ivar waited_for: tells for which numbers somebody waits.
    """

    def __init__(self, numbers, waited_for):
        super().__init__(numbers)
        self.waited_for = waited_for
        self.strangers = set()
        self.refuses = None

    async def send(self, call):
        numbers = call.body["taskIds"]
        assert 0 < len(numbers) == len(set(numbers)) <= MAX_PAGE_SIZE
        self.strangers |= set(numbers) - self.waited_for()
        # An answer tells what was true when the request came: a slow one is old.
        known = [self.items[number] for number in numbers if number in self.items]
        await super().send(call)
        if self.refuses in numbers:
            self.failed.append(asyncio.get_running_loop().time())
            raise NotFound("query_task_info", 404, "")
        return call.read({"items": known})


class PollerWorld(stateful.RuleBasedStateMachine):
    """A farm, a poller and those who wait; what has to be true of them is told where it is checked.

    The frames that are done of a task are the number of its version, so that what is heard tells its age.
    """

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self.waiters = []
        self.ended = []
        # Moments: when a task was changed last, since when it is gone, when something was hurried.
        self.version = dict.fromkeys(NUMBERS, 0)
        self.changed = dict.fromkeys(NUMBERS, 0.0)
        self.gone = {}
        self.away = []
        self.hurried = []
        self.counts = []
        # Since when the farm answers everything at once and may be asked; infinity while it does not.
        self.well_since = -math.inf
        self.down_since = math.inf
        self.lingers = 0.0
        self.felt_until = -math.inf
        self.outages = 0
        self.warnings = 0
        self.runner.run(self._open())

    async def _open(self):
        self.loop = asyncio.get_running_loop()
        self.farm = StrictFarm(NUMBERS, self._waited_for)
        self.poller = Poller(self.farm, INTERVAL, clock=self.loop.time)
        self.serving = asyncio.ensure_future(self.poller.run())
        self.log = logging.getLogger("airflow_provider_renderbus.polling.poller")
        self.log.addFilter(self._count)

    def _count(self, record):
        self.warnings += "poll failed" in record.msg
        return False

    def teardown(self):
        async def close():
            tasks = [self.serving, *(waiter.task for waiter in self.waiters)]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.log.removeFilter(self._count)
        self.runner.run(close())
        self.runner.close()

    def _waited_for(self):
        return {waiter.number for waiter in self.waiters if not waiter.task.done()}

    @property
    def now(self):
        return self.loop.time()

    def do(self, body):
        """Let the loop work, and look at who has ended."""

        async def doing():
            await body()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        self.runner.run(doing())
        for waiter in [waiter for waiter in self.waiters if waiter.task.done()]:
            self.waiters.remove(waiter)
            if not waiter.task.cancelled():
                self.ended.append((waiter, waiter.task.exception()))
        self.counts.append((self.now, len({waiter.number for waiter in self.waiters})))

    # What can happen. Each rule lets some time pass, so that little has to come together for much to happen.

    @stateful.initialize(block=BLOCKS, seconds=SECONDS)
    def begin(self, block, seconds):
        self.join(block, FOR_EVER, seconds)

    @stateful.rule(
        block=BLOCKS, left=st.sampled_from([FOR_EVER, FOR_EVER, 0.0, 0.2, 30.0, 100.0]), seconds=SECONDS
    )
    def join(self, block, left, seconds):
        async def body():
            deadline = self.now + left
            self.waiters += [Waiter(self.poller, number, deadline) for number in block]
            self.hurried += [(self.now, number) for number in block]
            self.hurried += [(deadline, number) for number in block]

        self.counts.append((self.now, len({*block, *(waiter.number for waiter in self.waiters)})))
        self.do(body)
        self.wait(seconds)

    @stateful.rule(block=BLOCKS, seconds=SECONDS)
    def leave(self, block, seconds):
        async def body():
            leaving = [waiter.task for waiter in self.waiters if waiter.number in block]
            for task in leaving:
                task.cancel()
            await asyncio.gather(*leaving, return_exceptions=True)

        self.do(body)
        self.wait(seconds)

    @stateful.rule(block=BLOCKS, seconds=SECONDS)
    def change(self, block, seconds):
        for number in block:
            self.version[number] += 1
            self.changed[number] = self.now
            if number in self.farm.items:
                self.farm.items[number] = item(number, done=self.version[number])
        self.wait(seconds)

    @stateful.rule(number=FORGETTABLE, seconds=SECONDS)
    def forget(self, number, seconds):
        if self.farm.items.pop(number, None):
            self.gone[number] = self.now
        self.wait(seconds)

    @stateful.rule(number=FORGETTABLE, times=st.integers(1, MAX_MISSES))
    def fall_short(self, number, times):
        """Some answers are short of a task, but no three in a row: that ends nothing."""
        if number in self.gone:
            return
        asked_for_more = any(each.number == number and each.deadline < FOR_EVER for each in self.waiters)
        in_good_times = self.now - self.well_since > 2 * INTERVAL
        for _ in range(times):
            known = self.farm.items.pop(number)
            self.gone[number] = self.now
            self.wait(INTERVAL / 2)
            self.farm.items[number] = known
            self.changed[number] = self.now
            self.away.append((number, self.gone.pop(number), self.now))
            self.wait(INTERVAL + A_MOMENT)
        if in_good_times and not asked_for_more:
            assert not any(
                isinstance(reason, UnknownTask) for each, reason in self.ended if each.number == number
            )

    @stateful.rule(block=BLOCKS)
    def overtake(self, block):
        """A slow answer comes after a newer one."""
        self.trouble("slower", 0.0)
        self.join(block, FOR_EVER, 0.6)
        self.answer()
        self.change(block, 0.0)
        self.join(block, FOR_EVER, 3.0)

    @stateful.rule(block=BLOCKS, seconds=SECONDS)
    def refuse(self, block, seconds):
        """From now on a page is refused for one of its numbers."""
        self.farm.refuses = REFUSED
        self.join(block, FOR_EVER, seconds)

    @stateful.rule(
        kind=st.sampled_from(["down", "busy", "hangs", "slow", "slower"]),
        seconds=st.sampled_from([0.5, 60.0, 200.0]),
    )
    def trouble(self, kind, seconds):
        """Begin bad times, which may be felt for some seconds after their end."""
        self.outages += self.well_since != math.inf
        self.well_since = math.inf
        match kind:
            case "hangs":
                self.farm.open.clear()
            case "slow" | "slower":
                self.farm.delay = 0.3 if kind == "slow" else 3.0
                self.lingers = max(self.lingers, 3.0)
            case _:
                self.farm.error = DOWN if kind == "down" else BUSY
                self.lingers = max(self.lingers, self.farm.error.retry_after or 0.0)
                self.down_since = min(self.down_since, self.now)
        self.wait(seconds)

    @stateful.rule(seconds=SECONDS)
    def answer(self, seconds=0.0):
        async def body():
            self.farm.error = None
            self.farm.delay = 0.0
            self.farm.open.set()

        self.down_since = math.inf
        self.do(body)
        if self.well_since == math.inf:
            self.felt_until = max(self.felt_until, self.now + self.lingers)
            self.well_since = max(self.felt_until, self.now)
            self.lingers = 0.0
        self.wait(seconds)

    def wait(self, seconds):
        async def body():
            await asyncio.sleep(seconds)

        self.do(body)
