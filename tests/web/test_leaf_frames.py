"""The frames of a layer: what is read again, and what a viewer gets."""

import json

import pytest

from airflow_provider_renderbus.web.farm_view import Activity, FarmView
from airflow_provider_renderbus.web.leaf_frames import MAX_PAGES_PER_RESPONSE, LeafFrames
from dev.harness.embedded_farm import settings_of
from tests.farm.raw_client import RECOMMIT, job

FRAMES = "query_task_frames"


@pytest.fixture
def pictures():
    return False


@pytest.fixture
def look(view, time):
    """Returns the frames of a render after a new look at the farm."""

    async def look(render):
        time.now += 10.0
        task = (await view.look({render: Activity(True, time.now)}))[render].task
        frames = await view.frames(task)
        while not frames.is_loaded:
            await frames.update((await view.connect())[0], task, time.now)
        return frames

    return look


def since(answer):
    """What a viewer sends that has this answer."""
    return f"{answer['series']}-{answer['version']}"


def states(frames, since=""):
    """The states of frames by their names, of the pages that have changed, put in order as the page does."""
    answer = json.loads(frames.to_json(since))
    return {
        name: state
        for page in sorted(answer["pages"], key=lambda page: page["page"])
        for name, state in zip(page["names"], page["states"], strict=True)
    }


async def test_frames_of_several_pages_have_all_names_in_order(look, client):
    render = client.submit(job(frames="1-250[1]"))
    frames = await look(render)
    assert list(states(frames)) == [str(number) for number in range(1, 251)]
    assert frames.total == 250
    assert json.loads(frames.to_json(""))["complete"] is True
    assert client.farm.request_counts[FRAMES] == 3


async def test_frames_of_unchanged_render_are_not_read_again(look, client):
    render = client.submit(job(frames="1-250[1]"))
    frames = await look(render)
    version = since(json.loads(frames.to_json("")))
    for _ in range(3):
        assert states(await look(render), version) == {}
    assert client.farm.request_counts[FRAMES] == 3


async def test_frames_that_are_done_are_not_read_again(look, client):
    render = client.submit(job(frames="1-250[1]"))
    client.farm.advance(5_000)
    first = await look(render)
    done = sum(state == 4 for state in states(first).values())
    assert 100 < done < 250
    before = client.farm.request_counts[FRAMES]
    version = since(json.loads(first.to_json("")))
    client.farm.advance(100_000)
    assert set(states(await look(render)).values()) == {4}
    assert client.farm.request_counts[FRAMES] - before == 3 - done // 100
    assert "1" not in states(first, version)


async def test_frames_recommitted_are_shown_though_their_page_was_done(look, client):
    render = client.submit(job(frames="1-120[1]"))
    client.farm.advance(100_000)
    frames = await look(render)
    assert set(states(frames).values()) == {4}
    version, frame = since(json.loads(frames.to_json(""))), frames.sprite_frames(0)[3]
    client.call(RECOMMIT, ids=[frame.id], selectAll=0)
    assert states(await look(render), version)["4"] != 4
    assert frames.find(frame.id)[0].recommits == 1


async def test_sprite_frames_are_those_that_are_done(look, client):
    render = client.submit(job(frames="1-45[1]"))
    client.farm.advance(10_000)
    frames = await look(render)
    ids = [int(each) for page in json.loads(frames.to_json(""))["pages"] for each in page["ids"]]
    assert [frame.id for frame in frames.sprite_frames(0)] == ids[:20]
    assert [frame.id for frame in frames.sprite_frames(2)] == ids[40:]
    assert frames.sprite_frames(3) is None
    assert frames.sprite_frames(10**9) is None
    assert frames.find(ids[44])[0].id == ids[44]
    assert frames.find(1) is None


async def test_frames_without_response_show_the_problem_and_wait_for_the_interval(view, client, time):
    render = client.submit()
    task = (await view.look({render: Activity(True, time.now)}))[render].task
    client.farm.inject("code", code=500, calls=[FRAMES])
    for _ in range(5):
        frames = await view.frames(task)
        answer = json.loads(frames.to_json(""))
        assert "query_task_frames" in answer["problem"]
        assert answer["complete"] is True
    assert client.farm.request_counts[FRAMES] == 1


async def test_frames_of_many_pages_come_in_parts(look, client):
    frames = await look(client.submit(job(frames="1-2500[1]")))
    names, version, parts = [], "", 0
    while True:
        answer = json.loads(frames.to_json(version))
        names += [name for page in answer["pages"] for name in page["names"]]
        version, parts = since(answer), parts + 1
        if answer["complete"]:
            break
        assert len(answer["pages"]) == MAX_PAGES_PER_RESPONSE
    assert parts == 3
    assert sorted(names, key=int) == [str(number) for number in range(1, 2501)]
    assert json.loads(frames.to_json(version))["pages"] == []


async def test_frames_of_two_server_processes_have_all_pages_for_one_viewer(farm, client, time):
    render = client.submit(job(frames="1-2500[1]"))
    views = [FarmView(lambda: settings_of(farm.connection()), 10.0, time) for _ in range(2)]
    processes = []
    for view in views:
        task = (await view.look({render: Activity(False, 0.0)}))[render].task
        frames = await view.frames(task)
        while not frames.is_loaded:
            await frames.update((await view.connect())[0], task, time.now)
        processes.append(frames)
    pages, versions, completed = set(), {}, []
    for number in range(6):
        answer = json.loads(processes[number % 2].to_json(",".join(versions.values())))
        pages |= {page["page"] for page in answer["pages"]}
        versions[answer["series"]] = since(answer)
        completed.append(answer["complete"])
    assert pages == set(range(25))
    assert completed == [False] * 4 + [True] * 2
    for view in views:
        await view.close()


@pytest.mark.parametrize("text", ["", "7", "-", "abc-1", ",,,", "{series}-x", "{series}-", "{series}-٣"])
async def test_frames_since_what_is_no_version_are_all(look, client, text):
    frames = await look(client.submit(job(frames="1-3[1]")))
    series = json.loads(frames.to_json(""))["series"]
    assert len(states(frames, text.format(series=series))) == 3


async def test_frames_not_read_yet_have_no_total():
    """A viewer keeps the frames that another process has read."""
    answer = json.loads(LeafFrames(1, 10.0).to_json("abc-7"))
    assert (answer["total"], answer["complete"]) == (None, False)
