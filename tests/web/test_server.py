"""The frame wall in Airflow's API server: who sees what, and what hostile data does."""

from __future__ import annotations

import concurrent.futures
import io
import time

import httpx
import pytest
from PIL import Image

from airflow_provider_renderbus.farm import ManualClock
from airflow_provider_renderbus.links import picture_url
from dev.harness.embedded_farm import StockedFarm
from tests.airflow_version import LINE
from tests.farm.raw_client import CREATE, DELETE, RawClient, job, maya_job
from tests.web.wall_testbed import DAG_ID, wall_airflow

pytestmark = [
    pytest.mark.skipif(LINE < (3, 1), reason="Airflow has no pages of plugins before 3.1"),
    pytest.mark.usefixtures("set_up_once"),
]
FAULTY = {"renders": [{"scene": "lobby*", "fail_frames": "2"}]}
HOSTILE_NAME = "<img src=x onerror=alert(1)>\u202e\x00.blend"


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    storage = tmp_path_factory.mktemp("farm") / "storage"
    with StockedFarm(storage, ManualClock(), scenario=FAULTY) as farm:
        yield farm


@pytest.fixture(scope="module")
def client(farm):
    return RawClient(farm)


@pytest.fixture(scope="module")
def airflow(farm, set_up_once, tmp_path_factory):
    connections = {
        "renderbus_default": farm.connection(),
        "second": farm.connection(),
        "a_database": {"conn_type": "postgres", "host": "127.0.0.1", "login": "me", "password": "secret"},
    }
    with wall_airflow(tmp_path_factory.mktemp("wall") / "airflow", connections) as airflow:
        yield airflow


@pytest.fixture(scope="module")
def renders(airflow, client):
    """A DAG run with three renders: finished, failed and layered."""
    size = {"width": "320", "height": "180"}
    done = client.submit(job("sh010.blend", "1-4[1]", **size))
    failed = client.submit(job("lobby_v012.blend", "1-3[1]", **size))
    layered = client.submit(maya_job(("beauty", "shadow"), "1-2[1]"))
    client.farm.advance(100_000)
    airflow.add_run("run+1", {"shots": [done, failed, layered], "other": [done]})
    airflow.add_run("run", {"shots": [done]}, dag_id="secret")
    return done, failed, layered


def read_json(airflow, url):
    response = airflow.read(url)
    assert response.status_code == 200, response.text
    return response.json()


def leaf_url(airflow, leaf, task="shots"):
    return f"{airflow.page('run+1', task)}/leaves/{leaf}"


def frames_of(airflow, leaf):
    while not (answer := read_json(airflow, f"{leaf_url(airflow, leaf)}/frames"))["complete"]:
        pass
    return {
        name: (frame_id, state)
        for page in answer["pages"]
        for name, frame_id, state in zip(page["names"], page["ids"], page["states"], strict=True)
    }


def test_renders_of_run_have_sums_and_each_render_once(airflow, renders):
    answer = read_json(airflow, f"{airflow.page('run+1')}/renders")
    assert [render["id"] for render in answer["renders"]] == [str(each) for each in renders]
    names = [(render["name"], render["tone"], render["max_cost"]) for render in answer["renders"]]
    assert names == [("sh010", "done", "40"), ("lobby_v012", "failed", "40"), ("shot", "done", "40")]
    assert answer["sums"]["frames"] == {"total": 11, "done": 10, "failed": 1, "running": 0, "stopped": 0}
    assert answer["sums"]["renders"] == 3
    assert float(answer["sums"]["cost"]) == sum(float(render["cost"]) for render in answer["renders"]) > 0
    assert [layer["name"] for layer in answer["renders"][2]["layers"]] == ["beauty", "shadow"]
    assert answer["renders"][0]["url"] == f"{client_address(answer)}/task/{renders[0]}"
    assert answer["problems"] == []


def client_address(answer):
    return answer["renders"][0]["url"].rpartition("/task/")[0]


def test_renders_of_task_are_its_own(airflow, renders):
    assert [
        render["id"] for render in read_json(airflow, f"{airflow.page('run+1', 'other')}/renders")["renders"]
    ] == [str(renders[0])]
    assert read_json(airflow, f"{airflow.page('run+1', 'no_render')}/renders")["renders"] == []


