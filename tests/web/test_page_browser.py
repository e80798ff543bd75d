"""The frame wall in Chromium, without Airflow: what it shows, keyboard, themes, 10,000 frames."""

from __future__ import annotations

import pytest

from airflow_provider_renderbus.farm import ManualClock
from dev.harness.embedded_farm import StockedFarm
from tests.airflow_version import LINE
from tests.farm.browser import chromium
from tests.farm.raw_client import STOP, RawClient, job, maya_job

if LINE >= (3, 1):
    from tests.web.page_server import page_server, render_task

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(LINE < (3, 1), reason="Airflow has no pages of plugins before 3.1"),
]

SIZE = {"width": "320", "height": "180"}
NAMES = "[...document.querySelectorAll('.render b')].map((name) => name.textContent)"
TILES = "[...document.querySelectorAll('.tile')].filter((tile) => tile.style.visibility === 'visible')"
FOCUSED = "document.activeElement.getAttribute('aria-label')"
TITLE = "document.querySelector('h1')?.textContent"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    scenario = {"renders": [{"scene": "lobby*", "fail_frames": "5"}]}
    with StockedFarm(tmp_path_factory.mktemp("farm") / "storage", ManualClock(), scenario=scenario) as farm:
        yield farm


@pytest.fixture(scope="module")
def client(farm):
    return RawClient(farm)


@pytest.fixture(scope="module")
def server(farm):
    with page_server(farm) as server:
        yield server


@pytest.fixture(autouse=True)
def check_no_errors(browser, server):
    browser.set_size(1280, 900)
    browser.errors.clear()
    yield
    browser.open("about:blank")
    assert browser.errors == []


@pytest.fixture
def open_page(browser, server, request):
    """Opens the page of a run with Airflow tasks, and waits for a condition."""

    def open_page(tasks, condition, hash_=""):
        run_id = request.node.name.replace("[", "-").replace("]", "")
        server.runs[run_id] = tasks
        browser.open("about:blank")
        browser.open(f"{server.page(run_id)}{hash_}")
        browser.wait_until(condition)

    return open_page


def press(browser, key):
    for kind in ("keyDown", "keyUp"):
        browser.send_command("Input.dispatchKeyEvent", type=kind, key=key, code=key)


def test_run_page_lists_renders_with_sums_and_updates(browser, open_page, client):
    renders = [client.submit(job(f"sh0{number}.blend", "1-4[1]", **SIZE)) for number in (10, 20)]
    open_page([render_task("shots", [each], at) for at, each in enumerate(renders)], f"{NAMES}.length === 2")
    assert browser.evaluate(NAMES) == ["sh010", "sh020"]
    assert browser.evaluate(TITLE) == "2 renders"
    facts = "document.querySelector('.facts').innerText"
    assert "0 of 8" in browser.evaluate(facts)
    browser.evaluate("window.first = document.querySelector('.render')")

    client.farm.advance(10_000)
    browser.wait_until(f"{facts}.includes('8 of 8')")
    browser.wait_until("document.querySelectorAll('.poster img').length === 2")
    assert browser.evaluate("first.isConnected")
    assert "sh010: finished" in browser.evaluate("document.getElementById('news').textContent")


def test_render_opens_frames_with_pictures_and_goes_back(browser, open_page, client):
    renders = [client.submit(job(f"sh0{number}.blend", "1-30[1]", **SIZE)) for number in (30, 40)]
    client.farm.advance(100_000)
    open_page([render_task("shots", renders)], f"{NAMES}.length === 2")
    browser.click(".renders li:nth-child(2) .render")
    browser.wait_until("document.querySelectorAll('.has-picture').length === 30")
    assert browser.evaluate(TITLE) == "sh040"
    assert browser.evaluate(f"location.hash === '#render-{renders[1]}'")
    browser.click(".back")
    browser.wait_until(f"{NAMES}.length === 2")


def test_layers_are_tabs_by_name(browser, open_page, client):
    render = client.submit(maya_job(("beauty", "shadow"), "1-3[1]"))
    client.farm.advance(100_000)
    open_page([render_task("shots", [render])], f"{TILES}.length === 3")
    tabs = "[...document.querySelectorAll('[role=tab] b')].map((name) => name.textContent)"
    assert browser.evaluate(tabs) == ["beauty", "shadow"]
    selected = "document.querySelector('[role=tab][aria-selected=true] b').textContent"
    assert browser.evaluate(selected) == "beauty"
    browser.evaluate("document.querySelector('[role=tab][aria-selected=true]').focus()")
    press(browser, "ArrowRight")
    browser.wait_until(f"{selected} === 'shadow' && {TILES}.length === 3")


def test_failed_frame_shows_its_log_and_escape_returns_to_the_frame(browser, open_page, client):
    render = client.submit(job("lobby_v012.blend", "1-8[1]", **SIZE))
    client.farm.advance(100_000)
    open_page([render_task("shots", [render])], "document.querySelector('.tile.failed')")
    browser.click(".tile.failed")
    browser.wait_until("document.querySelector('.panel pre')")
    assert "Error: rendering of frame 5 has failed" in browser.evaluate(
        "document.querySelector('.panel pre').textContent"
    )
    press(browser, "Escape")
    assert browser.evaluate("document.querySelector('.panel').hidden")
    assert browser.evaluate(FOCUSED) == "Frame 5, failed"

    browser.click(".filter.failed")
    browser.wait_until(f"{TILES}.length === 1")
    assert browser.evaluate(f"{TILES}[0].getAttribute('aria-label')") == "Frame 5, failed"


