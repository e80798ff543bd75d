"""docs/waiting.md holds the poller's numbers, and goals that are met."""

import re
from pathlib import Path

from airflow_provider_renderbus.api.validation import MAX_PAGE_SIZE
from airflow_provider_renderbus.polling import (
    batching,
    circuit_breaker,
    error_tolerance,
    refreshing_client,
    shared_queries,
    watchers,
)
from dev.benchmarks.waiting import GOALS

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs/waiting.md").read_text("utf-8")


def rows(first_head):
    table = DOCUMENT.partition(f"| {first_head} |")[2].partition("\n\n")[0]
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def test_waiting_document_table_holds_the_numbers_of_the_poller():
    numbers = {what: " ".join(re.findall(r"\d+(?:\.\d+)?", how)) for what, how in rows("what happens")}
    assert f"up to {MAX_PAGE_SIZE} tasks in one request" in DOCUMENT
    assert numbers["N tasks wait"] == f"{MAX_PAGE_SIZE} {shared_queries.MAX_CONCURRENCY}"
    assert numbers["tasks join"] == f"{batching.JOIN_WINDOW:g}"
    waits = (1, 2, 4, 8, 2**circuit_breaker.MAX_DOUBLINGS, int(circuit_breaker.MAX_RETRY_AFTER))
    assert numbers["the farm is down or overloaded"] == " ".join(map(str, waits))
    assert circuit_breaker.MAX_INTERVAL_SHARE == 1 / 4
    assert numbers["an answer lacks a task"] == str(error_tolerance.MAX_MISSES)
    assert numbers["a deadline passes"] == f"{watchers.FINAL_POLL_TIMEOUT:g}"
    assert f"at most {shared_queries.MAX_CONCURRENCY} are sent at once" in DOCUMENT
    assert f"within {refreshing_client.LOOKUP_TTL:g} s end their waits without another look-up" in DOCUMENT


def test_waiting_document_goals_are_those_of_the_benchmark_and_are_met():
    figures = rows("figure")
    assert [(what, goal) for what, _, goal in figures] == [
        (what, f"{side} {goal:g}") for what, goal, side in GOALS.values()
    ]
    for (what, measured, _), (_, goal, side) in zip(figures, GOALS.values(), strict=True):
        figure = float(measured.replace(",", ""))
        assert figure <= goal if side == "at most" else figure >= goal, what