def test_frames_log_and_pictures_of_failed_render(airflow, renders):
    frames = frames_of(airflow, renders[1])
    assert {name: state for name, (_, state) in frames.items()} == {"1": 4, "2": 5, "3": 4}
    log = read_json(airflow, f"{leaf_url(airflow, renders[1])}/frames/{frames['2'][0]}/log")["log"]
    assert "Error: rendering of frame 2 has failed" in log
    picture = airflow.read(f"{leaf_url(airflow, renders[1])}/frames/{frames['1'][0]}.jpg")
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(picture.content)).width > 100
    assert airflow.read(f"{leaf_url(airflow, renders[1])}/frames/{frames['2'][0]}.jpg").status_code == 404
    sprite = airflow.read(f"{leaf_url(airflow, renders[1])}/sprites/0")
    assert sprite.headers["renderbus-pictures"] == "101"
    assert sprite.headers["renderbus-complete"] == "1"
    assert airflow.read(f"{leaf_url(airflow, renders[1])}/poster.jpg").status_code == 200


def test_picture_url_is_the_one_that_is_served(airflow, renders):
    frame_id, _ = frames_of(airflow, renders[0])["1"]
    path = picture_url(DAG_ID, "run+1", "shots", -1, renders[0], int(frame_id))
    assert airflow.read(f"{airflow.url}/{path}").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/renders",
        "/tasks/shots/-1",
        "/tasks/shots/-1/renders",
        "/tasks/shots/-1/leaves/{render}/frames",
        "/tasks/shots/-1/leaves/{render}/frames/1.jpg",
        "/tasks/shots/-1/leaves/{render}/frames/1/log",
        "/tasks/shots/-1/leaves/{render}/sprites/0",
        "/tasks/shots/-1/leaves/{render}/poster.jpg",
    ],
)
def test_every_path_needs_a_login_and_is_read_only(airflow, renders, path):
    url = airflow.page("run+1") + path.format(render=renders[0])
    assert airflow.read(url, user=None).status_code == 401
    assert httpx.get(url, headers={"Authorization": "Bearer forged"}).status_code in {401, 403}
    token = {"Authorization": f"Bearer {airflow.token('admin')}"}
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert httpx.request(method, url, headers=token).status_code == 405
    for anything in ("~", "%7E"):
        other = url.replace(f"/dags/{DAG_ID}/", f"/dags/{anything}/")
        assert httpx.get(other, headers=token).status_code == 404


def test_viewer_reads_renders_frames_and_pictures(airflow, renders):
    for path in ("", "/renders", f"/tasks/shots/-1/leaves/{renders[0]}/sprites/0"):
        assert airflow.read(airflow.page("run+1") + path, user="viewer").status_code == 200


def test_responses_have_security_headers(airflow, renders):
    for path in ("", "/renders", "/no/such/path", f"/tasks/shots/-1/leaves/{renders[0]}/poster.jpg"):
        headers = airflow.read(airflow.page("run+1") + path).headers
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "unsafe" not in policy
        assert "http:" not in policy
    assert airflow.read(f"{airflow.page('run+1')}/renders").headers["cache-control"] == "no-store"


def test_page_without_login_asks_for_it_in_words(airflow):
    response = httpx.get(airflow.page("run+1"), headers={"Accept": "text/html"})
    assert response.status_code == 401
    assert "log in to Airflow" in response.text


@pytest.mark.parametrize(
    "name", ["../server.py", "..%2Fserver.py", "%2e%2e/server.py", "wall.html", "/etc/passwd", ""]
)
def test_static_files_are_only_those_of_the_page(airflow, name):
    response = httpx.get(f"{airflow.url}/renderbus/static/{name}")
    assert response.status_code == 404
    assert httpx.get(f"{airflow.url}/renderbus/static/wall.css").status_code == 200


