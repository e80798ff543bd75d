"""What viewers of the frame wall share beside looks: the frame that stands for a render, and logs."""

from __future__ import annotations

import asyncio

import pytest

from dev.harness.embedded_farm import settings_of
from tests.airflow_version import LINE
from tests.farm.raw_client import job

if LINE >= (3, 1):
    from fastapi import HTTPException

    from tests.web.page_server import TaskKey, Wall, render_task

pytestmark = pytest.mark.skipif(LINE < (3, 1), reason="Airflow has no pages of plugins before 3.1")

FRAMES, LOG = "query_task_frames", "show_log"


@pytest.fixture
async def open_wall(farm, time):
    """Opens the wall of a DAG run with one Airflow task, and returns it with the path of that task."""
    walls = []

    def open_wall(render):
        tasks = [render_task("shots", [render])]
        walls.append(Wall(10.0, time, lambda *_: tasks, lambda _: settings_of(farm.connection())))
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
