"""docs/waiting.md tells the poller's own figures, and goals that are met."""

import re
from pathlib import Path

from airflow_provider_renderbus.api.validation import MAX_PAGE_SIZE
from airflow_provider_renderbus.polling import (
    circuit_breaker,
    error_tolerance,
    page_schedule,
    refreshing_client,
    shared_queries,
    watchers,
)
from dev.benchmarks.waiting import GOALS
from dev.benchmarks.waiting_picture import picture

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs/waiting.md").read_text("utf-8")


def rows(first_head):
    table = DOCUMENT.partition(f"| {first_head} |")[2].partition("\n\n")[0]
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def test_what_the_poller_does():
    does = {what: " ".join(re.findall(r"\d+(?:\.\d+)?", how)) for what, how in rows("what happens")}
    assert f"up to {MAX_PAGE_SIZE} tasks in one request" in DOCUMENT
    assert does["N tasks wait"] == f"{MAX_PAGE_SIZE} {shared_queries.MAX_CONCURRENCY}"
    assert does["tasks join"] == f"{page_schedule.JOIN_WINDOW:g}"
    waits = (1, 2, 4, 8, 2**circuit_breaker.MAX_DOUBLINGS, int(circuit_breaker.MAX_RETRY_AFTER))
    assert does["the farm is down or overloaded"] == " ".join(map(str, waits))
    assert circuit_breaker.MAX_INTERVAL_SHARE == 1 / 4
    assert does["an answer lacks a task"] == str(error_tolerance.MAX_MISSES)
    assert does["a deadline passes"] == f"{watchers.FINAL_POLL_TIMEOUT:g}"
    assert f"at most {shared_queries.MAX_CONCURRENCY} are sent at once" in DOCUMENT
    assert f"is valid for {refreshing_client.LOOKUP_TTL:g} s" in DOCUMENT


def test_the_goals_are_those_of_the_benchmark_and_are_met():
    told = rows("figure")
    assert [(what, goal) for what, _, goal in told] == [
        (what, f"{side} {goal:g}") for what, goal, side in GOALS.values()
    ]
    for (what, measured, _), (_, goal, side) in zip(told, GOALS.values(), strict=True):
        figure = float(measured.replace(",", ""))
        assert figure <= goal if side == "at most" else figure >= goal, what


def test_the_picture_draws_what_was_never_told_at_the_end():
    case = {"kind": "plain", "tasks": 100, "ours": {"cpu_seconds": 0.01}}
    case["one_request_each"] = {"cpu_seconds": 0.1, "requests": 100}
    drawn = picture({"by_count": [case, {**case, "tasks": 1000}], "delays_s": [1.0, 9.0, float("inf")]}, 10.0)
    assert drawn.startswith("<svg")
    assert "nan" not in drawn
    assert "inf" not in drawn
