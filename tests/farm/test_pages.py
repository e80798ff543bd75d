"""The HTML of the farm's web console: its content, escaping and access control."""

from __future__ import annotations

import io
import json
from contextlib import closing
from html.parser import HTMLParser
from http.client import HTTPConnection
from urllib.parse import quote

import pytest
from PIL import Image

from airflow_provider_renderbus.farm import Farm, ManualClock
from airflow_provider_renderbus.farm.pages.elements import Html, html
from airflow_provider_renderbus.farm.pages.router import STATIC_FILES
from airflow_provider_renderbus.farm.pages.views import FRAME_CSS_CLASSES, SEVERITY, TASK_CSS_CLASSES
from airflow_provider_renderbus.farm.simulation.tasks import FrameState, TaskState
from dev.harness.embedded_farm import StockedFarm
from tests.farm.raw_client import DELETE, STOP, THUMBNAIL, RawClient, job, maya_job

VOID = {"meta", "link", "img", "rect"}


class Page(HTMLParser):
    """Text, links and pictures of a page; fails on unclosed tags and on inline handlers and styles."""

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


class PageClient:
    """Requests pages of a farm over HTTP."""

    def __init__(self, farm):
        self.farm = farm

    def get(self, path, method="GET"):
        with closing(HTTPConnection(self.farm.address, timeout=30)) as http:
            http.request(method, path)
            response = http.getresponse()
            return response.status, dict(response.headers.items()), response.read()

    def page(self, path):
        status, headers, body = self.get(path)
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        return Page(body.decode())


@pytest.fixture
def pictures():
    return True


@pytest.fixture
def pages(farm):
    return PageClient(farm)


def test_farm_page_no_tasks_shows_hint_and_balance(pages):
    page = pages.page("/")
    assert "No task yet" in page.text
    assert "¥500.00" in page.text


def test_farm_page_shows_tasks_progress_and_funds(client, pages):
    first, second = client.submit(), client.submit(job("sh020.blend", "1-10[1]"))
    client.farm.advance(300)
    client.call(STOP, taskIds=[second])
    client.create()
    page = pages.page("/")
    assert page.links[1:] == [f"/task/{second + 1}", f"/task/{second}", f"/task/{first}"]
    assert "created" in page.text
    done = client.task_info(second)["doneFrames"]
    assert f"{done} of 10 frames · {10 - done} stopped" in page.text
    profile = client.call("/api/render/setUp/queryUserProfile")
    assert f"¥{profile['coupon']:.2f}" in page.text
    thumbnails = [picture.rpartition("_")[0] for picture in page.pictures[1:]]
    assert thumbnails == [f"/task/{second}/thumbnail/sh020", f"/task/{first}/thumbnail/sh010"]


def test_task_page_shows_frames_and_costs(client, pages):
    task_id = client.submit(job("a.blend", "1-6[1]"))
    client.farm.advance(200)
    page = pages.page(f"/task/{task_id}")
    frames = client.frames(task_id)["items"]
    for frame in frames:
        if frame["frameStatus"] == 4:
            assert f"¥{frame['couponFee'] + frame['feeAmount']:.4f}" in page.text
    assert page.text.count("¥0.0") >= 4
    assert "Frame 1: done" in page.text
    assert "Frame 5: started" in page.text
    assert "rendering" in page.text
    assert len(page.pictures) == 1 + sum(frame["frameStatus"] == 4 for frame in frames)


def test_task_page_layered_task_shows_leaves_and_sums(client, pages):
    task_id = client.submit(maya_job(("beauty", "shadow")))
    assert client.task_info(task_id)["taskStatus"] == 0
    client.farm.advance(1000)
    page = pages.page(f"/task/{task_id}")
    assert "4 of 4 frames" in page.text
    assert "finished" in page.text
    leaves = [leaf["id"] for leaf in client.leaves(task_id)]
    assert page.links[1:] == [f"/task/{leaf}" for leaf in leaves]
    leaf = pages.page(f"/task/{leaves[1]}")
    assert f"/task/{task_id}" in leaf.links
    assert "shadow" in leaf.text
    assert pages.page("/").links[1:] == [f"/task/{task_id}"]