def test_grid_keyboard_moves_and_opens(browser, open_page, client):
    render = client.submit(job("sh050.blend", "1-40[1]", **SIZE))
    client.farm.advance(100_000)
    open_page([render_task("shots", [render])], f"{TILES}.length >= 40")
    assert browser.evaluate("document.querySelectorAll('.tile[tabindex=\"0\"]').length") == 1
    assert browser.evaluate("document.querySelector('.grid').getAttribute('role')") == "grid"
    columns = browser.evaluate("Number(document.querySelector('.grid').ariaColCount)")
    browser.evaluate("document.querySelector('.tile[tabindex=\"0\"]').focus()")
    for key, name in (("ArrowRight", 2), ("ArrowDown", 2 + columns), ("End", 40), ("Home", 1)):
        press(browser, key)
        assert browser.evaluate(FOCUSED).startswith(f"Frame {name}, done"), key
    press(browser, "Enter")
    browser.wait_until("document.querySelector('.panel img')?.naturalWidth > 100")
    assert browser.evaluate("document.querySelector('.panel h2').textContent") == "Frame 1"


def test_ten_thousand_frames_make_few_elements_and_scroll_to_the_last(browser, open_page, client):
    render = client.submit(job("long.blend", "1-10000[1]", width="1", height="1"))
    open_page([render_task("shots", [render])], "document.querySelectorAll('.filter').length > 0")
    browser.wait_until("document.querySelector('.filter').textContent.includes('10,000')")
    browser.evaluate(f"{TILES}[0].focus()")
    press(browser, "End")
    browser.wait_until(f"{FOCUSED}?.startsWith('Frame 10000,')")
    assert browser.evaluate("document.querySelectorAll('.tile').length") < 200
    assert browser.evaluate("document.documentElement.scrollHeight") > 50_000
    client.call(STOP, taskIds=[render])


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_page_any_width_does_not_scroll_sideways(browser, open_page, client, width):
    renders = [client.submit(job(f"{'long_name_' * 12}{number}.blend", "1-30[1]")) for number in range(2)]
    browser.set_size(width, 800)
    open_page([render_task("shots", renders)], f"{NAMES}.length === 2")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    browser.click(".render")
    browser.wait_until(f"{TILES}.length > 1")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_hostile_shot_name_is_shown_as_text(browser, open_page, client):
    name = "<img src=x onerror=alert(1)>"
    renders = [client.submit(job(f"{name}.blend")), client.submit()]
    open_page([render_task("<b>task</b>", renders, label="<i>shot</i>")], f"{NAMES}.length === 2")
    assert browser.evaluate(NAMES)[0] == name
    assert (
        browser.evaluate("document.querySelectorAll('main img, main .title b b, main .title i').length") == 0
    )


def test_no_render_shows_empty_state(browser, open_page):
    open_page([], "document.querySelector('main[aria-busy=false] .empty')")
    assert "No task of this DAG run has a render yet" in browser.evaluate("document.body.innerText")


def test_unknown_run_shows_why(browser, server):
    browser.open(server.page("no_such_run"))
    browser.wait_until("!document.getElementById('problem').hidden")
    assert "no such DAG run" in browser.evaluate("document.getElementById('problem').textContent")
    browser.errors.clear()  # the response 404


def test_farm_is_down_keeps_the_last_figures_and_says_so(browser, open_page, client):
    renders = [client.submit(job("sh060.blend")), client.submit(job("sh070.blend"))]
    open_page([render_task("shots", renders)], f"{NAMES}.length === 2")
    client.farm.inject("drop", calls=["query_task_info"])
    browser.wait_until("!document.getElementById('problem').hidden")
    assert "What is shown is of" in browser.evaluate("document.getElementById('problem').textContent")
    assert browser.evaluate(NAMES) == ["sh060", "sh070"]
    client.farm.clear_faults()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_page_alone_follows_the_theme_that_airflow_has_stored(browser, open_page, client, theme):
    renders = [client.submit(), client.submit()]
    browser.set_size(1280, 900, dark=theme == "light")  # the opposite of what is stored
    open_page([render_task("shots", renders)], f"{NAMES}.length === 2")
    browser.evaluate(f"localStorage.setItem('theme', '{theme}')")
    open_page([render_task("shots", renders)], f"{NAMES}.length === 2")
    assert browser.evaluate("document.documentElement.dataset.theme") == theme
    browser.evaluate("localStorage.clear()")


def test_frames_come_back_after_a_problem_with_the_render(browser, open_page, server, client):
    render = client.submit(job("sh080.blend", "1-4[1]", **SIZE))
    tasks = [render_task("shots", [render])]
    open_page(tasks, f"{TILES}.length === 4")
    (run_id,) = [each for each in server.runs if server.runs[each] is tasks]
    server.runs[run_id] = [render_task("shots", [render], conn_id=None)]
    browser.wait_until(f"document.querySelector('.empty') && {TILES}.length === 0")
    server.runs[run_id] = tasks
    browser.wait_until(f"{TILES}.length === 4")


def test_pictures_that_the_farm_returns_late_are_shown(browser, open_page, client):
    render = client.submit(job("sh090.blend", "1-4[1]", **SIZE))
    client.farm.advance(10_000)
    client.farm.inject("delay", seconds=5.0, calls=["load_frame_thumbnail"], times=1)
    open_page([render_task("shots", [render])], f"{TILES}.length === 4")
    browser.wait_until("document.querySelectorAll('.has-picture').length === 4")


def test_dag_named_tasks_and_run_named_by_a_number_have_right_paths(browser, server, client):
    server.runs["20260101"] = [render_task("shots", [client.submit(job(frames="1-4[1]"))])]
    browser.open(server.page("20260101").replace("/dags/night/", "/dags/tasks/"))
    browser.wait_until(f"{TILES}.length === 4")
    link = "document.querySelector('nav a').getAttribute('href')"
    assert browser.evaluate(link) == "/dags/tasks/runs/20260101"
