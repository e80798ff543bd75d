"""The recipes of docs/report.md: the report is sent by mail, to Slack and to a web hook."""

from __future__ import annotations

import email
import email.policy
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_provider_renderbus.compat import DAG
from airflow_provider_renderbus.reports import report
from tests.airflow_version import LINE
from tests.notification_servers import mail_server, web_hook

pytestmark = pytest.mark.skipif(LINE < (3, 3), reason="only the newest line is tested with the notifiers")

DOCUMENT = Path(__file__).parents[2] / "docs" / "report.md"
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
HOSTILE = "<script>alert(1)</script> {{ 7 * 7 }} <!channel>"
RESULTS = [
    {"name": HOSTILE, "state": "FINISHED_HAS_FAILED", "error": "out of memory", "cost": "1.5"},
    {"name": "sh020", "state": "FINISHED", "cost": "2"},
]


@pytest.fixture
def web():
    with web_hook() as server:
        yield server


@pytest.fixture
def mails():
    with mail_server() as server:
        yield server


@pytest.fixture
def connections(web, mails, monkeypatch):
    port, mail_port = web.server_address[1], mails.server_address[1]
    for name, connection in {
        "http_default": {"conn_type": "http", "host": f"http://127.0.0.1:{port}"},
        "slack_default": {
            "conn_type": "slackwebhook",
            "host": f"http://127.0.0.1:{port}/services",
            "password": "T0/B0/x",
        },
        "smtp_default": {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": mail_port,
            "extra": {"disable_ssl": True, "disable_tls": True},
        },
    }.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))


def recipe(word):
    """Run the recipe that has a word, and return its names."""
    (snippet,) = [text for text in SNIPPETS if word in text]
    names = {}
    exec(snippet, names)
    return names


@pytest.fixture
def notify():
    """Calls a notifier as Airflow does after the report task has succeeded."""
    made = report(RESULTS, title="Last night", currency="RMB")
    returned = {"summary": made.summary, "html": made.html}
    ti = SimpleNamespace(xcom_pull=lambda task_ids: {"morning_report": returned}[task_ids])

    def notify(notifier):
        notifier({"ti": ti, "dag": DAG("night", schedule=None)})
        return returned

    return notify


def test_report_is_sent_by_mail(connections, mails, notify):
    returned = notify(recipe("SmtpNotifier(")["mail"])
    (content,) = mails.received
    mail = email.message_from_bytes(content, policy=email.policy.default)
    assert mail["subject"] == "2 renders: 1 done, 1 failed. Cost 3.50 RMB"
    html = mail.get_body(("html",)).get_content()
    assert html.replace("\r\n", "\n").strip() == returned["html"].strip()
    assert "{{ 7 * 7 }}" in html
    assert "<script>" not in html


def test_summary_is_sent_to_slack(connections, web, notify):
    returned = notify(recipe("SlackWebhookNotifier(")["slack"])
    ((path, body),) = web.received
    assert path == "/services/T0/B0/x"
    assert body["text"] == returned["summary"]
    assert "channel" not in body["text"]


def test_summary_is_sent_to_a_web_hook(connections, web, notify):
    returned = notify(recipe("HttpNotifier(")["hook"])
    assert web.received == [("/night", {"summary": returned["summary"]})]


def test_report_task_of_the_recipe_has_the_notifiers_as_callbacks():
    names = recipe("SmtpNotifier(")
    callbacks = names["morning_report"].kwargs["on_success_callback"]
    assert callbacks == [names["mail"], names["slack"], names["hook"]]
    assert names["morning_report"].kwargs["trigger_rule"] == "all_done"
