"""Airflow's connection form with a browser: what it shows, and what it saves."""

import json

import pytest

from airflow_provider_renderbus.hooks.connection_fields import EXTRA_FIELDS, UI_FIELD_BEHAVIOUR
from tests.airflow.real_airflow import real_airflow
from tests.airflow_version import LINE
from tests.farm.browser import chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(LINE in {(3, 0), (3, 2)}, reason="2.11, 3.1 and 3.3 show the three kinds of form"),
]
LABELS = [*UI_FIELD_BEHAVIOUR["relabeling"].values(), *(field.label for field in EXTRA_FIELDS.values())]
EXTRA = {
    "platform": 21,
    "transfer_command": "/opt/rayvision_transmitter",
    "storage": "own-account",
    "console_url": "https://farm/{render_task_id}",
    "verify": True,
    "ca_bundle": "/etc/ca.pem",
    "connect_timeout": 5,
    "read_timeout": 50,
}


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    with real_airflow(tmp_path_factory.mktemp("form") / "airflow", [], {}) as airflow:
        fields = {"conn_type": "renderbus", "host": "task.foxrenderfarm.com", "login": "the-access-id"}
        airflow.post("/connections", connection_id="farm", extra=json.dumps(EXTRA), **fields)
        yield airflow


@pytest.fixture
def form(airflow, tmp_path):
    """The form of a connection that was added on the command line, opened for a change."""
    with chromium(tmp_path / "chromium") as browser:
        browser.set_size(1100, 1600)
        yield (Form if LINE >= (3, 0) else Airflow2Form)(airflow, browser)


class Form:
    """The dialog of Airflow 3."""

    text = "document.querySelector('[role=dialog]').innerText"

    def __init__(self, airflow, browser):
        self.browser = browser
        browser.open(f"{airflow.url}/auth/token/login")  # without it, pages of 3.1 open twice
        browser.open(f"{airflow.url}/connections")
        # Edit and delete are the last buttons of a row; 3.1 gives them no name.
        buttons = "[...document.querySelectorAll('tbody tr button')]"
        browser.wait_until(f"{buttons}.length > 1")
        browser.evaluate(f"{buttons}.at(-2).id = 'edit'; 0")
        browser.click("#edit")
        self.wait_for_text("Access key")

    def wait_for_text(self, text):
        self.browser.wait_until(f"document.body.innerText.includes({json.dumps(text)})")

    def labels(self):
        standard = self.browser.evaluate(self.text)
        self.browser.evaluate("document.querySelector('[role=dialog] textarea').focus()")
        self.browser.send_command("Input.insertText", text="Changed.")
        self.browser.click("[role=dialog] [data-part=item-trigger][id$='Extra Fields']")
        self.wait_for_text("Read timeout")
        return standard + self.browser.evaluate(self.text)

    def has_chosen(self, name, choice):
        return choice in self.browser.evaluate(self.text)

    def save(self):
        self.browser.evaluate(
            "[...document.querySelectorAll('[role=dialog] button')]"
            ".find((button) => button.innerText === 'Save').click()"
        )
        self.browser.wait_until("!document.querySelector('[role=dialog]')")


class Airflow2Form:
    """The page of Airflow 2."""

    def __init__(self, airflow, browser):
        self.browser = browser
        browser.open(f"{airflow.url}/connection/list/")
        browser.open(browser.evaluate("document.querySelector('a[href*=\"connection/edit/\"]').href"))

    def labels(self):
        return self.browser.evaluate("document.body.innerText")

    def has_chosen(self, name, choice):
        field = f"document.getElementById('extra__renderbus__{name}')"
        return self.browser.evaluate(f"{field}.value") == choice

    def save(self):
        self.browser.evaluate("setTimeout(() => document.querySelector('form button[type=submit]').click())")
        self.browser.wait_for_message(lambda message: message.get("method") == "Page.loadEventFired")


def test_form_shows_its_fields_in_order_and_saves_them_unchanged(airflow, form):
    text = form.labels()
    places = [text.find(label) for label in LABELS]
    assert -1 not in places, LABELS
    extra = places[-len(EXTRA_FIELDS) :]
    assert extra == sorted(extra)
    assert form.has_chosen("storage", "own-account")
    form.save()
    assert json.loads(airflow.get("/connections/farm")["extra"]) == EXTRA
