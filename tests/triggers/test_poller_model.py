"""The poller against a model: any order of joining, leaving, changes, failures and answers that are slow."""

import asyncio
import itertools
import math

from hypothesis import settings, stateful
from hypothesis import strategies as st

from airflow_provider_renderbus.api.arguments import LARGEST_PAGE
from airflow_provider_renderbus.api.errors import NoAnswer, UnknownTask
from airflow_provider_renderbus.triggers.pages import GATHERING
from tests.triggers.fake_farm import item
from tests.triggers.hand_loop import HandLoop
from tests.triggers.test_poller import INTERVAL, Scene

NUMBERS = range(1, 401)
BLOCKS = st.tuples(st.integers(1, 300), st.integers(1, 100)).map(lambda block: range(block[0], sum(block)))
SERVED_WITHIN = INTERVAL + 1


class PollerModel(stateful.RuleBasedStateMachine):
    """What has to be true of the poller whatever happens."""

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=HandLoop)
        self.done = dict.fromkeys(NUMBERS, 0)
        self.gone = set()
        self.joined = []
        self.most = []
        self.runner.run(self._open())

    async def _open(self):
        self.scene = Scene(NUMBERS)
        await self.scene.__aenter__()

    def teardown(self):
        self.runner.run(self.scene.__aexit__())
        self.runner.close()

    @property
    def watched(self):
        return [number for number, waiting in self.scene.waiting.items() if not waiting.done()]

    def do(self, body):
        async def doing():
            await body()
            await asyncio.sleep(0)

        self.runner.run(doing())
        self.most.append((self.scene.loop.time(), len(self.watched)))

    @stateful.rule(block=BLOCKS)
    def join(self, block):
        async def body():
            new = [number for number in block if number not in self.watched]
            self.scene.join(*new)
            self.joined.append((self.scene.loop.time(), len(new)))

        self.do(body)

    @stateful.rule(block=BLOCKS)
    def leave(self, block):
        async def body():
            if leaving := [number for number in block if number in self.watched]:
                await self.scene.leave(*leaving)

        self.do(body)

    @stateful.rule(block=BLOCKS)
    def change(self, block):
        for number in block:
            self.done[number] = (self.done[number] + 1) % 10
            if number in self.scene.farm.items:
                self.scene.farm.items[number] = item(number, done=self.done[number])

    @stateful.rule(number=st.sampled_from(NUMBERS))
    def forget(self, number):
        self.gone.add(number)
        self.scene.farm.items.pop(number, None)

    @stateful.rule()
    def break_down(self):
        self.scene.farm.error = NoAnswer("query_task_info", "down")

    @stateful.rule()
    def hang(self):
        self.scene.farm.open.clear()

    @stateful.rule()
    def answer(self):
        self.scene.farm.open.set()
        self.scene.farm.error = None

    @stateful.rule(seconds=st.sampled_from([0.0, 0.1, 0.5, 7.0, 60.0, 200.0]))
    def wait(self, seconds):
        async def body():
            await asyncio.sleep(seconds)

        self.do(body)

    @stateful.rule()
    def everybody_is_served(self):
        """Once the farm answers, everybody hears within an interval, or that there is no such task."""
        self.answer()
        start = self.scene.loop.time()
        self.wait(SERVED_WITHIN)
        for number in set(self.watched) - self.gone:
            assert self.scene.hears(number)[-1] == [5, self.done[number]]
        self.wait(4 * SERVED_WITHIN)
        assert all(isinstance(self.scene.ends(number), UnknownTask) for number in self._gone_since(start))
        assert not self.gone & set(self.watched)

    @stateful.invariant()
    def nobody_hears_twice(self):
        for number in self.scene.heard:
            hears = self.scene.hears(number)
            assert all(before != after for before, after in itertools.pairwise(hears))

    @stateful.invariant()
    def only_those_end_whose_task_is_gone(self):
        for number, waiting in self.scene.waiting.items():
            if waiting.done() and not waiting.cancelled():
                assert number in self.gone
                assert isinstance(waiting.exception(), UnknownTask)

    @stateful.invariant()
    def the_farm_is_not_asked_too_often(self):
        """In no interval are there more requests than a hundredth, what joins add, and one at either end."""
        end = self.scene.loop.time()
        start = end - INTERVAL
        before = [most for moment, most in self.most if moment < start][-1:]
        most = max([*before, *(most for moment, most in self.most if moment >= start)], default=0)
        joins = sum(
            math.ceil(count / LARGEST_PAGE) for moment, count in self.joined if moment >= start - GATHERING
        )
        allowed = math.ceil(most / LARGEST_PAGE) + joins + 1
        assert self.scene.farm.requests(start, end + 1) <= allowed

    def _gone_since(self, start):
        return [
            number
            for number, waiting in self.scene.waiting.items()
            if number in self.gone and waiting.done() and not waiting.cancelled()
        ]


PollerModel.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestPollerModel = PollerModel.TestCase
