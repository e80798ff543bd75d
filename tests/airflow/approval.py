"""Runs the example approve_test_frames up to the approval form in Airflow's web interface.

``python -m tests.airflow.approval`` creates docs/pictures/approve-test-frames.png. Needs Chromium.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path

from dev.harness.embedded_farm import StockedFarm
from tests.airflow.real_airflow import real_airflow
from tests.farm.browser import chromium

ROOT = Path(__file__).parents[2]
DAG_ID = "approve_test_frames"
FARM_SPEED = (
    200.0  # test frames and remaining frames take two seconds each, plus the CPU time of the pictures
)
TIMEOUT = 180  # seconds
TASK_LINK = f"a[href^='/dags/{DAG_ID}/'][href*='/tasks/approve/']"
PICTURES = "[...document.querySelectorAll('table img')]"
QUESTION = "document.body.textContent"


class ApprovalTestbed:
    """A farm, an Airflow and a browser."""

    def __init__(self, farm, airflow, browser):
        self.farm, self.airflow, self.browser = farm, airflow, browser

    def open_approval(self, run_id):
        """Start a run, wait for its request for approval, and open the form in the browser."""
        self.airflow.trigger(DAG_ID, run_id)
        path = f"/dags/{DAG_ID}/dagRuns/{run_id}/hitlDetails"
        self.airflow.programs.wait_until(
            "a request for approval", lambda: self.airflow.get(path)["total_entries"] > 0, TIMEOUT
        )
        self.browser.open(f"{self.airflow.url}/required_actions?response_received=false")
        self.browser.click(f"{TASK_LINK}[href*='/runs/{run_id}/']")
        self.browser.wait_until(f"{PICTURES}.length === 3")
        self.browser.evaluate(f"Promise.all({PICTURES}.map((image) => image.decode()))")


@contextmanager
def approval_testbed(folder):
    """Start farm, Airflow and browser in a new folder."""
    folder.mkdir()
    with (
        StockedFarm(folder / "farm", speed=FARM_SPEED) as farm,
        real_airflow(
            folder / "airflow",
            [ROOT / "example_dags" / f"{DAG_ID}.py"],
            {"renderbus_default": farm.connection()},
        ) as airflow,
        chromium(folder / "chromium") as browser,
    ):
        airflow.unpause(DAG_ID)
        browser.set_size(1280, 720)
        browser.open(f"{airflow.url}/auth/token/login")
        yield ApprovalTestbed(farm, airflow, browser)


def main():
    """Create the picture."""
    with tempfile.TemporaryDirectory() as folder, approval_testbed(Path(folder) / "testbed") as testbed:
        testbed.open_approval("sh010_v012")
        picture = testbed.browser.screenshot()
        picture.quantize(256).save(ROOT / "docs" / "pictures" / "approve-test-frames.png", optimize=True)


if __name__ == "__main__":
    main()
