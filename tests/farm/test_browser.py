"""The farm's pages in a real browser."""

from __future__ import annotations

import pytest

from airflow_provider_renderbus.farm import Farm, ManualClock
from tests.farm.browser import chromium
from tests.farm.raw_client import job

pytestmark = pytest.mark.browser

NAMES = "[...document.querySelectorAll('.tasks b')].map((name) => name.textContent)"
STATE = "document.querySelector('main .state').textContent"
PICTURES = "[...document.querySelectorAll('.frames img')]"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(autouse=True)
def without_errors(browser, farm):
    """Look for errors while the farm still runs, which is ended after this fixture."""
    browser.errors.clear()
    yield
    browser.open("about:blank")
    assert browser.errors == []


def test_the_tasks_are_shown_and_the_page_updates_itself(browser, caller):
    caller.submit(job("sh010.blend"))
    browser.open(f"http://{caller.farm.address}/")
    assert browser.run(NAMES) == ["sh010.blend"]
    assert browser.run(STATE) == "waiting"
    browser.run("window.first = document.querySelector('.tasks li')")

    caller.farm.advance(1000)
    browser.until(f"{STATE} === 'finished'")
    assert browser.run("first.isConnected")
    caller.submit(job("<script>alert(1)<script>.blend"))
    browser.until(f"{NAMES}.length === 2")
    assert browser.run(NAMES) == ["<script>alert(1)<script>.blend", "sh010.blend"]


def test_frames_appear_as_they_are_done_and_nothing_flickers(browser, caller):
    number = caller.submit(job(frames="1-8[1]", width="320", height="180"))
    caller.farm.advance(220)
    browser.open(f"http://{caller.farm.address}/task/{number}")
    before = browser.run(f"{PICTURES}.length")
    assert 0 < before < 8
    browser.run(f"window.first = {PICTURES}[0]; first.decode()")

    caller.farm.advance(1000)
    browser.until(f"{PICTURES}.length === 8")
    assert browser.run("first.isConnected")
    assert browser.run(
        f"Promise.all({PICTURES}.map((image) => (image.loading = 'eager', image.decode())))"
        f".then(() => {PICTURES}.every((image) => image.naturalWidth === 192))"
    )
    assert browser.run("document.querySelectorAll('.frame.done').length") == 8


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_pages_fit_a_phone_and_a_desk(browser, caller, width):
    number = caller.submit(job(f"{'long_name_' * 12}.blend", "1-30[1]"))
    caller.farm.advance(300)
    browser.size(width, 800)
    for path in ("/", f"/task/{number}"):
        browser.open(f"http://{caller.farm.address}{path}")
        assert browser.run("document.documentElement.scrollWidth") == width


def test_a_farm_that_ends_is_told_and_one_that_is_back_is_seen(browser, tmp_path):
    with Farm(tmp_path / "again", ManualClock()) as farm:
        browser.open(f"http://{farm.address}/")
        port = farm.connection()["port"]
    browser.until("document.body.classList.contains('is-lost')")
    with Farm(tmp_path / "again", ManualClock(), port=port):
        browser.until("!document.body.classList.contains('is-lost')")
    browser.open("about:blank")
    browser.errors.clear()  # the requests that nobody answered
