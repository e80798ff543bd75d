"""Metrics: what is counted, and that nothing fails for it. test_patterns.py has a statsd server."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_provider_renderbus import metrics
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException, TaskDeferred
from airflow_provider_renderbus.metrics import METRICS, count_renders, count_request
from airflow_provider_renderbus.operators import RenderbusSubmitTaskOperator
from airflow_provider_renderbus.sensors import RenderbusTaskSensor
from tests.airflow.context import context
from tests.airflow_version import LINE

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"


class Recorder:
    """Receives metrics instead of Airflow's."""

    def __init__(self):
        self.counts = Counter()
        self.timings = {}

    def incr(self, name, count=1):
        self.counts[name] += count

    def timing(self, name, milliseconds):
        self.timings[name] = milliseconds


@pytest.fixture
def recorder(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(metrics, "_airflow_stats", lambda: recorder)
    return recorder


@pytest.fixture
def scenario():
    return {"pictures": False, "renders": [{"fail_frames": "2"}]}


@pytest.fixture
def finished(farm, connection, submitted):
    farm.advance(7200)
    return submitted


def wait(render_task_id):
    return RenderbusSubmitTaskOperator(
        task_id="wait", render_task_id=render_task_id, wait_for_completion=True
    )


def test_failed_render_is_counted_with_frames_cost_and_times(finished, recorder):
    with pytest.raises(AirflowFailException):
        wait(finished).execute(context())
    counts = recorder.counts
    assert counts["renderbus.renders.failed"] == 1
    assert (counts["renderbus.frames.done"], counts["renderbus.frames.failed"]) == (3, 1)
    assert counts["renderbus.cost_cents"] > 0
    assert counts["renderbus.requests"] >= 3
    assert "renderbus.request_errors" not in counts
    assert set(recorder.timings) == {"renderbus.queue_time", "renderbus.render_time"}
    assert recorder.timings["renderbus.render_time"] >= 1000
    assert {*counts, *recorder.timings} <= set(METRICS)


def test_succeeded_render_is_counted(finished, recorder):
    sensor = RenderbusTaskSensor(task_id="wait", render_task_id=finished, target_states=[30])
    sensor.execute(context())
    assert recorder.counts["renderbus.renders.succeeded"] == 1
    assert "renderbus.renders.failed" not in recorder.counts


def test_render_that_exceeds_its_budget_is_counted_as_failed(recorder):
    count_renders("failed", [{"state": "RENDERING", "frames": {"done": 3, "failed": 0}, "cost": "1.234"}])
    assert recorder.counts == {
        "renderbus.renders.failed": 1,
        "renderbus.frames.done": 3,
        "renderbus.cost_cents": 123,
    }


def test_paused_render_is_not_counted_yet(recorder):
    paused = {"state": "FINISHED_TEST", "frames": {"done": 3, "failed": 0}, "cost": "1"}
    count_renders("succeeded", [paused])
    count_renders("failed", [paused])
    assert not recorder.counts


def test_deferred_render_is_not_counted_yet(connection, submitted, recorder):
    with pytest.raises(TaskDeferred):
        RenderbusTaskSensor(task_id="wait", render_task_id=submitted, deferrable=True).execute(context())
    assert set(recorder.counts) == {"renderbus.requests"}


def test_refused_request_is_counted_as_an_error(connection, farm, submitted, recorder):
    farm.inject("code", code=401, calls=["query_task_info"])
    with pytest.raises(AirflowException):
        wait(submitted).execute(context())
    assert 0 < recorder.counts["renderbus.request_errors"] <= recorder.counts["renderbus.requests"]


@pytest.mark.parametrize("stats", [SimpleNamespace(), SimpleNamespace(incr=len), None])
def test_metric_that_cannot_be_sent_fails_nothing(finished, monkeypatch, stats):
    monkeypatch.setattr(metrics, "_airflow_stats", lambda: stats)
    sensor = RenderbusTaskSensor(task_id="wait", render_task_id=finished, target_states=[30])
    assert sensor.execute(context())["state"] == "FINISHED_HAS_FAILED"


def test_metrics_module_that_cannot_be_imported_fails_nothing(monkeypatch):
    def fail(name):
        raise RuntimeError(name)

    monkeypatch.setattr(metrics.importlib, "import_module", fail)
    count_request(failed=True)


def test_metrics_use_what_airflow_has_on_this_line():
    stats = metrics._airflow_stats()
    # From 3.2 on, only a process that runs a task or triggers has metrics.
    assert callable(getattr(stats, "incr", None)) or (stats is None and LINE >= (3, 2))
    count_request(failed=False)


def test_every_metric_is_documented():
    text = DOCUMENT.read_text("utf-8")
    documented = dict(re.findall(r"^\| `(renderbus\.[a-z_.]+)` \| (.*) \|$", text, re.MULTILINE))
    assert documented == METRICS


def test_metric_names_have_no_ids():
    assert all(re.fullmatch(r"renderbus(\.[a-z_]+)+", name) for name in METRICS)
