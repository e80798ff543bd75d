"""The farm's pages as HTML: what they show, and what they never do."""

from __future__ import annotations

import io
import json
from contextlib import closing
from html.parser import HTMLParser
from http.client import HTTPConnection

import pytest
from PIL import Image

from airflow_provider_renderbus.farm import Farm, ManualClock
from airflow_provider_renderbus.farm.pages.elements import Html, html
from airflow_provider_renderbus.farm.pages.router import STATIC_FILES
from airflow_provider_renderbus.farm.pages.views import FRAME_CSS_CLASSES, SEVERITY, TASK_CSS_CLASSES
from airflow_provider_renderbus.farm.simulation.tasks import FrameState, TaskState
from tests.farm.raw_client import STOP, Caller, job, maya

VOID = {"meta", "link", "img", "rect"}


class Page(HTMLParser):
    """What a person reads on a page, its links and pictures; it fails on tags that are not closed."""

    def __init__(self, text):
        super().__init__()
        self.text, self.links, self.pictures, self.tags, self.open = "", [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open += [] if tag in VOID else [tag]
        self.links += [value for name, value in attrs if (tag, name) == ("a", "href")]
        self.pictures += [value for name, value in attrs if (tag, name) == ("img", "src")]
        assert not any(name.startswith("on") or name == "style" for name, _ in attrs)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += f" {data} " if data.strip() else ""


class Visitor:
    """Asks a farm for its pages over HTTP."""

    def __init__(self, farm):
        self.farm = farm

    def get(self, path, method="GET"):
        with closing(HTTPConnection(self.farm.address, timeout=30)) as http:
            http.request(method, path)
            answer = http.getresponse()
            return answer.status, dict(answer.headers.items()), answer.read()

    def page(self, path):
        status, headers, body = self.get(path)
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        return Page(body.decode())


@pytest.fixture
def visitor(farm):
    return Visitor(farm)


def test_an_empty_farm_says_so(visitor):
    page = visitor.page("/")
    assert "No task yet" in page.text
    assert "¥500.00" in page.text


def test_the_first_page_shows_tasks_progress_and_money(caller, visitor):
    first, second = caller.submit(), caller.submit(job("sh020.blend", "1-10[1]"))
    caller.farm.advance(300)
    caller.call(STOP, taskIds=[second])
    caller.create()
    page = visitor.page("/")
    assert page.links[1:] == [f"/task/{second + 1}", f"/task/{second}", f"/task/{first}"]
    assert "created" in page.text
    done = caller.info(second)["doneFrames"]
    assert f"{done} of 10 frames · {10 - done} stopped" in page.text
    profile = caller.call("/api/render/setUp/queryUserProfile")
    assert f"¥{profile['coupon']:.2f}" in page.text
    shots = [picture.rpartition("_")[0] for picture in page.pictures[1:]]
    assert shots == [f"/task/{second}/thumbnail/sh020", f"/task/{first}/thumbnail/sh010"]


def test_a_task_shows_its_frames_and_what_they_cost(caller, visitor):
    number = caller.submit(job("a.blend", "1-6[1]"))
    caller.farm.advance(200)
    page = visitor.page(f"/task/{number}")
    frames = caller.frames(number)["items"]
    for frame in frames:
        if frame["frameStatus"] == 4:
            assert f"¥{frame['couponFee'] + frame['feeAmount']:.4f}" in page.text
    assert page.text.count("¥0.0") >= 4
    assert "Frame 1: done" in page.text
    assert "Frame 5: begun" in page.text
    assert "rendering" in page.text
    assert len(page.pictures) == 1 + sum(frame["frameStatus"] == 4 for frame in frames)


def test_a_layered_task_shows_its_leaves_and_their_sums(caller, visitor):
    number = caller.submit(maya(("beauty", "shadow")))
    assert caller.info(number)["taskStatus"] == 0
    caller.farm.advance(1000)
    page = visitor.page(f"/task/{number}")
    assert "4 of 4 frames" in page.text
    assert "finished" in page.text
    leaves = [leaf["id"] for leaf in caller.leaves(number)]
    assert page.links[1:] == [f"/task/{leaf}" for leaf in leaves]
    leaf = visitor.page(f"/task/{leaves[1]}")
    assert f"/task/{number}" in leaf.links
    assert "shadow" in leaf.text
    assert visitor.page("/").links[1:] == [f"/task/{number}"]


def test_pictures_are_served(caller, visitor):
    number = caller.submit(job("b.blend", "1", "400", "200", tiles="2"))
    caller.farm.advance(1000)
    page = visitor.page(f"/task/{number}")
    sizes = []
    for link in [*page.pictures[1:], *page.links[1:]]:
        status, headers, body = visitor.get(link)
        assert status == 200
        assert headers["Content-Type"] == ("image/jpeg" if "thumbnail" in link else "image/png")
        sizes.append(Image.open(io.BytesIO(body)).size)
    assert sizes == [(192, 48), (192, 48), (192, 96), (400, 100), (400, 100), (400, 200)]


@pytest.mark.parametrize(
    ("asked", "media"),
    [("JPEG", "image/jpeg"), ("TIFF", "image/tiff"), ("TARGA", None), ("OPEN_EXR", "image/png")],
)
def test_frames_are_served_in_the_format_that_was_asked_for(caller, visitor, asked, media):
    task_json = job("c.blend", "1")
    task_json["scene_info_render"]["common"]["Render_Format"] = asked
    number = caller.submit(task_json)
    caller.farm.advance(1000)
    status, headers, body = visitor.get(visitor.page(f"/task/{number}").links[1])
    if status == 404:
        assert media is None
    else:
        assert headers["Content-Type"] == media
        assert Image.open(io.BytesIO(body)).size == (32, 18)


SCRIPT = "<script>alert(1)</script> & \"x\" 'y' {name}.blend"


def test_names_are_escaped(caller, visitor):
    scene = SCRIPT.replace("/", "\u2215")
    layers = maya((f"<b>{SCRIPT}", "<img src=x onerror=alert(1)>"))
    for task_json in (job(scene, "1", project_name=SCRIPT), layers):
        number = caller.submit(task_json)
        caller.farm.advance(1000)
        for path in (
            "/",
            f"/task/{number}",
            *(f"/task/{leaf['id']}" for leaf in caller.leaves(number) or []),
        ):
            page = visitor.page(path)
            assert page.tags.count("script") == 1
            assert "b" not in page.tags or page.tags.count("b") < 10
            assert len([tag for tag in page.tags if tag == "img"]) == len(page.pictures)
            for link in page.pictures + page.links:
                assert visitor.get(link)[0] == 200
    assert scene in visitor.page("/").text


def test_half_characters_and_controls_do_no_harm(caller, visitor):
    number = caller.submit(job("a\ud800\n\0\u202eb #1?%2f 衣.blend", "1"))
    caller.farm.advance(1000)
    for link in visitor.page(f"/task/{number}").links:
        assert visitor.get(link)[0] == 200


def test_only_templates_are_html():
    assert html("<b>{a}{b}</b>", a="<&\"'>", b=Html("<i>")) == "<b>&lt;&amp;&quot;&#x27;&gt;<i></b>"
    assert html("{a}", a="{b}") == "{b}"


@pytest.mark.parametrize("path", ["/", "/nothing", *(f"/static/{name}" for name in STATIC_FILES)])
def test_headers_keep_other_sites_out(visitor, path):
    status, headers, _ = visitor.get(path)
    assert status == (404 if path == "/nothing" else 200)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS"])
def test_pages_are_only_read(visitor, method):
    assert visitor.get("/", method)[0] == 501


@pytest.mark.parametrize(
    "path",
    [
        "/task/1",
        "/task/0",
        "/task/-1",
        "/task/x",
        "/task/35000001/",
        "/task/35000001/frame/",
        "/task/35000001/frame/..",
        "/task/35000001/frame/../../../account.json",
        "/task/35000001/frame/..%2f..%2f..%2faccount.json",
        "/task/35000001/frame/%2e%2e/%2e%2e/%2e%2e/account.json",
        "/task/35000001/frame/link.png",
        "/task/35000001/frame/key.png",
        "/task/35000001/frame/notes.txt",
        "/task/35000001/thumbnail/../../account.json",
        "/task/35000001/tile/none.png",
        "/task/35000001/frame/%00.png",
        "/task/35000001/frame/" + "a" * 5000 + ".png",
        "/task/35000001/connections.json",
        "/static/../site.py",
        "/static/site.py",
        "/account.json",
        "/?page=0",
        "/?page=2",
        "/?page=x",
        "/?page=99999999999",
        "/task/35000001?page=2",
        "//evil.example/",
    ],
)
def test_nothing_else_is_served(caller, visitor, path, tmp_path):
    number = caller.submit()
    caller.farm.advance(1000)
    folder = caller.farm.output_root / caller.info(number)["outputFileName"]
    (folder / "link.png").symlink_to(caller.farm.connections_file)
    (folder / "key.png").hardlink_to(folder / "sh010_0001.png")
    (folder / "notes.txt").write_text("text")
    if "key.png" in path:
        assert visitor.get(path)[0] == 200
    else:
        assert visitor.get(path)[0] == 404


def test_nothing_secret_is_shown(caller, visitor):
    number = caller.submit()
    caller.farm.advance(1000)
    connection = caller.farm.connection()
    storage = str(caller.farm.connections_file.parent)
    for path in ("/", f"/task/{number}"):
        _, headers, body = visitor.get(path)
        shown = json.dumps(headers) + body.decode()
        for secret in (connection["password"], connection["login"], storage, "signature"):
            assert secret not in shown


@pytest.mark.parametrize(
    ("listens_on", "host", "status"),
    [
        ("127.0.0.1", "localhost:8899", 200),
        ("127.0.0.1", "127.0.0.1", 200),
        ("localhost", "LOCALHOST:80", 200),
        ("127.0.0.1", "evil.example:8899", 404),
        ("localhost", "127.0.0.1.evil.example", 404),
        ("localhost", "", 404),
        ("0.0.0.0", "farm.studio.example:8899", 200),
    ],
)
def test_another_sites_name_that_leads_here_is_not_answered_to(tmp_path, listens_on, host, status):
    with Farm(tmp_path / "farm", ManualClock(), host=listens_on) as farm:
        port = farm.connection()["port"]
        with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as http:
            http.request("GET", "/", headers={"Host": host})
            assert http.getresponse().status == status


def test_long_lists_come_in_pages(caller, visitor):
    numbers = caller.call("/api/render/submit/createTask", count=100)["taskIdList"]
    page = visitor.page("/")
    assert len(page.links) == 1 + 50 + 1
    assert page.links[-1] == "/?page=2"
    assert visitor.page("/?page=2").links[-2:] == [f"/task/{numbers[0]}", "/?page=1"]
    number = caller.submit(job(frames="1-500[1]"))
    assert "page 3 of 3" in visitor.page(f"/task/{number}?page=3").text


def test_a_deleted_task_is_gone(caller, visitor):
    number = caller.submit()
    caller.farm.advance(1000)
    caller.call("/api/render/handle/deleteTask", taskIds=[number])
    assert visitor.get(f"/task/{number}")[0] == 404
    assert visitor.page("/").links == ["/"]


def test_what_is_owed_stands_out(tmp_path):
    money = {"coupon": "0", "balance": "0.01"}
    with Farm(tmp_path / "farm", ManualClock(), scenario={"account": money}) as farm:
        caller = Caller(farm)
        number = caller.submit()
        farm.advance(1000)
        visitor = Visitor(farm)
        assert "Owed" in visitor.page("/").text
        assert "stopped: no money" in visitor.page(f"/task/{number}").text


def test_thumbnails_outlive_the_farm(tmp_path):
    with Farm(tmp_path / "farm", ManualClock()) as farm:
        number = Caller(farm).submit()
        farm.advance(1000)
        shown = Visitor(farm).page("/").pictures
    with Farm(tmp_path / "farm", ManualClock()) as farm:
        visitor = Visitor(farm)
        assert visitor.page("/").pictures == shown
        assert len(visitor.page(f"/task/{number}").pictures) == 5


def test_every_state_has_a_colour_and_a_place():
    assert set(TASK_CSS_CLASSES) == set(SEVERITY) == set(TaskState)
    assert set(FRAME_CSS_CLASSES) == set(FrameState)