def test_picture_links_return_images(client, pages):
    task_id = client.submit(job("b.blend", "1", "400", "200", tiles="2"))
    client.farm.advance(1000)
    page = pages.page(f"/task/{task_id}")
    sizes = []
    for link in [*page.pictures[1:], *page.links[1:]]:
        status, headers, body = pages.get(link)
        assert status == 200
        assert headers["Content-Type"] == ("image/jpeg" if "thumbnail" in link else "image/png")
        sizes.append(Image.open(io.BytesIO(body)).size)
    assert sizes == [(192, 48), (192, 48), (192, 96), (400, 100), (400, 100), (400, 200)]


def test_thumbnail_paths_of_the_api_return_pictures(client, pages):
    task_id = client.submit(job("sh 010.blend", "1-3[1]", "400", "200"))
    client.farm.advance(1000)
    for frame in client.frames(task_id)["items"]:
        (path,) = client.call(THUMBNAIL, id=frame["id"], frameStatus=4)
        status, headers, body = pages.get(quote(path))
        assert (status, headers["Content-Type"]) == (200, "image/jpeg")
        assert Image.open(io.BytesIO(body)).size == (192, 96)
        for other in (f"/{task_id}/{path.rpartition('/')[2]}", f"{path}x", path.replace("/", "/x", 1)):
            assert pages.get(quote(other))[0] == 404
    client.call(DELETE, taskIds=[task_id])
    assert pages.get(quote(path))[0] == 404


@pytest.mark.parametrize(
    ("image_format", "content_type"),
    [("JPEG", "image/jpeg"), ("TIFF", "image/tiff"), ("TARGA", None), ("OPEN_EXR", "image/png")],
)
def test_frame_link_returns_requested_format(client, pages, image_format, content_type):
    task_json = job("c.blend", "1")
    task_json["scene_info_render"]["common"]["Render_Format"] = image_format
    task_id = client.submit(task_json)
    client.farm.advance(1000)
    status, headers, body = pages.get(pages.page(f"/task/{task_id}").links[1])
    if status == 404:
        assert content_type is None
    else:
        assert headers["Content-Type"] == content_type
        assert Image.open(io.BytesIO(body)).size == (32, 18)


SCRIPT = "<script>alert(1)</script> & \"x\" 'y' {name}.blend"


def test_pages_names_with_markup_are_escaped(client, pages):
    scene = SCRIPT.replace("/", "\u2215")
    layers = maya_job((f"<b>{SCRIPT}", "<img src=x onerror=alert(1)>"))
    for task_json in (job(scene, "1", project_name=SCRIPT), layers):
        task_id = client.submit(task_json)
        client.farm.advance(1000)
        for path in (
            "/",
            f"/task/{task_id}",
            *(f"/task/{leaf['id']}" for leaf in client.leaves(task_id) or []),
        ):
            page = pages.page(path)
            assert page.tags.count("script") == 1
            assert "b" not in page.tags or page.tags.count("b") < 10
            assert len([tag for tag in page.tags if tag == "img"]) == len(page.pictures)
            for link in page.pictures + page.links:
                assert pages.get(link)[0] == 200
    assert scene in pages.page("/").text


def test_pages_names_with_surrogates_and_controls_are_served(client, pages):
    task_id = client.submit(job("a\ud800\n\0\u202eb #1?%2f 衣.blend", "1"))
    client.farm.advance(1000)
    for link in pages.page(f"/task/{task_id}").links:
        assert pages.get(link)[0] == 200


def test_html_escapes_values_but_not_html():
    assert html("<b>{a}{b}</b>", a="<&\"'>", b=Html("<i>")) == "<b>&lt;&amp;&quot;&#x27;&gt;<i></b>"
    assert html("{a}", a="{b}") == "{b}"


