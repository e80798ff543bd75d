"""Looks at the farm: how many requests, and what is shown when it does not respond as expected."""

import asyncio
from dataclasses import replace

import pytest

from airflow_provider_renderbus.api.calls import tasks as task_calls
from airflow_provider_renderbus.api.parsing import ParseError
from airflow_provider_renderbus.web import farm_view
from airflow_provider_renderbus.web.farm_view import Activity, FarmView
from dev.harness.embedded_farm import settings_of
from tests.farm.raw_client import CREATE, DELETE, STOP

RUNNING, ENDED = Activity(True, 0.0), Activity(False, 0.0)
LOOKS = "query_task_info"


@pytest.fixture
def pictures():
    return False


async def test_look_twenty_viewers_of_hundred_renders_send_one_request_per_interval(view, client, time):
    ids = dict.fromkeys(client.call(CREATE, count=100)["taskIdList"], RUNNING)
    for interval in range(1, 4):
        looks = await asyncio.gather(*(view.look(ids) for _ in range(20)))
        assert all(look.keys() == ids.keys() for look in looks)
        for _ in range(9):
            time.now += 1.0
            await view.look(ids)
        assert client.farm.request_counts[LOOKS] == interval
        time.now += 1.0


async def test_look_renders_of_several_pages_share_requests(view, client, time):
    ids = [each for _ in range(2) for each in client.call(CREATE, count=60)["taskIdList"]]
    first, second = dict.fromkeys(ids[:60], RUNNING), dict.fromkeys(ids[60:], RUNNING)
    await asyncio.gather(view.look(first), view.look(second))
    before = client.farm.request_counts[LOOKS]
    for _ in range(5):
        time.now += 10.0
        await asyncio.gather(view.look(first), view.look(second))
    assert client.farm.request_counts[LOOKS] - before == 5 * 2


async def test_look_finished_render_is_not_looked_at_again(view, client, time):
    render = client.submit()
    client.farm.advance(10_000)
    for _ in range(5):
        look = (await view.look({render: RUNNING}))[render]
        assert look.task.status.name == "FINISHED"
        time.now += 60.0
    assert client.farm.request_counts[LOOKS] == 1


async def test_look_stopped_render_is_looked_at_only_while_its_task_may_restart_it(view, client, time):
    render = client.submit()
    client.call(STOP, taskIds=[render])
    await view.look({render: ENDED})
    time.now += 10.0
    await view.look({render: ENDED})
    assert client.farm.request_counts[LOOKS] == 1
    time.now += 10.0
    await view.look({render: RUNNING})
    assert client.farm.request_counts[LOOKS] == 2


async def test_look_finished_render_is_looked_at_once_more_when_a_task_began_or_ended(view, client, time):
    render = client.submit()
    client.farm.advance(10_000)
    await view.look({render: RUNNING})
    time.now += 20.0
    for _ in range(3):
        await view.look({render: Activity(False, 1_000_015.0)})
        time.now += 20.0
    assert client.farm.request_counts[LOOKS] == 2


async def test_look_deleted_render_is_not_looked_at_again(view, client, time):
    render = client.submit()
    client.farm.advance(10_000)
    client.call(DELETE, taskIds=[render])
    for _ in range(3):
        await view.look({render: ENDED})
        time.now += 20.0
    assert client.farm.request_counts[LOOKS] == 1


async def test_look_nobody_views_sends_nothing_for_the_render(view, client, time):
    viewed, closed = client.submit(), client.submit()
    await view.look({viewed: RUNNING, closed: RUNNING})
    for _ in range(10):
        time.now += 10.0
        await view.look({viewed: RUNNING})
    assert view.last_look(closed).time < time.now - 30.0


async def test_look_deleted_render_shows_problem_and_other_renders(view, client, time):
    kept, deleted = client.submit(), client.submit()
    client.farm.advance(10_000)
    client.call(DELETE, taskIds=[deleted])
    looks = await view.look({kept: RUNNING, deleted: ENDED, 999_999_999: ENDED})
    assert looks[kept].task.id == kept
    assert looks[deleted].task.is_deleted
    assert "no such render" in looks[999_999_999].problem
    assert view.problem == ""


