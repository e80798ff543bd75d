"""The report of a night in which shots failed in different ways, made by a DAG run."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from PIL import Image

from airflow_provider_renderbus.reports import report
from dev.harness.embedded_farm import StockedFarm
from tests.airflow_command import AirflowCommand
from tests.airflow_version import copy_dag_file
from tests.dags.night_report import HOSTILE

pytestmark = pytest.mark.dag_runs

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
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    for dag in ("tests/dags/night_report.py", "example_dags/nightly_render.py"):
        copy_dag_file(ROOT / dag, home / "dags")
    return home


@pytest.fixture(scope="module")
def airflow(farm, home):
    return AirflowCommand(
        sys.executable,
        home,
        {"renderbus_default": farm.connection()},
        PYTHONPATH=str(ROOT),
        REPORT_FILE=str(home / "report.json"),
        FRAMES_FOLDER=str(farm.output_root),
        RENDERBUS_FRAMES_FOLDER=str(farm.output_root),
        RENDERBUS_PICTURES_FOLDER=str(home / "pictures"),
    )


@pytest.fixture(scope="module")
def file(airflow, home):
    """The results, beside the report in each form, of a run of the DAG."""
    airflow("dags", "test", "night_report")
    return home / "report.json"


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


def test_example_night_with_a_failed_shot_has_pictures_and_report(airflow, home):
    try:
        output = airflow("dags", "test", "nightly_render")
    except AssertionError as failed_run:  # newer lines return the end of the run
        output = str(failed_run)
    (page,) = (home / "pictures").rglob("report.html")
    html = page.read_text()
    assert html.count(">done</b>") == 2
    assert html.count(">failed</b>") == 1
    assert "sh020 2-3: Error: rendering of frame 2 has failed" in html
    with Image.open(page.with_name("contact_sheet.png")) as sheet:
        assert sheet.height == 8 + 2 * (90 + 24)  # a row for each shot that was rendered
    assert page.with_name("preview.webp").exists()
    assert "3 renders: 2 done, 1 failed" in output
