"""The report of results as text, Markdown and HTML: outcomes, sums, hostile texts, bounded size."""

from __future__ import annotations

import re
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.reports import Report, report
from airflow_provider_renderbus.reports.build import MAX_ROWS
from airflow_provider_renderbus.reports.rows import RowOutcome

DONE = {
    "render_task_id": 35,
    "scene": "sh010.blend",
    "state": "FINISHED",
    "frames": {"total": 24, "done": 24, "failed": 0, "running": 0, "aborted": 0},
    "cost": "3.50",
    "forecast": {"cost": "4", "low": "3", "high": "5"},
    "duration_seconds": 3725.0,
    "console_url": "https://task.renderbus.com/task/35",
    "failed_frames": [],
}
FAILED = {
    "name": "sh020",
    "render_task_id": 36,
    "state": "FINISHED_HAS_FAILED",
    "frames": {"total": 24, "done": 22, "failed": 2},
    "cost": "1.25",
    "error": "Render 36 (sh020.blend): FINISHED_HAS_FAILED\nRender 36 in the web console: https://…",
    "failed": "Camera 2-3: Error: out of memory",
    "console_url": "https://task.renderbus.com/task/36",
}
HOSTILE = "</td><script>alert(1)</script> | `x` [y](javascript:z) *b*\n# h \u202e\x1b[31m \"'&"
NUMBER = re.compile(r"\d+")


class _Page(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.images: list[str] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        values = dict(attrs)
        assert not [name for name in values if name.startswith("on")]
        self.links += [values["href"]] if "href" in values else []
        self.images += [values["src"]] if "src" in values else []

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def night():
    return report([DONE, FAILED], title="Night", currency="RMB")


def test_report_has_sums_forecast_and_worst_render_first(night):
    assert isinstance(night, Report)
    assert (
        night.summary
        == "2 renders: 1 done, 1 failed. Cost 4.75 RMB. Forecast 4.00 RMB for 1, which cost 3.50 RMB"
    )
    assert [row.name for row in night.rows] == ["sh020", "sh010"]
    assert (night.failures, night.cost, night.forecast) == (1, Decimal("4.75"), Decimal(4))


def test_report_text_has_table_and_reasons(night):
    assert str(night) == night.text
    lines = night.text.splitlines()
    assert lines[0] == "Night"
    assert re.split(r"  +", lines[4]) == ["Shot", "End", "Frames", "Cost", "Forecast", "Time"]
    assert re.split(r"  +", lines[5]) == ["sh020", "failed", "22 of 24, 2 failed", "1.25 RMB", "-", "-"]
    assert re.split(r"  +", lines[6]) == ["sh010", "done", "24 of 24", "3.50 RMB", "4.00 RMB", "1:02:05 h"]
    assert "sh020: Camera 2-3: Error: out of memory; Render 36 (sh020.blend): FINISHED_HAS_FAILED" in lines
    assert "  https://task.renderbus.com/task/36" in lines


def test_report_markdown_links_renders(night):
    lines = night.markdown.splitlines()
    assert lines[0] == "## Night"
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 4
    assert rows[2].startswith(
        "| [sh020](<https://task.renderbus.com/task/36>) | failed | 22 of 24, 2 failed |"
    )
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_report_html_has_rows_links_and_sums(night):
    page = _Page(night.html)
    assert page.tags.count("tr") == 4
    assert page.links == ["https://task.renderbus.com/task/36", "https://task.renderbus.com/task/35"]
    assert {"Night", "sh010", "sh020", "done", "failed", "46 of 48", "4.75 RMB"} <= set(page.words)
    assert not {"script", "link", "iframe"} & set(page.tags)


@pytest.mark.parametrize(
    "field", ["name", "scene", "error", "failed", "console_url", "state", "cost", "reason"]
)
def test_report_escapes_hostile_text(field):
    night = report([{**FAILED, "name": "", field: HOSTILE}], title=HOSTILE, currency=HOSTILE)
    page = _Page(night.html)
    assert "script" not in page.tags
    assert page.links in ([], [FAILED["console_url"]])
    for text in (night.text, night.markdown, night.html):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
    rows = [line for line in night.markdown.splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert "<script" not in night.markdown.replace("\\<", "")
    assert not re.search(r"(?<!\\)[`*]", night.markdown)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "https://a b",
        "https://a|b",
        'http://x"onload=',
        "ftp://x",
        f"https://{'x' * 999}",
        "https://x/\x1b[2J",
        "https://x/\u202egnp",
    ],
)
def test_report_links_only_web_addresses(url):
    night = report({**DONE, "console_url": url})
    assert _Page(night.html).links == []
    assert url not in night.text


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (DONE, "done"),
        ({**DONE, "state": "FINISHED_HAS_FAILED"}, "done, frames failed"),
        ({**DONE, "error": "no files"}, "failed"),
        (FAILED, "failed"),
        ({**DONE, "state": "ABANDON"}, "rejected"),
        ({**DONE, "state": "ABANDON", "error": "ABANDON"}, "rejected"),
        ({**DONE, "state": "ARREARAGE_STOP", "error": "stopped"}, "no funds"),
        ({"name": "x", "error": "below min_funds", "reason": "insufficient_funds"}, "no funds"),
        ({**DONE, "state": "STOP", "error": "exceeds", "reason": "over_budget"}, "over budget"),
        ({**DONE, "state": "STOP", "error": "lost", "reason": "killed"}, "killed"),
        ({**DONE, "state": "USER_STOP"}, "stopped"),
        ({**DONE, "state": "TIME_OUT_STOP"}, "stopped"),
        ({**DONE, "state": "FINISHED_TEST"}, "paused"),
        ({**DONE, "state": "RENDERING"}, "rendering"),
        ({**DONE, "state": "no such state"}, "rendering"),
        ({"render_task_id": 35}, "rendering"),
        ({"name": "x"}, "not submitted"),
        ({"name": "x", "reason": "not_submitted"}, "not submitted"),
        ({"name": "x", "reason": "skipped"}, "skipped"),
        (None, "killed"),
    ],
)
def test_report_outcome_of_a_result(result, outcome):
    (row,) = report([result]).rows
    assert row.outcome == outcome