async def test_look_unreadable_render_does_not_hide_the_others(view, client, monkeypatch):
    renders = [client.submit() for _ in range(5)]
    read_page = task_calls._read_page

    def read_or_fail(data):
        if any(item["id"] == renders[2] for item in data["items"]):
            raise ParseError("TaskInfo.taskStatus: must be an integer")
        return read_page(data)

    monkeypatch.setattr(task_calls, "_read_page", read_or_fail)
    looks = await view.look(dict.fromkeys(renders, RUNNING))
    assert [looks[each].task is None for each in renders] == [False, False, True, False, False]
    assert "cannot be read" in looks[renders[2]].problem


async def test_look_farm_is_down_shows_last_look_and_asks_later_and_later(view, client, time):
    render = client.submit()
    await view.look({render: RUNNING})
    seen = view.last_look(render)
    client.farm.inject("drop", calls=[LOOKS])
    pauses = []
    for _ in range(5):
        time.now += view.seconds_to_look
        looks = await view.look({render: RUNNING})
        assert looks[render] == seen
        assert "no response from" in view.problem
        pauses.append(view.seconds_to_look)
    assert pauses == [20.0, 40.0, 80.0, 120.0, 120.0]
    assert client.farm.request_counts[LOOKS] == 6
    client.farm.clear_faults()
    time.now += view.seconds_to_look
    assert (await view.look({render: RUNNING}))[render].time == time.now
    assert view.problem == ""


async def test_look_farm_is_slow_shows_last_look_meanwhile(view, client, time, monkeypatch):
    monkeypatch.setattr("airflow_provider_renderbus.web.farm_view.SECONDS_TO_WAIT", 0.05)
    render = client.submit()
    seen = (await view.look({render: RUNNING}))[render]
    client.farm.inject("delay", seconds=0.5, calls=[LOOKS], times=1)
    time.now += 10.0
    looks = await asyncio.gather(*(view.look({render: RUNNING}) for _ in range(5)))
    assert looks == [{render: seen}] * 5
    # A new render waits for its first look, and so for the one under way.
    await view.look({client.submit(): RUNNING})
    assert view.last_look(render) != seen
    assert client.farm.request_counts[LOOKS] == 3


async def test_look_unusable_connection_is_a_problem(time):
    def read_settings():
        raise ValueError("connection 'x': must be of type renderbus")

    view = FarmView(read_settings, 10.0, time)
    assert await view.look({1: RUNNING}) == {}
    assert view.problem == "connection 'x': must be of type renderbus"


async def test_look_other_account_drops_the_renders_of_the_first(farm, client, time):
    render = client.submit()
    settings = [settings_of(farm.connection())]
    view = FarmView(lambda: settings[0], 10.0, time)
    await view.look({render: RUNNING})
    settings[0] = replace(settings[0], access_id="another")
    time.now += 10.0
    assert await view.look({render: RUNNING}) == {}
    assert view.problem
    await view.close()


async def test_seconds_to_look_nothing_to_look_at_is_the_interval(view, client, time):
    """Pages of renders that have ended come back each interval, not each second."""
    render = client.submit()
    client.farm.advance(10_000)
    for _ in range(3):
        await view.look({render: ENDED})
        assert view.seconds_to_look == 10.0
        time.now += 10.0


async def test_look_nothing_to_look_at_any_more_clears_the_problem(view, client, time):
    finished = client.submit()
    client.farm.advance(10_000)
    await view.look({finished: ENDED})
    running = client.submit()
    await view.look({running: RUNNING})
    client.farm.inject("drop", calls=[LOOKS])
    time.now += 10.0
    await view.look({running: RUNNING})
    assert view.problem
    time.now += 300.0
    await view.look({finished: ENDED})
    assert view.problem == ""


async def test_look_more_renders_than_are_kept_shows_each_and_asks_once(view, client, time, monkeypatch):
    monkeypatch.setattr(farm_view, "MAX_RENDERS", 5)
    viewed = dict.fromkeys(client.call(CREATE, count=8)["taskIdList"], RUNNING)
    for _ in range(3):
        assert (await view.look(viewed)).keys() == viewed.keys()
        time.now += 1.0
    assert client.farm.request_counts[LOOKS] == 1
    time.now += 100.0
    others = dict.fromkeys(client.call(CREATE, count=4)["taskIdList"], RUNNING)
    await view.look(others)
    kept = [each for each in (*viewed, *others) if view.last_look(each)]
    assert len(kept) == 5
    assert others.keys() <= set(kept)
