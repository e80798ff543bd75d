"""Triggers that wait for frames or funds through a shared poller."""

import asyncio

from airflow_provider_renderbus.api.states import FrameStatus
from airflow_provider_renderbus.renders.conditions import FramesDone, SufficientFunds, condition_to_dict
from airflow_provider_renderbus.triggers.conditions import RenderbusConditionTrigger
from tests.polling.fake_farm import task_item
from tests.polling.poller_harness import INTERVAL, run_with_poller

RENDERING, DONE = FrameStatus.STARTED.value, FrameStatus.DONE.value


def frame_queries(harness):
    return [moment for moment, name in harness.farm.requests if name == "query_task_frames"]


def wait_for(harness, condition):
    trigger = RenderbusConditionTrigger("farm", condition_to_dict(condition), INTERVAL, 1e6)
    return asyncio.ensure_future(trigger.wait(harness.poller))


class TestConditionTrigger:
    def test_frames_trigger_fraction_queries_frames_only_once_enough_are_done(self):
        async def body(harness):
            harness.join(*range(1, 51))
            waits = [wait_for(harness, FramesDone(task_id, min_fraction=0.5)) for task_id in range(51, 101)]
            await asyncio.sleep(1)
            assert len(harness.farm.requests) == 1
            harness.farm.items[60] = task_item(60, done=5)
            harness.farm.frames[60] = {str(frame): DONE if frame < 6 else RENDERING for frame in range(1, 11)}
            await asyncio.sleep(INTERVAL)
            assert (len(harness.farm.requests), len(frame_queries(harness))) == (3, 1)
            assert [wait.result().result for wait in waits if wait.done()] == [
                {"render_task_id": 60, "done": 5, "required": 5, "total": 10, "frames": "1-5"}
            ]
            for wait in waits:
                wait.cancel()
            await asyncio.wait(waits)

        run_with_poller(range(1, 101), body)

    def test_frames_trigger_names_queries_frames_if_task_changed(self):
        async def body(harness):
            harness.farm.frames[1] = {"1": RENDERING, "2": RENDERING}
            wait = wait_for(harness, FramesDone(1, ("2",)))
            await asyncio.sleep(5 * INTERVAL)
            assert len(frame_queries(harness)) == 1
            harness.farm.items[1] = task_item(1, done=2)
            harness.farm.frames[1] = {"1": DONE, "2": DONE}
            await asyncio.sleep(INTERVAL)
            assert len(frame_queries(harness)) == 2
            assert (await wait).result == {
                "render_task_id": 1,
                "done": 1,
                "required": 1,
                "total": 2,
                "frames": "2",
            }

        run_with_poller([1], body)

    def test_frames_trigger_late_list_of_frames_is_queried_again(self):
        async def body(harness):
            harness.farm.items[1] = task_item(1, status=25, done=10)
            harness.farm.frames[1] = {"1": RENDERING}
            wait = wait_for(harness, FramesDone(1, ("1",)))
            await asyncio.sleep(2 * INTERVAL)
            assert not wait.done()
            harness.farm.frames[1] = {"1": DONE}
            await asyncio.sleep(INTERVAL)
            assert (await wait).result == {
                "render_task_id": 1,
                "done": 1,
                "required": 1,
                "total": 1,
                "frames": "1",
            }

        run_with_poller([1], body)

    def test_funds_triggers_share_a_request(self):
        async def body(harness):
            waits = [wait_for(harness, SufficientFunds(str(100 * share))) for share in range(1, 51)]
            await asyncio.sleep(3 * INTERVAL + 1)
            assert len(harness.farm.requests) <= 5
            harness.farm.profile["usdbalance"] = 5000
            await asyncio.sleep(INTERVAL)
            assert all(wait.done() for wait in waits)

        run_with_poller([], body)
