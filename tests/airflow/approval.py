"""The example approve_test_frames, from its start to the question in Airflow's page.

``python -m tests.airflow.approval`` makes docs/pictures/approve-test-frames.png. Needs Chromium.
"""

from __future__ import annotations

import tempfile
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from airflow_provider_renderbus.farm import Farm
from tests.airflow.real_airflow import real_airflow
from tests.farm.browser import chromium

ROOT = Path(__file__).parents[2]
DAG_ID = "approve_test_frames"
FARM_SPEED = 200.0  # test frames and the rest take two seconds each, and the CPU's time for the pictures
SECONDS = 180
TASK_LINK = f"a[href^='/dags/{DAG_ID}/'][href*='/tasks/approve/']"
PICTURES = "[...document.querySelectorAll('table img')]"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def web_server(folder):
    """The address at which a folder is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Studio:
    """A farm, an Airflow, and a supervisor's browser."""

    def __init__(self, farm, airflow, browser):
        self.farm, self.airflow, self.browser = farm, airflow, browser

    def ask(self, run_id):
        """Start a run, wait until it asks, and go in the browser to where it does."""
        self.airflow.trigger(DAG_ID, run_id)
        path = f"/dags/{DAG_ID}/dagRuns/{run_id}/hitlDetails"
        self.airflow.programs.wait_until(
            "a request for approval", lambda: self.airflow.get(path)["total_entries"] > 0, SECONDS
        )
        self.browser.open(f"{self.airflow.url}/required_actions?response_received=false")
        self.browser.press(f"{TASK_LINK}[href*='/runs/{run_id}/']")
        self.browser.until(f"{PICTURES}.length === 3")
        self.browser.run(f"Promise.all({PICTURES}.map((image) => image.decode()))")


@contextmanager
def studio(folder):
    """Set all of it up.

    :param folder: a new folder.
    """
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    with (
        Farm(folder / "farm", speed=FARM_SPEED) as farm,
        web_server(pictures) as address,
        real_airflow(
            folder / "airflow",
            [ROOT / "example_dags" / f"{DAG_ID}.py"],
            {"renderbus_default": farm.connection()},
            RENDERBUS_FRAMES_FOLDER=str(farm.output_root),
            RENDERBUS_PICTURES_FOLDER=str(pictures),
            RENDERBUS_PICTURES_URL=address,
        ) as airflow,
        chromium(folder / "chromium") as browser,
    ):
        airflow.unpause(DAG_ID)
        browser.size(1280, 720)
        browser.open(f"{airflow.url}/auth/token/login")
        yield Studio(farm, airflow, browser)


def main():
    """Make the picture anew."""
    with tempfile.TemporaryDirectory() as folder, studio(Path(folder) / "studio") as running:
        running.ask("sh010_v012")
        picture = running.browser.seen()
        picture.quantize(256).save(ROOT / "docs" / "pictures" / "approve-test-frames.png", optimize=True)


if __name__ == "__main__":
    main()