@pytest.mark.parametrize("status", TaskStatus)
def test_report_calls_only_finished_states_done(status):
    (row,) = report([{**DONE, "state": status.name}]).rows
    is_done = row.outcome in {RowOutcome.DONE, RowOutcome.FRAMES_FAILED}
    assert is_done == (status in {TaskStatus.FINISHED, TaskStatus.FINISHED_HAS_FAILED})


@pytest.mark.parametrize("results", [DONE, [DONE], [[DONE], []], (each for each in [DONE])])
def test_report_takes_one_result_or_nested_lists(results):
    assert [row.name for row in report(results).rows] == ["sh010"]


def test_report_takes_ids_of_renders_that_were_only_submitted():
    assert [row.name for row in report([35, DONE]).rows] == ["render 35", "sh010"]


def test_report_without_renders_says_so():
    night = report([])
    assert night.summary == "0 renders. Cost 0.00"
    assert _Page(night.html).tags.count("tr") == 2
    assert "|" not in night.markdown


def test_report_of_results_by_name_raises():
    with pytest.raises(
        ValueError, match=r"^results: must be a list .*, got a mapping of results by 'sh010', '"
    ):
        report({"sh010": DONE, "sh020": FAILED})


@pytest.mark.parametrize("name", [" ", "\n\t", "\u2028"])
def test_report_of_a_blank_name_has_that_of_the_scene(name):
    assert report({**DONE, "name": name}).rows[0].name == "sh010"
    assert report({"name": name, "render_task_id": 35}).rows[0].name == "render 35"


@pytest.mark.parametrize("results", ["FINISHED", 7.5, object()])
def test_report_of_no_results_raises(results):
    with pytest.raises(
        ValueError, match=r"^results: must be the result of a render or a list of results, got "
    ):
        report(results)


@pytest.mark.parametrize(
    "broken",
    [
        {"frames": 7, "cost": "NaN", "forecast": [], "duration_seconds": "long"},
        {"frames": {"total": "x", "done": -1}, "cost": None, "forecast": {"cost": "1e999"}},
        {"cost": "1e400", "duration_seconds": -5, "failed_frames": "x", "render_task_id": "x"},
        {"cost": [], "failed_frames": [None, {}]},
        {"cost": "1e-999999", "frames": {"total": 10**4299, "done": 10**4299}},
        {"cost": f"0.00{'3' * 9999}"},
    ],
)
def test_report_leaves_out_what_is_not_readable(broken):
    night = report([{**DONE, **broken}, FAILED], currency="RMB")
    assert len(night.rows) == 2
    assert "NaN" not in night.text
    assert len(night.text) < 1000
    assert night.html


def test_report_amounts_have_currency_of_the_results_and_keep_small_costs():
    night = report([{**DONE, "cost": "0.0042", "currency": "USD"}, {**DONE, "cost": "12345.6"}])
    assert "0.0042 USD" in night.text
    assert "12,345.60 USD" in night.text
    assert night.summary.endswith("Cost 12,345.60 USD. Forecast 8.00 USD")


@pytest.mark.parametrize(
    ("address", "escaped"),
    [
        ("https://evil.example", "https\\://evil.example"),
        ("WWW.evil.example", "WWW\\.evil.example"),
        ("a@evil.example", "a\\@evil.example"),
    ],
)
def test_report_markdown_makes_no_links_of_addresses_in_names_and_messages(address, escaped):
    night = report([{**FAILED, "name": address, "error": address}], title=address)
    assert night.markdown.count(escaped) == 3
    assert address not in night.markdown


def test_report_of_several_currencies_raises_unless_the_author_names_one():
    results = [{**DONE, "currency": "RMB"}, {**DONE, "currency": "USD"}, DONE]
    with pytest.raises(ValueError, match=r"^results: must have one currency, got RMB, USD$"):
        report(results)
    assert report(results, currency="EUR").summary.endswith(" EUR")


def test_report_of_ten_thousand_failed_renders_is_bounded():
    long = {**FAILED, "error": HOSTILE * 100, "failed": HOSTILE * 100}
    many = [{**long, "name": f"{HOSTILE}{index}"} for index in range(10_000)]
    night = report([*many, DONE], currency="RMB")
    assert "10001 renders: 1 done, 10000 failed. Cost 12,503.50 RMB" in night.text
    assert len(night.text) < 400_000
    assert len(night.markdown) < 800_000
    assert len(night.html) < 2_000_000
    for text in (night.text, night.markdown, night.html):
        assert f"and {10_001 - MAX_ROWS:,} more" in text


def test_report_names_the_frames_of_accepted_failures():
    groups = [{"layer": "Camera", "frames": "2-3", "reason": "oom"}]
    accepted = {**DONE, "state": "FINISHED_HAS_FAILED", "failed_frames": groups}
    assert report(accepted).rows[0].why == "Camera 2-3: oom"
