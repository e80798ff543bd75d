"""The frame that stands for a render, and logs: all viewers of the frame wall share them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest

from airflow_provider_renderbus.farm import ManualClock
from dev.harness.embedded_farm import StockedFarm, settings_of
from tests.airflow_version import LINE
from tests.farm.raw_client import CREATE, RawClient, job

if LINE >= (3, 1):
    from fastapi import HTTPException

    from airflow_provider_renderbus.web import wall as wall_module
    from tests.web.page_server import TaskKey, Wall, create_app, render_task

pytestmark = pytest.mark.skipif(LINE < (3, 1), reason="Airflow has no pages of plugins before 3.1")

FRAMES, LOG = "query_task_frames", "show_log"


@pytest.fixture
async def open_wall(farm, time):
    """Opens the wall of a DAG run with one Airflow task, and returns it with the path of that task."""
    walls = []

    def open_wall(render, read_settings=lambda: settings_of(farm.connection()), **fields):
        tasks = [render_task("shots", [render], **fields)]
        walls.append(Wall(10.0, time, lambda *_: tasks, lambda _: read_settings()))
        return walls[-1], ("night", "run", TaskKey("shots", -1), render)

    yield open_wall
    for wall in walls:
        await wall.close()


async def test_poster_of_twenty_viewers_is_found_once(open_wall, client, time):
    render = client.submit(job(frames="1-4[1]", width="320", height="180"))
    client.farm.advance(300)
    wall, path = open_wall(render)
    posters = await asyncio.gather(*(wall.poster(*path) for _ in range(20)))
    assert len(set(posters)) == 1
    time.now += 1_000.0
    await wall.poster(*path)
    assert client.farm.request_counts[FRAMES] == 1


async def test_poster_of_render_without_done_frame_is_looked_for_once_a_minute(open_wall, client, time):
    render = client.submit(job(frames="1-4[1]", width="320", height="180"))
    wall, path = open_wall(render)
    for _ in range(5):
        with pytest.raises(HTTPException, match="no frame is done"):
            await wall.poster(*path)
    assert client.farm.request_counts[FRAMES] == 1
    client.farm.advance(10_000)
    time.now += 61.0
    assert await wall.poster(*path)


async def test_log_of_a_frame_that_is_done_is_read_once(open_wall, client):
    render = client.submit(job(frames="1-2[1]"))
    client.farm.advance(10_000)
    frame_id = client.frames(render)["items"][0]["id"]
    wall, path = open_wall(render)
    texts = {await wall.log(*path, frame_id) for _ in range(3)}
    assert len(texts) == 1
    assert client.farm.request_counts[LOG] == 1


async def test_pictures_and_logs_of_another_account_are_not_shown(open_wall, farm, client, time, tmp_path):
    """Ids of renders and frames on two farms are the same."""
    with StockedFarm(tmp_path / "other", ManualClock()) as other_farm:
        settings = [settings_of(farm.connection()), settings_of(other_farm.connection())]
        ids = []
        for each, scene in ((client, "sh010.blend"), (RawClient(other_farm), "sh020.blend")):
            render = each.submit(job(scene, "1-2[1]", width="320", height="180"))
            each.farm.advance(10_000)
            ids.append((render, each.frames(render)["items"][0]["id"]))
        assert ids[0] == ids[1]
        render, frame_id = ids[0]
        wall, path = open_wall(render, lambda: settings[0])
        shown = []
        for scene in ("sh010", "sh020", "sh010"):
            (view,) = (await wall.renders(*path[:2]))["renders"]
            assert view["name"] == scene
            pictures = await wall.poster(*path), await wall.picture(*path, frame_id)
            shown.append((*pictures, await wall.log(*path, frame_id)))
            settings.reverse()
            time.now += 10.0
        assert shown[0] == shown[2]
        assert all(one != other for one, other in zip(*shown[:2], strict=True))


async def test_key_that_was_changed_is_used_for_a_render_that_has_ended(open_wall, farm, client, time):
    render = client.submit(job(frames="1-2[1]"))
    client.farm.advance(10_000)
    right = settings_of(farm.connection())
    settings = [right]
    wall, path = open_wall(render, lambda: settings[0])
    await wall.renders(*path[:2])
    problems = []
    for settings[0] in (replace(right, access_key="wrong"), right):
        time.now += 10.0
        await wall.renders(*path[:2])
        problems.append((await wall.leaf(*path)).frames.problem)
    assert problems[0]
    assert problems[1] == ""


@pytest.mark.parametrize("max_cost", ["sNaN", "NaN", "-Infinity", "9E+999999", "-1", "none", "1_000"])
async def test_sums_budget_that_is_no_amount_is_none(open_wall, client, max_cost):
    wall, path = open_wall(client.submit(), max_cost=max_cost)
    answer = await wall.renders(*path[:2])
    assert answer["sums"]["max_cost"] is None


@pytest.mark.parametrize("lacks_pictures", [False, True])
async def test_pictures_are_cached_for_their_viewer_only_and_if_all_are_there(
    open_wall, client, lacks_pictures
):
    render = client.submit(job(frames="1-2[1]", width="320", height="180"))
    client.farm.advance(10_000)
    wall, _ = open_wall(render)
    if lacks_pictures:
        client.farm.inject("code", code=500, calls=["load_frame_thumbnail"])
    transport = httpx.ASGITransport(create_app(wall, lambda _method, _entity: lambda: None))
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as http:
        response = await http.get(f"/dags/night/runs/run/tasks/shots/-1/leaves/{render}/sprites/0")
    assert response.headers["renderbus-pictures"] == ("00" if lacks_pictures else "11")
    assert response.headers["cache-control"] == ("no-store" if lacks_pictures else "private, max-age=3600")
    assert response.headers["vary"] == "Authorization, Cookie"


async def test_page_of_too_many_renders_shows_the_first_and_how_many_more(farm, client, time, monkeypatch):
    monkeypatch.setattr(wall_module, "MAX_RENDERS_PER_PAGE", 5)
    ids = client.call(CREATE, count=8)["taskIdList"]
    tasks = [render_task("first", ids[:4]), render_task("second", ids[2:]), render_task("third", ids[7:])]
    wall = Wall(10.0, time, lambda *_: tasks, lambda _: settings_of(farm.connection()))
    answer = await wall.renders("night", "run")
    assert [int(render["id"]) for render in answer["renders"]] == ids[:5]
    assert answer["hidden"] == 3
    await wall.close()
