"""The farm's web console in Chromium."""

from __future__ import annotations

import pytest

from airflow_provider_renderbus.farm import Farm, ManualClock
from tests.farm.browser import chromium
from tests.farm.raw_client import job

pytestmark = pytest.mark.browser

NAMES = "[...document.querySelectorAll('.tasks b')].map((name) => name.textContent)"
STATE = "document.querySelector('main .state').textContent"
PICTURES = "[...document.querySelectorAll('.frames img')]"


@pytest.fixture
def pictures():
    return True


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(autouse=True)
def check_no_errors(browser, farm):
    """Check for errors while the farm still runs; it stops after this fixture."""
    browser.errors.clear()
    yield
    browser.open("about:blank")
    assert browser.errors == []


def test_farm_page_lists_tasks_and_updates(browser, client):
    client.submit(job("sh010.blend"))
    browser.open(f"http://{client.farm.address}/")
    assert browser.evaluate(NAMES) == ["sh010.blend"]
    assert browser.evaluate(STATE) == "waiting"
    browser.evaluate("window.first = document.querySelector('.tasks li')")

    client.farm.advance(1000)
    browser.wait_until(f"{STATE} === 'finished'")
    assert browser.evaluate("first.isConnected")
    client.submit(job("<script>alert(1)<script>.blend"))
    browser.wait_until(f"{NAMES}.length === 2")
    assert browser.evaluate(NAMES) == ["<script>alert(1)<script>.blend", "sh010.blend"]


def test_task_page_frame_done_adds_picture_and_keeps_others(browser, client):
    task_id = client.submit(job(frames="1-8[1]", width="320", height="180"))
    client.farm.advance(220)
    browser.open(f"http://{client.farm.address}/task/{task_id}")
    before = browser.evaluate(f"{PICTURES}.length")
    assert 0 < before < 8
    browser.evaluate(f"window.first = {PICTURES}[0]; first.decode()")

    client.farm.advance(1000)
    browser.wait_until(f"{PICTURES}.length === 8")
    assert browser.evaluate("first.isConnected")
    assert browser.evaluate(
        f"Promise.all({PICTURES}.map((image) => (image.loading = 'eager', image.decode())))"
        f".then(() => {PICTURES}.every((image) => image.naturalWidth === 192))"
    )
    assert browser.evaluate("document.querySelectorAll('.frame.done').length") == 8


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_pages_any_width_do_not_scroll_sideways(browser, client, width):
    task_id = client.submit(job(f"{'long_name_' * 12}.blend", "1-30[1]"))
    client.farm.advance(300)
    browser.set_size(width, 800)
    for path in ("/", f"/task/{task_id}"):
        browser.open(f"http://{client.farm.address}{path}")
        assert browser.evaluate("document.documentElement.scrollWidth") == width


def test_page_farm_restarts_shows_offline_then_online(browser, tmp_path):
    with Farm(tmp_path / "again", ManualClock()) as farm:
        browser.open(f"http://{farm.address}/")
        port = farm.connection()["port"]
    browser.wait_until("document.body.classList.contains('is-offline')")
    with Farm(tmp_path / "again", ManualClock(), port=port):
        browser.wait_until("!document.body.classList.contains('is-offline')")
    browser.open("about:blank")
    browser.errors.clear()  # the failed requests