def test_render_of_another_task_is_not_served(airflow, client, renders):
    """The path names no render that the Airflow task does not have."""
    foreign = client.submit(job("foreign.blend", "1-2[1]"))
    client.farm.advance(10_000)
    for path in ("frames", "sprites/0", "poster.jpg", "frames/1/log", "frames/1.jpg"):
        assert airflow.read(f"{leaf_url(airflow, foreign)}/{path}").status_code == 404
        assert airflow.read(f"{leaf_url(airflow, renders[1], 'other')}/{path}").status_code == 404
    own, _ = frames_of(airflow, renders[0])["1"]
    for path in (f"frames/{own}.jpg", f"frames/{own}/log"):
        assert airflow.read(f"{leaf_url(airflow, renders[1])}/{path}").status_code == 404


@pytest.mark.parametrize(
    "ids",
    [
        "not a list",
        {"render_task_id": 1},
        [None, True, 1.5, "35000001", {"a": 1}, [1], -1, 0, 2**63],
        [[[[]]]],
        7,
        "http://169.254.169.254/",
        None,
    ],
)
def test_hostile_xcom_shows_no_render(airflow, ids):
    run_id = f"hostile_{abs(hash(str(ids)))}"
    airflow.add_run(run_id, {"shots": ids})
    answer = read_json(airflow, f"{airflow.page(run_id)}/renders")
    assert (answer["renders"], answer["problems"]) == ([], [])
    assert airflow.read(airflow.page(run_id, "shots")).status_code == 200


def test_hostile_xcom_of_many_ids_is_cut(airflow):
    airflow.add_run("many", {"shots": list(range(1, 3_000))})
    assert len(read_json(airflow, f"{airflow.page('many')}/renders")["renders"]) == 1_000


def test_hostile_shot_name_is_printable_text(airflow, client):
    render = client.submit(job(HOSTILE_NAME, "1-2[1]"))
    airflow.add_run("name", {"shots": [render]})
    (shown,) = read_json(airflow, f"{airflow.page('name')}/renders")["renders"]
    assert shown["name"].isprintable()
    assert "onerror" in shown["name"]


def test_deleted_render_says_so(airflow, client):
    render = client.submit(job(frames="1-2[1]"))
    client.farm.advance(10_000)
    client.call(DELETE, taskIds=[render])
    airflow.add_run("deleted", {"shots": [render, 987_654_321]})
    deleted, unknown = read_json(airflow, f"{airflow.page('deleted')}/renders")["renders"]
    assert (deleted["meaning"], deleted["tone"]) == ("deleted", "stopped")
    assert unknown["problem"] == "the farm has no such render"


@pytest.mark.parametrize(
    ("task", "problem"),
    [("unknown", "cannot be read"), ("foreign", "must be of type renderbus")],
)
def test_unusable_connection_is_named_and_gets_no_request(airflow, client, task, problem):
    airflow.add_run(f"conn_{task}", {task: [1]})
    before = client.farm.request_counts.total()
    answer = read_json(airflow, f"{airflow.page(f'conn_{task}')}/renders")
    assert problem in answer["problems"][0]
    assert "secret" not in str(answer)
    assert client.farm.request_counts.total() == before


def test_unknown_run_task_and_dag_are_not_found(airflow):
    assert airflow.read(f"{airflow.page('no_such_run')}/renders").status_code == 404
    assert airflow.read(f"{airflow.page('run+1', 'no_such_task')}/renders").status_code == 404
    assert airflow.read(f"{airflow.page('run', dag_id='no_such_dag')}/renders").status_code in {403, 404}


def test_twenty_viewers_send_one_request_per_interval(airflow, client):
    airflow.add_run("hundred", {"second": client.call(CREATE, count=100)["taskIdList"]})
    url = f"{airflow.page('hundred')}/renders"
    token = {"Authorization": f"Bearer {airflow.token('viewer')}"}
    before = client.farm.request_counts["query_task_info"]
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: httpx.get(url, headers=token, timeout=30.0), range(60)))
    seconds = time.monotonic() - started
    assert {answer.status_code for answer in answers} == {200}
    assert len(answers[0].json()["renders"]) == 100
    assert client.farm.request_counts["query_task_info"] - before <= seconds + 2
