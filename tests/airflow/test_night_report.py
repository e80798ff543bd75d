"""The report of a night in which shots failed in different ways, made by a DAG run."""

from __future__ import annotations

import json
import shutil
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from airflow_provider_renderbus.reports import report
from dev.harness.embedded_farm import StockedFarm
from tests.airflow_command import AirflowCommand
from tests.dags.night_report import HOSTILE

ROOT = Path(__file__).parents[2]
ENDS = {
    "sh010": "done",
    "sh020": "failed",
    "sh030": "no funds",
    "sh040": "over budget",
    "sh050": "rejected",
    "sh060": "not submitted",
    HOSTILE: "killed",
}
SCENARIO = {
    "renders": [
        {"scene": "*sh020*", "fail_frames": "2-3"},
        {"scene": "*sh040*", "seconds": [100, 100], "cost": "0.01"},
    ]
}


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("farm") / "storage"
    with StockedFarm(folder, speed=300.0, scenario=SCENARIO) as running:
        yield running


@pytest.fixture(scope="module")
def file(farm, tmp_path_factory):
    """The results, beside the report in each form, of a run of the DAG."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    shutil.copy(ROOT / "tests" / "dags" / "night_report.py", home / "dags")
    file = home / "report.json"
    airflow = AirflowCommand(
        sys.executable,
        home,
        {"renderbus_default": farm.connection()},
        PYTHONPATH=str(ROOT),
        REPORT_FILE=str(file),
        FRAMES_FOLDER=str(farm.output_root),
    )
    airflow("dags", "test", "night_report")
    return file


@pytest.fixture(scope="module")
def night(file):
    return report(json.loads(file.read_text()))


def test_report_has_a_row_for_each_shot_however_it_ended(night):
    assert {row.name: row.outcome.value for row in night.rows} == ENDS


def test_report_says_why_each_shot_failed(night):
    why = {row.name: row.why for row in night.rows}
    assert why["sh010"] == ""
    assert why["sh020"].startswith("sh020 2-3: Error: rendering of frame 2 has failed; Render ")
    assert "Not retrying" not in why["sh020"]
    assert "below min_funds 100000 RMB" in why["sh030"]
    assert "exceeds max_cost 0.02" in why["sh040"]
    assert why["sh060"] == "A task before it has failed"
    assert why[HOSTILE] == "The Airflow task sh070 has ended without a result: see its log"


def test_report_has_costs_with_currency_and_links(night, farm):
    rows = {row.name: row for row in night.rows}
    assert night.currency == "RMB"
    assert all(rows[name].cost > 0 for name in ("sh010", "sh020", "sh040", "sh050"))
    assert night.cost == sum(row.cost or Decimal(0) for row in night.rows)
    assert rows["sh050"].forecast > rows["sh050"].cost
    assert (rows["sh020"].done, rows["sh020"].failed, rows["sh020"].total) == (2, 2, 4)
    for name, row in rows.items():
        expected = "" if name in {"sh030", "sh060"} else f"http://{farm.address}/task/{row.render_task_id}"
        assert row.url == expected


def test_report_is_written_in_each_form(file):
    html = file.with_suffix(".html").read_text()
    assert html.count("<img ") >= 3
    assert "&lt;b&gt;sh070&lt;/b&gt; | *x*" in html
    assert "sh020" in file.with_suffix(".md").read_text()
    assert file.with_suffix(".txt").read_text().startswith("Night of 28 November\n")