@pytest.mark.parametrize("path", ["/", "/nothing", *(f"/static/{name}" for name in STATIC_FILES)])
def test_response_headers_restrict_other_sites(pages, path):
    status, headers, _ = pages.get(path)
    assert status == (404 if path == "/nothing" else 200)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS"])
def test_pages_other_methods_are_not_implemented(pages, method):
    assert pages.get("/", method)[0] == 501


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
def test_router_unknown_or_unsafe_path_returns_404(client, pages, path, tmp_path):
    task_id = client.submit()
    client.farm.advance(1000)
    folder = client.farm.output_root / client.task_info(task_id)["outputFileName"]
    (folder / "link.png").symlink_to(client.farm.connections_file)
    (folder / "key.png").hardlink_to(folder / "sh010_0001.png")
    (folder / "notes.txt").write_text("text")
    if "key.png" in path:
        assert pages.get(path)[0] == 200
    else:
        assert pages.get(path)[0] == 404


def test_pages_contain_no_secret(client, pages):
    task_id = client.submit()
    client.farm.advance(1000)
    connection = client.farm.connection()
    storage = str(client.farm.connections_file.parent)
    for path in ("/", f"/task/{task_id}"):
        _, headers, body = pages.get(path)
        content = json.dumps(headers) + body.decode()
        for secret in (connection["password"], connection["login"], storage, "signature"):
            assert secret not in content


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
def test_router_foreign_host_header_returns_404(tmp_path, listens_on, host, status):
    with Farm(tmp_path / "farm", ManualClock(), host=listens_on) as farm:
        port = farm.connection()["port"]
        with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as http:
            http.request("GET", "/", headers={"Host": host})
            assert http.getresponse().status == status


def test_pages_long_lists_are_paged(client, pages):
    task_ids = client.call("/api/render/submit/createTask", count=100)["taskIdList"]
    page = pages.page("/")
    assert len(page.links) == 1 + 50 + 1
    assert page.links[-1] == "/?page=2"
    assert pages.page("/?page=2").links[-2:] == [f"/task/{task_ids[0]}", "/?page=1"]
    task_id = client.submit(job(frames="1-500[1]"))
    assert "page 3 of 3" in pages.page(f"/task/{task_id}?page=3").text


def test_pages_deleted_task_is_gone(client, pages):
    task_id = client.submit()
    client.farm.advance(1000)
    client.call("/api/render/handle/deleteTask", taskIds=[task_id])
    assert pages.get(f"/task/{task_id}")[0] == 404
    assert pages.page("/").links == ["/"]


def test_pages_out_of_funds_show_owed_amount_and_stop(tmp_path):
    account = {"coupon": "0", "balance": "0.01"}
    with StockedFarm(tmp_path / "farm", ManualClock(), scenario={"account": account}) as farm:
        client = RawClient(farm)
        task_id = client.submit()
        farm.advance(1000)
        pages = PageClient(farm)
        assert "Owed" in pages.page("/").text
        assert "stopped: out of funds" in pages.page(f"/task/{task_id}").text


def test_pages_farm_restarted_shows_same_thumbnails(tmp_path):
    with StockedFarm(tmp_path / "farm", ManualClock()) as farm:
        task_id = RawClient(farm).submit()
        farm.advance(1000)
        content = PageClient(farm).page("/").pictures
    with StockedFarm(tmp_path / "farm", ManualClock()) as farm:
        pages = PageClient(farm)
        assert pages.page("/").pictures == content
        assert len(pages.page(f"/task/{task_id}").pictures) == 5


def test_views_every_state_has_css_class_and_severity():
    assert set(TASK_CSS_CLASSES) == set(SEVERITY) == set(TaskState)
    assert set(FRAME_CSS_CLASSES) == set(FrameState)
